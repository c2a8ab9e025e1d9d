"""Progress of long work: one line that is gone when the work is done; nothing where nobody looks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from modellab_jupyter.config import in_kernel

APPEARS_AFTER = 0.5  # seconds; what is done sooner shows nothing
EVERY = 0.5  # seconds


class Step(Protocol):
    """Says what comes next and how much of the total is done by now."""

    def __call__(self, doing: str, done: float = 1) -> None:
        """Name what is being done from now on; `done` of the total were done before it."""


@contextmanager
def steps(title: str, total: float | None = None, *, unit: str = "step") -> Iterator[Step]:
    """Show on one line how far a piece of work is, as text, so that no dead widget is left in a saved notebook.

    Parameters
    ----------
    title : str
        What the whole is.
    total : float, optional
        How many units there are; without it, the line says what is being done and for how long.
    unit : str
        What is counted; ``"B"`` for bytes.
    """
    stream = sys.stdout if in_kernel() else sys.stderr
    if not (in_kernel() or stream.isatty()):
        yield lambda doing, done=1: None  # noqa: ARG005 - as a Step is called
        return
    from tqdm.std import tqdm

    over, seen = threading.Event(), threading.Event()
    with tqdm(
        total=total, desc=title, file=stream, delay=sys.maxsize, leave=False, unit=unit, unit_scale=unit == "B",
        dynamic_ncols=True,
    ) as shown:  # fmt: skip

        def show() -> None:  # a thread: one long step must not stand still
            while not over.wait(EVERY if seen.is_set() else APPEARS_AFTER):
                seen.set()
                shown.refresh()

        begun = False

        def step(doing: str, done: float = 1) -> None:
            nonlocal begun
            shown.set_postfix_str(doing, refresh=False)
            if begun:
                shown.update(done)
            begun = True

        clock = threading.Thread(target=show, name="modellab-progress", daemon=True)
        clock.start()
        try:
            yield step
        finally:
            over.set()
            clock.join()
            if seen.is_set():
                shown.clear()
