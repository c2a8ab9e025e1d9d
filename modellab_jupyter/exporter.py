"""``jupyter nbconvert --to modellab``: a notebook as one HTML file whose outputs stay interactive without a network."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from nbconvert.exporters.html import HTMLExporter
from traitlets import Unicode

from modellab_jupyter.widgets.base import LIVE_MIME, STATIC, is_built
from modellab_jupyter.widgets.saved import MIME

if TYPE_CHECKING:
    from nbformat import NotebookNode

_OURS = f'<script type="{MIME}">'


class ModelLabExporter(HTMLExporter):
    """HTML with ModelLab's tables and charts as they were saved, in one file that asks nobody for anything.

    Plotly and the views are held once, however many outputs there are. Without scripts, and on paper, an output is its
    plain HTML. Widgets of other packages keep their plain form, since their live one needs a network.
    """

    export_from_notebook = "ModelLab (interactive HTML, offline)"

    # Where the stock page loads scripts from; a person may still give an address of their own.
    require_js_url = Unicode("").tag(config=True)
    mathjax_url = Unicode("").tag(config=True)
    mermaid_js_url = Unicode("").tag(config=True)
    mermaid_layout_elk_js_url = Unicode("").tag(config=True)

    def _preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        # Last of all, since --execute is a preprocessor too; what it gives is a copy.
        shown, about = super()._preprocess(nb, resources)  # type: ignore[no-untyped-call]
        shown.metadata.pop("widgets", None)
        for cell in shown.cells:
            for output in cell.get("outputs", ()):
                if "data" in output:
                    _settle(output.data)
        return shown, about

    def from_notebook_node(
        self, nb: NotebookNode, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the page of a notebook, which is not changed."""
        page, about = super().from_notebook_node(nb, resources, **kw)
        if _OURS in page and is_built():
            head, end, tail = page.rpartition("</body>")
            page = head + _scripts() + end + tail
        return page, about


def _settle(data: NotebookNode) -> None:
    """Leave the forms of an output that a page can show by itself, ours with what was saved beside it."""
    data.pop(LIVE_MIME, None)
    snapshot = data.pop(MIME, None)
    if snapshot is None:
        return
    plain = data.get("text/html", "")
    text = json.dumps(snapshot, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    data["text/html"] = f"<div>{''.join(plain)}</div>{_OURS}{text}</script>"


def _scripts() -> str:
    """Return the shared files as text, and the script that draws with them."""
    parts = []
    for name in ("views", "plotly"):
        text = base64.b64encode((STATIC / f"{name}.js.gz").read_bytes()).decode()
        parts.append(f'<script type="application/gzip" id="modellab-{name}">{text}</script>')
    parts.append(f'<script type="module">{(STATIC / "page.js").read_text("utf-8")}</script>')
    return "".join(parts)
