"""Executed cells of this kernel, told to whoever listens; nothing where there is no IPython."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from modellab_jupyter import schema

if TYPE_CHECKING:
    from IPython.core.interactiveshell import ExecutionResult, InteractiveShell


def shell() -> InteractiveShell | None:
    """Return the running IPython, None in plain Python; IPython is not imported for the question."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


class Recorder:
    """Turns what a kernel executes into `CellExecuted` events, each cell once.

    Parameters
    ----------
    write : callable
        Takes each event; called after each cell.
    """

    def __init__(self, write: Callable[[schema.CellExecuted], None]) -> None:
        self.session_id = schema.new_id("session")
        self.position = 0
        self._write = write
        self._shell: InteractiveShell | None = None
        self._began: float | None = None
        self._newest: tuple[int, str] | None = None  # the last cell at the start, which most often still runs

    def start(self) -> bool:
        """Listen from now on; cells that ran before are told from IPython's history. False in plain Python."""
        ip = shell()
        if ip is None or self._shell is ip:
            return ip is not None
        self._shell = ip
        ip.events.register("pre_run_cell", self._before)
        ip.events.register("post_run_cell", self._after)
        manager: Any = ip.history_manager
        earlier = list(manager.input_hist_raw) if manager is not None else []
        told = [(count, source) for count, source in enumerate(earlier) if count and source.strip()]
        for count, source in told[:-1]:
            self._tell(source, "unknown", count=count)
        self._newest = told[-1] if told else None
        return True

    def stop(self) -> None:
        """Stop listening."""
        if self._shell is not None:
            for event, callback in (("pre_run_cell", self._before), ("post_run_cell", self._after)):
                if callback in self._shell.events.callbacks[event]:
                    self._shell.events.unregister(event, callback)
            self._shell = None

    def _before(self, _info: Any) -> None:
        self._began = time.perf_counter()

    def _after(self, result: ExecutionResult) -> None:
        info = result.info
        if info is None or not info.raw_cell.strip() or not info.store_history:
            return
        if self._newest is not None and self._newest[0] != result.execution_count:
            self._tell(self._newest[1], "unknown", count=self._newest[0])
        self._newest = None
        error = result.error_in_exec or result.error_before_exec
        outcome: Literal["ok", "error", "interrupted"] = (
            "ok" if error is None else "interrupted" if isinstance(error, KeyboardInterrupt) else "error"
        )
        duration = None if self._began is None else time.perf_counter() - self._began
        self._began = None
        self._tell(
            info.raw_cell,
            outcome,
            count=result.execution_count,
            cell_id=getattr(info, "cell_id", None),
            duration=duration,
            error=None if error is None else f"{type(error).__name__}: {error}",
        )

    def _tell(
        self,
        source: str,
        outcome: Literal["ok", "error", "interrupted", "unknown"],
        *,
        count: int | None,
        cell_id: str | None = None,
        duration: float | None = None,
        error: str | None = None,
    ) -> None:
        event = schema.CellExecuted(
            time=time.time_ns(), session_id=self.session_id, position=self.position, source=source, outcome=outcome,
            cell_id=cell_id, execution_count=count, duration=duration, error=error,
        )  # fmt: skip
        self.position += 1
        self._write(event)
