"""The channel between a widget and its view: messages with an id, a verb and one error boundary.

The browser names what it wants; it never sends SQL or code. A request is
``{"protocol", "id", "verb", "payload"}``; its answer carries the same id and either ``ok`` with a payload and
binary buffers, or one sentence saying what went wrong. News that nobody asked for has the id 0.
``labextension/src/core/channel.ts`` is the other half.
"""

from __future__ import annotations

import functools
import json
import logging
import sys
import threading
import time
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab_jupyter import config, session
from modellab_jupyter.widgets.words import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    import pyarrow as pa

PROTOCOL = 1
"""Raised when a message or the saved form changes its meaning."""

STILL_EVERY = 60.0  # seconds of a training from one saved form that is asked for to the next
LIVE_MIME = "application/vnd.jupyter.widget-view+json"
STATIC = Path(__file__).resolve().parent.parent / "static"

_log = logging.getLogger("modellab_jupyter")


class Source:
    """Where a dashboard reads from: the store, or a stand-in of the same shape.

    The first three methods are a source's own; the others say that it has nothing of the kind.
    """

    verbs: Sequence[str] = ()
    """What a selection of runs can be asked, of ``tag``, ``note``, ``trash`` and ``compare``."""

    def __init__(self) -> None:
        self.looks: dict[str, dict[str, Any]] = {}
        """How somebody looked at what, by a widget's own key; outlives the widget."""

    def project(self, project_id: str | None) -> Mapping[str, Any]:
        """Return ``project_id, name, runs, datasets, last_activity`` (ISO), ``best_run`` (id), ``best_metric``."""
        raise NotImplementedError

    def runs(self, project_id: str | None) -> pa.Table:
        """Return one row for each run.

        Columns are ``run_id, name, status, baseline, started_at, duration, note, tags, dataset``,
        ``params.<key>``, ``metrics.<key>`` and, where known, ``metrics.<key>.low``, ``.high`` and ``.n``;
        schema metadata ``modellab`` holds JSON with ``greater_is_better``.
        """
        raise NotImplementedError

    def judged(self, project_id: str | None) -> pa.Table | None:  # noqa: ARG002
        """Return ``run_id, name, rows``: the rows that each evaluation judged, and under no name the data a run used.

        ``rows`` is a text that is equal for equal rows; None where nothing is known.
        """
        return None

    def series(self, run_ids: list[str], key: str, points: int, steps: tuple[float, float] | None = None) -> pa.Table:
        """Return ``run_id, step, value, time`` of a metric, at most `points` rows a run, extremes kept.

        `steps` are the lowest and the highest that are wanted.
        """
        raise NotImplementedError

    def moment(self) -> AbstractContextManager[None]:
        """Have what is read within the block be of about one moment, where the source can."""
        return nullcontext()

    def changes(self, project_id: str | None) -> str | None:  # noqa: ARG002
        """Return a short text that differs whenever something to show has changed; None where that is not known."""
        return None

    def act(self, verb: str, run_ids: Sequence[str], payload: dict[str, Any]) -> Widget | None:
        """Carry out one of `verbs`; return what there is to show then."""
        raise NotImplementedError

    def progress(self, project_id: str | None) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return ``run_id, name, step, total, first`` (step of this life), ``elapsed`` (seconds) of runs under way."""
        return []

    def saved_views(self, project_id: str | None) -> dict[str, dict[str, Any]]:  # noqa: ARG002
        """Return the views that were given a name."""
        return {}

    def keep_view(self, project_id: str | None, name: str, state: dict[str, Any] | None) -> None:
        """Give a view a name, or with None forget it."""
        raise NotImplementedError

    def watch(self, widget: Widget) -> None:
        """Have :meth:`Widget.news` called now and then while runs are recorded in this process."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb gives back: a JSON object and the binary columns it speaks of."""

    payload: Mapping[str, Any] = field(default_factory=dict)
    buffers: Sequence[bytes] = ()


def is_live_host() -> bool:
    """Say whether a person's front end is attached to this kernel.

    Jupyter Server names the notebook to the kernels it starts; nbclient, papermill and nbval do not, and a
    widget they saved could never be shown. Colab, VS Code and marimo are known by their own signs.
    """
    if "google.colab" in sys.modules or ("marimo" in sys.modules and sys.modules["marimo"].running_in_notebook()):
        return True
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or getattr(shell, "kernel", None) is None:
        return False
    return config.in_server() or "__vsc_ipynb_file__" in shell.user_ns


def cell_id() -> str:
    """Return the id of the cell that runs, empty where the front end tells none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "get_parent"):
        return ""
    return str((shell.get_parent() or {}).get("metadata", {}).get("cellId") or "")


def execution() -> str:
    """Return what names the request that a cell runs for, empty where there is none."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "get_parent"):
        return ""
    return str((shell.get_parent() or {}).get("header", {}).get("msg_id") or "")


def is_built() -> bool:
    """Say whether the front end was built (a bare checkout has none)."""
    return (STATIC / "assets.json").is_file() and (STATIC / "stub.js").is_file()


class Channel:
    """One live widget: answers verbs, and tells its views when something changed.

    Parameters
    ----------
    view
        Name of the view in ``labextension/src/widgets``.
    verbs
        Functions by name. Each takes the payload and returns an :class:`Answer`; what it raises reaches the
        browser as one sentence, and the log with its traceback.

    Notes
    -----
    Answers are made one at a time: JupyterLab may deliver messages on another thread while a cell runs.
    """

    def __init__(self, view: str, verbs: Mapping[str, Callable[[dict[str, Any]], Answer]]) -> None:
        self._verbs = {**verbs, "asset": _asset}
        self._lock = threading.RLock()
        self._asked = self._kept = time.monotonic()
        self.beside = False  # whether a view was ever heard on another thread: then it asks also while a cell runs
        self._widget = _widget_class()(view=view, protocol=PROTOCOL)
        self._widget.on_msg(self._receive)

    @property
    def model_id(self) -> str:
        """Id of the model that views of this widget attach to."""
        return str(self._widget.model_id)

    @property
    def widget(self) -> Any:
        """The model itself, for hosts that show objects and not ids."""
        return self._widget

    @property
    def silent(self) -> float:
        """Seconds since a view asked something."""
        return time.monotonic() - self._asked

    def push(self, verb: str, payload: Mapping[str, Any] | None = None, buffers: Sequence[bytes] = ()) -> None:
        """Tell every view something it did not ask for."""
        self._widget.send({"protocol": PROTOCOL, "id": 0, "verb": verb, "payload": dict(payload or {})}, list(buffers))

    def close(self) -> None:
        """End the widget; its views keep what they show."""
        self._widget.close()

    def answer(self, message: object) -> tuple[dict[str, Any], list[bytes]]:
        """Return what is sent back for a request: the one place where errors of verbs are caught."""
        request = message if isinstance(message, dict) else {}
        number, verb, payload = request.get("id"), request.get("verb"), request.get("payload")
        head: dict[str, Any] = {"protocol": PROTOCOL, "id": number, "verb": verb}
        self._asked = time.monotonic()
        self.beside = self.beside or threading.current_thread() is not threading.main_thread()
        try:
            handler = self._handler(request.get("protocol"), verb)
            given = payload if isinstance(payload, dict) else {}
            done = self._answer(handler, given, str(verb))
        except Exception as error:  # noqa: BLE001 the boundary: what a verb raises is told to the page
            _log.exception("widget request %r failed", verb)
            return {**head, "ok": False, "error": str(error) or type(error).__name__}, []
        return {**head, "ok": True, "payload": dict(done.payload)}, list(done.buffers)

    def _answer(self, handler: Callable[[dict[str, Any]], Answer], payload: dict[str, Any], verb: str) -> Answer:
        """Answer within the budget of a training, where there is one; what a person did not ask for waits."""
        owner = session.current()
        if not owner.active:
            with self._lock:
                return handler(payload)
        wait = owner.budget.wait() if verb in ("poll", "still") else 0.0
        if verb == "still":  # the notebook has one, at first that of its cell; who looks on comes first
            wait = max(wait, self._kept + STILL_EVERY - time.monotonic())
        if wait > 0:
            return Answer({"changed": False, "token": payload.get("token"), "wait": wait})
        if verb == "still":
            self._kept = time.monotonic()
        with self._lock, owner.budget.spending(beside=True):
            return handler(payload)

    def _handler(self, protocol: object, verb: object) -> Callable[[dict[str, Any]], Answer]:
        if protocol != PROTOCOL:
            raise ValueError(f"the page speaks protocol {protocol!r} and this kernel {PROTOCOL}; run the cell again")
        handler = self._verbs.get(verb) if isinstance(verb, str) else None
        if handler is None:
            raise ValueError(f"a widget cannot be asked {verb!r}; it answers {', '.join(sorted(self._verbs))}")
        return handler

    def _receive(self, widget: Any, message: object, _buffers: object) -> None:
        content, buffers = self.answer(message)
        widget.send(content, buffers)


class Widget:
    """What stands in the output of a cell: a live view where somebody listens, and the saved form beside it.

    Parameters
    ----------
    view
        Name of the view in ``labextension/src/widgets``.
    live
        True attaches a live widget to the output, False only saves what is there now. By default a widget is
        attached where a person's front end is listening.
    """

    place: tuple[str, str] = ("", "")

    def __init__(self, view: str, *, live: bool | None = None) -> None:
        self._view = view
        self._live = live
        self._channel: Channel | None = None

    def refresh(self) -> None:
        """Tell every view of this widget to look for changes now."""
        if self._channel is not None:
            self._channel.push("changed")

    def close(self) -> None:
        """End the live widget; what is on the screen stays."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def news(self) -> None:
        """Send what is new to views that cannot ask, since a cell is running; called while runs are recorded."""

    def saved(self) -> dict[str, Any]:
        """Return what stays readable without a kernel, by MIME type: the snapshot, plain HTML, text."""
        raise NotImplementedError

    def _verbs(self) -> dict[str, Callable[[dict[str, Any]], Answer]]:
        """Return what the browser may ask, by name."""
        raise NotImplementedError

    def _still(self) -> dict[str, Any]:
        bundle = self.saved()
        bundle["text/plain"] = "\n".join(map(one_line, bundle["text/plain"].split("\n")))  # no name steers a terminal
        return bundle

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:  # noqa: ARG002
        bundle = self._still()
        channel = self._attached()
        if channel is not None:
            bundle[LIVE_MIME] = {"version_major": 2, "version_minor": 0, "model_id": channel.model_id}
        return bundle

    def _display_(self) -> Any:
        """Return what marimo shows, which asks for an object of its own kind and not for a bundle."""
        channel = self._attached()
        if channel is not None:
            return channel.widget
        from IPython.display import HTML

        return HTML(self.saved()["text/html"])

    def _attached(self) -> Channel | None:
        """Return the channel of the live widget, where there is to be one."""
        if self._channel is None and (is_live_host() and is_built() if self._live is None else self._live):
            still = {"still": lambda _asked: Answer({"still": self._still()})}
            self._channel = Channel(self._view, {**self._verbs(), **still})
        return self._channel


@functools.cache
def _assets() -> dict[str, str]:
    if not is_built():
        raise RuntimeError("the front end of ModelLab is not built in this checkout; run: pip install .")
    found: dict[str, str] = json.loads((STATIC / "assets.json").read_text("utf-8"))
    return found


def _asset(payload: dict[str, Any]) -> Answer:
    """Hand out a shared file of the front end, for pages that have no extension to take it from."""
    name = payload.get("name")
    if name not in ("views", "plotly"):
        raise ValueError(f"there is no shared file {name!r}; there are 'views' and 'plotly'")
    if payload.get("hash") != _assets()[name]:
        raise ValueError("this page was made by another version of modellab-jupyter; run the cell again")
    return Answer({"name": name}, [(STATIC / f"{name}.js.gz").read_bytes()])


@functools.cache
def _widget_class() -> Any:
    import anywidget
    import traitlets

    _assets()

    class ModelLabWidget(anywidget.AnyWidget):
        """The few KB that travel with each widget; views and Plotly are shared by the page."""

        _esm = (STATIC / "stub.js").read_text("utf-8")
        view = traitlets.Unicode().tag(sync=True)
        protocol = traitlets.Int().tag(sync=True)

    return ModelLabWidget
