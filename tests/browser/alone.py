"""A widget alone on an empty page: its own stub and views, answered by its channel in this process, without a kernel.

What a person sees and does is the same as in a notebook; that a kernel and a host carry the messages is tested there.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from typing import Any

from modellab_jupyter.widgets.base import STATIC

PAGE = '<!doctype html><meta charset="utf-8"><body style="margin:8px"><div id="here"></div></body>'
RENDER = """async ([source, view, protocol]) => {
  const heard = new Set();
  const bytes = text => new DataView(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  window.tell = (content, buffers) => heard.forEach(listener => listener(content, buffers.map(bytes)));
  const model = {
    get: key => ({ view, protocol })[key],
    on: (event, listener) => heard.add(listener),
    off: (event, listener) => heard.delete(listener),
    send: content => void window.ask(content).then(answer => answer && window.tell(...answer)),
  };
  const address = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  window.close_ = await (await import(address)).default.render({ model, el: document.getElementById('here') });
}"""


class Alone:
    """A widget that is shown on a page.

    Verbs that are `busy` get no answer, as from a kernel that runs a cell; those that are `late` get theirs when the
    test catches up.
    """

    def __init__(self, page: Any, widget: Any, busy: Collection[str] = ()) -> None:
        self.busy = busy
        self.late: Collection[str] = ()
        self._page = page
        self._waiting: list[Any] = []
        self.asked: list[str] = []
        self._channel = widget._attached()
        page.expose_function("ask", self._answer)
        page.set_content(PAGE)
        model = self._channel.widget
        page.evaluate(RENDER, [(STATIC / "stub.js").read_text("utf-8"), model.view, model.protocol])

    def _answer(self, content: dict[str, Any]) -> Any:
        self.asked.append(content["verb"])
        if content["verb"] in self.busy:
            return None
        answer, buffers = self._channel.answer(content)
        told = [answer, [base64.b64encode(block).decode() for block in buffers]]
        if content["verb"] in self.late:
            self._waiting.append(told)
            return None
        return told

    def catch_up(self) -> None:
        """Give the late answers."""
        self.late = ()
        for told in self._waiting:
            self._page.evaluate("([content, buffers]) => window.tell(content, buffers)", told)
