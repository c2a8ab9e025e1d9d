"""A notebook front end that is not Jupyter's: no extension, no files, widgets in a frame that may reach nobody.

VS Code draws all outputs of a notebook in one such frame, Colab each in its own. A real kernel runs the cells; what it
sends to widgets goes over a websocket to the page, and from there as messages into the frames, and back.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host import free_port

VIEW = "application/vnd.jupyter.widget-view+json"

FRAME = """<!doctype html>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' blob:;
  style-src 'unsafe-inline'; img-src data: blob:; font-src data:">
<body style="margin:0"><script>
const heard = new Map();
addEventListener('message', async ({ data }) => {
  if (!data.state) {
    for (const listener of heard.get(data.id) ?? []) listener(data.content, data.buffers.map(b => new DataView(b)));
    return;
  }
  const el = document.body.appendChild(document.createElement('div')), mine = new Set();
  heard.set(data.id, mine);
  const model = {
    get: key => data.state[key],
    on: (event, listener) => event === 'msg:custom' && mine.add(listener),
    off: (event, listener) => mine.delete(listener),
    send: content => parent.postMessage({ id: data.id, content }, '*'),
  };
  const source = URL.createObjectURL(new Blob([data.state._esm], { type: 'text/javascript' }));
  await (await import(source)).default.render({ model, el });
});
parent.postMessage({ ready: true }, '*');
</script></body>"""

PAGE = """<!doctype html><meta charset="utf-8"><title>notebook</title>
<link rel="icon" href="data:,"><body><script>
const together = TOGETHER, frames = [], owner = new Map();
const frame = () => new Promise(ready => {
  const made = document.createElement('iframe');
  made.sandbox = 'allow-scripts';
  made.style.cssText = 'width:1200px;height:900px;border:0;display:block';
  made.srcdoc = FRAME;
  frames.push(made);
  addEventListener('message', event => event.source === made.contentWindow && event.data.ready && ready(made));
  document.body.append(made);
});
const socket = new WebSocket(`ws://${location.host}/channel`);
let shared = null, turn = Promise.resolve();
addEventListener('message', event => {
  if (!event.data.ready) socket.send(JSON.stringify(event.data));
});
socket.onmessage = ({ data }) => turn = turn.then(async () => {
  const message = JSON.parse(data);
  message.buffers = (message.buffers ?? []).map(text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  if (message.state) owner.set(message.id, together ? (shared ??= await frame()) : await frame());
  owner.get(message.id)?.contentWindow.postMessage(message, '*');
});
</script></body>"""


@dataclass
class Host:
    """A running front end: its address, and what its widgets asked the kernel for."""

    url: str
    asked: list[str] = field(default_factory=list)


class _Kernel:
    """A kernel with the widgets that it opened and the outputs that show them."""

    def __init__(self, asked: list[str]) -> None:
        self.states: dict[str, dict[str, Any]] = {}
        self.shown: list[str] = []
        self.errors: list[str] = []
        self.asked = asked
        self.sockets: set[Any] = set()
        self.done: dict[str, asyncio.Event] = {}

    async def start(self, folder: Path, cells: Sequence[str]) -> None:
        from jupyter_client import AsyncKernelManager

        self.manager = AsyncKernelManager(kernel_name="python3")
        await self.manager.start_kernel(cwd=str(folder))
        self.client = self.manager.client()
        self.client.start_channels()
        await self.client.wait_for_ready(timeout=60)
        self.listening = asyncio.create_task(self.listen())
        for cell in cells:
            asked = self.client.execute(cell)
            await asyncio.wait_for(self.done.setdefault(asked, asyncio.Event()).wait(), 120)
        if self.errors:
            raise RuntimeError(self.errors[0])

    async def stop(self) -> None:
        self.listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.listening
        self.client.stop_channels()
        await self.manager.shutdown_kernel(now=True)

    async def listen(self) -> None:
        while True:
            message = await self.client.get_iopub_msg(timeout=None)
            kind, content = message["msg_type"], message["content"]
            if kind == "comm_open" and content["target_name"] == "jupyter.widget":
                self.states[content["comm_id"]] = content["data"]["state"]
            elif kind == "comm_msg" and content["data"].get("method") == "custom":
                buffers = [base64.b64encode(bytes(one)).decode() for one in message["buffers"]]
                self.tell({"id": content["comm_id"], "content": content["data"]["content"], "buffers": buffers})
            elif kind in ("execute_result", "display_data") and VIEW in content["data"]:
                self.shown.append(content["data"][VIEW]["model_id"])
            elif kind == "error":
                self.errors.append("\n".join(content["traceback"]))
            elif kind == "status" and content["execution_state"] == "idle":
                self.done.setdefault(message["parent_header"].get("msg_id", ""), asyncio.Event()).set()

    def tell(self, message: dict[str, Any]) -> None:
        for socket in self.sockets:
            socket.write_message(json.dumps(message))

    def ask(self, message: dict[str, Any]) -> None:
        content = message["content"]
        self.asked.append(" ".join([content["verb"], *filter(None, [content["payload"].get("name")])]))
        data = {"method": "custom", "content": content}
        self.client.shell_channel.send(
            self.client.session.msg("comm_msg", {"comm_id": message["id"], "data": data}),
        )


@contextmanager
def showing(folder: Path, cells: Sequence[str], *, together: bool) -> Iterator[Host]:
    """Run cells in a kernel and serve a page that shows the widgets of their outputs, in one frame or in one each."""
    from tornado import web, websocket

    port = free_port()
    found = Host(f"http://127.0.0.1:{port}/")
    kernel = _Kernel(found.asked)
    page = PAGE.replace("TOGETHER", json.dumps(together)).replace("FRAME", json.dumps(FRAME).replace("</", "<\\/"))

    class Page(web.RequestHandler):
        def get(self) -> None:
            self.write(page)

    class Channel(websocket.WebSocketHandler):
        def open(self, *_args: str, **_more: str) -> None:
            kernel.sockets.add(self)
            for model in kernel.shown:
                self.write_message(json.dumps({"id": model, "state": kernel.states[model]}))

        def on_message(self, message: str | bytes) -> None:
            kernel.ask(json.loads(message))

        def on_close(self) -> None:
            kernel.sockets.discard(self)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def wait(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(300)

    async def serve() -> Any:
        await kernel.start(folder, cells)
        return web.Application([("/", Page), ("/channel", Channel)]).listen(port, "127.0.0.1")

    async def end(server: Any) -> None:
        server.stop()
        await server.close_all_connections()
        await kernel.stop()

    server = wait(serve())
    try:
        yield found
    finally:
        wait(end(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
