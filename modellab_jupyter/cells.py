"""Executed cells of this kernel, told to whoever listens; nothing where there is no IPython."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from modellab_jupyter import schema
from modellab_jupyter.errors import shown

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

_Outcome = Literal["ok", "error", "interrupted", "unknown"]
_NEAR = 5  # frames between what IPython calls and the function in which it runs a cell


def shell() -> InteractiveShell | None:
    """Return the running IPython, None in plain Python; IPython is not imported for the question."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def notebook() -> str | None:
    """Return the path of the notebook where its host put it among the user's variables, as VS Code does."""
    ip = shell()
    path = None if ip is None else ip.user_ns.get("__vsc_ipynb_file__")
    return path if isinstance(path, str) and path else None


def plain(source: str) -> str:
    """Return the code of a cell with IPython's own syntax turned into calls of Python's."""
    from IPython.core.inputtransformer2 import TransformerManager

    return str(TransformerManager().transform_cell(source))


@dataclass(eq=False, slots=True)
class _Running:
    """Code that is being run; `info` is IPython's own word on it."""

    info: Any
    position: int
    parent: int | None
    count: int | None
    began: float | None  # None: it had begun before somebody listened

    @property
    def hidden(self) -> bool:
        return bool(self.info.silent or not self.info.store_history)


class Recorder:
    """Turns what a kernel executes into `CellExecuted` events, each once, when it ends.

    Positions count in the order in which executions begin, so that what runs inside a cell comes after it.

    Parameters
    ----------
    write : callable
        Takes each event; called after each cell.
    begin : callable, optional
        Called when something that somebody asked for begins, with what it takes as position.

    Attributes
    ----------
    position : int
        That of the next execution.
    """

    def __init__(self, write: Callable[[schema.CellExecuted], None], begin: Callable[[], None] | None = None) -> None:
        self.session_id = schema.new_id("session")
        self.position = 0
        self.write = write
        self.begin = begin
        self._shell: InteractiveShell | None = None
        self._running: dict[int, list[_Running]] = {}  # by thread, since subshells run beside the main one

    @property
    def now(self) -> int:
        """Position of what runs, or ran last; 0 where nothing ever did."""
        return max(0, self.position - 1)

    @property
    def first(self) -> int:
        """Position of the cell that runs here, else that of the next one."""
        here = self._running.get(threading.get_ident())
        return here[0].position if here else self.position

    @property
    def is_listening(self) -> bool:
        """Whether IPython tells it what runs."""
        return self._shell is not None

    def start(self) -> bool:
        """Listen from now on; cells that ran before are told from IPython's history. False in plain Python."""
        ip = shell()
        if ip is None or self._shell is ip:
            return ip is not None
        self._shell = ip
        ip.events.register("pre_execute", self._before)
        ip.events.register("post_execute", self._after_silent)
        ip.events.register("post_run_cell", self._after)
        runs = list(_cells_around(sys._getframe(1)))[::-1]  # noqa: SLF001 - the only way to what runs already
        manager: Any = ip.history_manager
        earlier = list(manager.input_hist_raw) if manager is not None else []
        told = [(count, source) for count, source in enumerate(earlier) if count and source.strip()]
        if told and any(info.store_history and not info.silent for info, _ in runs):
            told.pop()  # it is the one that runs
        for count, source in told:
            self._tell(source, "unknown", position=self._next(), count=count)
        for info, number in runs:
            self._push(info, number, None)
        return True

    def stop(self) -> None:
        """Stop listening."""
        if self._shell is not None:
            for event, callback in (
                ("pre_execute", self._before),
                ("post_execute", self._after_silent),
                ("post_run_cell", self._after),
            ):
                if callback in self._shell.events.callbacks[event]:
                    self._shell.events.unregister(event, callback)
            self._shell = None
            self._running.clear()

    def _next(self) -> int:
        self.position += 1
        return self.position - 1

    def _push(self, info: Any, count: int | None, began: float | None) -> None:
        here = self._running.setdefault(threading.get_ident(), [])
        parent = here[-1].position if here else None
        here.append(_Running(info, self._next(), parent, count, began))

    def _before(self) -> None:
        frame = _near(sys._getframe(1))  # noqa: SLF001 - IPython tells nobody else what it runs silently
        if frame is None:
            return
        here = self._running.get(threading.get_ident())
        if here:  # is it inside that, or did that end without a word?
            around = {id(info) for info, _ in _cells_around(frame.f_back)}
            while here and id(here[-1].info) not in around:
                self._end(here.pop(), "unknown", None)
        names = frame.f_locals
        result = names.get("result")
        if not here and self.begin is not None:
            self.begin()
        self._push(names["info"], getattr(result, "execution_count", None), time.perf_counter())

    def _after_silent(self) -> None:
        here = self._running.get(threading.get_ident())
        if not here or not here[-1].info.silent or self._shell is None:
            return
        result = self._shell.last_execution_result
        known = result is not None and result.info is here[-1].info
        self._end(here.pop(), *(_outcome(result) if known else ("unknown", None)))

    def _after(self, result: ExecutionResult) -> None:
        here = self._running.get(threading.get_ident(), [])
        info = result.info
        same = [i for i, one in enumerate(here) if one.info is info] or [
            i for i, one in enumerate(here) if info is not None and one.info.raw_cell == info.raw_cell
        ]  # the second where IPython failed itself and made another
        if not same:
            return
        while len(here) > same[-1] + 1:
            self._end(here.pop(), "unknown", None)
        self._end(here.pop(), *_outcome(result))

    def _end(self, ran: _Running, outcome: _Outcome, error: str | None) -> None:
        self._tell(
            ran.info.raw_cell,
            outcome,
            position=ran.position,
            count=None if ran.hidden else ran.count,
            cell_id=getattr(ran.info, "cell_id", None),
            duration=None if ran.began is None else time.perf_counter() - ran.began,
            error=error,
            parent=ran.parent,
            hidden=ran.hidden,
        )

    def _tell(
        self,
        source: str,
        outcome: _Outcome,
        *,
        position: int,
        count: int | None,
        cell_id: str | None = None,
        duration: float | None = None,
        error: str | None = None,
        parent: int | None = None,
        hidden: bool = False,
    ) -> None:
        self.write(
            schema.CellExecuted(
                time=time.time_ns(), session_id=self.session_id, position=position, source=source, outcome=outcome,
                cell_id=cell_id, execution_count=count, duration=duration, error=error, parent=parent, hidden=hidden,
            )
        )  # fmt: skip


def _outcome(result: Any) -> tuple[_Outcome, str | None]:
    error = result.error_in_exec or result.error_before_exec
    if error is None:
        return "ok", None
    return "interrupted" if isinstance(
        error, KeyboardInterrupt
    ) else "error", f"{type(error).__name__}: {shown(error, sys.maxsize, str)}"


def _near(frame: FrameType | None) -> FrameType | None:
    """Return the frame, among the nearest, in which IPython runs a cell."""
    for _ in range(_NEAR):
        if frame is None:
            return None
        if frame.f_code.co_name == "run_cell_async" and "info" in frame.f_locals:
            return frame
        frame = frame.f_back
    return None


def _cells_around(frame: FrameType | None) -> Iterator[tuple[Any, int | None]]:
    """Yield what IPython runs around a frame, the innermost first: its word on it, and the execution count."""
    while frame is not None:
        if frame.f_code.co_name == "run_cell_async" and "info" in frame.f_locals:
            yield frame.f_locals["info"], getattr(frame.f_locals.get("result"), "execution_count", None)
        frame = frame.f_back
