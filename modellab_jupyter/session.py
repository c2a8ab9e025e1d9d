"""The composition root: settings, store, journal, the runs that are active. The only mutable global."""

from __future__ import annotations

import atexit
import logging
import math
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from modellab_jupyter import config, schema
from modellab_jupyter.cells import Recorder
from modellab_jupyter.errors import (
    InputError,
    ModelLabError,
    NoActiveRunError,
    StoreBusyError,
    StoreError,
    StoreUnreadableError,
    shown,
    tell,
)
from modellab_jupyter.journal import Journal
from modellab_jupyter.randomness import Randomness
from modellab_jupyter.reads import Reads, slip

if TYPE_CHECKING:
    from modellab_jupyter.store import Store
    from modellab_jupyter.tracking import Run

_log = logging.getLogger("modellab_jupyter")
BEAT_EVERY = 15.0  # seconds
SHARE_EVERY = 20.0  # seconds after which what was logged goes to a shared store: two may fail before it is stale
SHARE_SOON = 2.0  # seconds until it does so for the first time
SHARE_WAIT = 5.0  # seconds that it waits for other writers then
FINISH_WAIT = 30.0  # seconds that the end of the process waits for it
GIVE_UP = 1.5  # seconds after the end of a run or the process from which on nothing more is found out of it
READS_WAIT = 2.0  # seconds that the end of the process waits for what was found out until then
CAPTURED = 32 << 20  # bytes of what cells did that are kept while no run is active
END_WAIT = 0.15  # seconds that the end of a run waits for a store held by another program
SUBMIT_WAIT = 1.0  # seconds that a change waits for it
HELD_FOR = 10.0  # seconds that a store may be held before the end of a run says so: others take their turn, too
SHOW_EVERY = 1.0  # seconds, at least, from one showing to the next while runs are being recorded
FAILURES = 3  # after which a view is told nothing any more
SHARE = 0.01  # of the time of a training: what answers to views may take; messages and DuckDB's threads take the rest
_OWN = [os.path.join(Path(__file__).parent, ""), os.path.join(Path(__file__).parents[1], "evalharness", "")]  # noqa: PTH118
_Captured = schema.CellExecuted | schema.RandomSeen | schema.EntropyDrawn | schema.FilesRead


class Watcher(Protocol):
    """Something on the screen that shows runs while they are being recorded."""

    place: tuple[str, str]  # what it shows in which cell, empty where nobody knows; and the execution that made it

    def news(self) -> None:
        """Show what is new."""

    def refresh(self) -> None:
        """Look for what is new when there is time."""

    def close(self) -> None:
        """Show nothing any more: another has its place."""


class Budget:
    """How much of the time of a training goes to showing it: at most a fiftieth, of which `SHARE` can be counted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._due = 0  # nanoseconds since 1970, from which on something may be shown again

    def wait(self) -> float:
        """Return the seconds until something may be shown again without being asked for."""
        return max(0, self._due - time.time_ns()) / 1e9

    @contextmanager
    def spending(self, *, beside: bool) -> Iterator[None]:
        """Count the time of a block.

        Parameters
        ----------
        beside : bool
            Whether it runs on a thread of its own, whose waiting costs a training nothing.
        """
        began, worked = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            taken = time.perf_counter() - began
            if beside:  # DuckDB's threads add a third to the work of this one
                taken = min(taken, 1.5 * (time.thread_time() - worked))
            with self._lock:
                self._due = max(self._due, time.time_ns()) + int(1e9 * taken / SHARE)


class Session:
    """What one process logs with.

    Parameters
    ----------
    settings : Settings
        Where to.
    """

    def __init__(self, settings: config.Settings) -> None:
        self.settings = settings
        self.chosen: dict[str, Any] = {}  # what somebody chose, by the argument of `configure`
        self.journal = Journal(settings.files / "journal")
        self.recorder = recorder = Recorder(self._cell, self._begin)
        self.randomness = Randomness(recorder.session_id, lambda: recorder.now, self.capture)
        self.reads = Reads(
            recorder.session_id, lambda: recorder.now, self.capture, [*self._places(), *_OWN, *config.caches()]
        )
        self.active: list[Run] = []
        self.budget = Budget()
        self.looks: dict[str, dict[str, Any]] = {}  # how somebody looked at what, by the widget's own key
        # How often each failed, and when it was last served.
        self._watchers: weakref.WeakKeyDictionary[Watcher, tuple[int, int]] = weakref.WeakKeyDictionary()
        self._watching = threading.Lock()
        self._show_due: float = math.inf  # nanoseconds since 1970; there is nobody to show anything to
        self._projects: dict[str, str] = {}  # name -> the id that this process proposes for it
        self._captured: list[_Captured] = []  # told while no run was active
        self._captured_size = 0
        self._capturing = threading.Lock()
        self._last_cell = -1  # the cell in which the last run ended; it is told after the run's end
        self._unsettled = False  # something was told of a run after it had ended
        self._late: list[threading.Thread] = []  # that still find out what ended runs stood on
        self._store: Store | None = None
        self._beating: list[threading.Thread] = []  # the last one, and those before it that are about to end
        self._stop = threading.Event()
        self._told_disk = False
        self._told_lost = False
        self._handled: list[signal.Signals] = []  # signals whose default, the end of the process, waits for us
        self._told_store = False
        self._behind: float | None = None  # since when the store could not be reached
        self._ends_in = 0  # the process whose end by multiprocessing ends our runs

    @property
    def store(self) -> Store:
        """The door to what was saved; DuckDB is imported when it is opened."""
        if self._store is None:
            from modellab_jupyter.store.shared import open_store

            self._store = open_store(self.settings)
        return self._store

    @property
    def run(self) -> Run:
        """The innermost active run."""
        if not self.active:
            raise NoActiveRunError("no run is active; start one with ml.start_run(name=...) or %modellab start.")
        return self.active[-1]

    def project(self, ref: str | None) -> str:
        """Return the id of a project given by id or name, or None for the default; a new name gets a new id.

        Raises
        ------
        NotFoundError
            It is an id (``proj_…``) that the store does not have.
        """
        ref = self.settings.project if ref is None else ref
        if not isinstance(ref, str) or not ref.strip():
            raise InputError(f"project_id must be the id or the name of a project, found {shown(ref)}.")
        ref = str.__str__(ref)
        if ref.startswith("proj_"):
            return self.store.resolve("project", ref)
        if ref not in self._projects:
            self._projects[ref] = schema.new_id("project")
        return self._projects[ref]

    def known(self, project_id: str) -> str | None:
        """Return the id under which the store has a project that this process knows by `project_id`, or None."""
        from modellab_jupyter.store import queries

        names = [name for name, proposed in self._projects.items() if proposed == project_id]
        found = self.store.read(
            queries.rows,
            """SELECT project_id FROM projects WHERE deleted_at IS NULL AND (project_id = $id
              OR project_id = (SELECT id FROM aliases WHERE proposed = $id) OR list_contains($names::VARCHAR[], name))
            ORDER BY project_id = $id DESC, project_id""",
            {"id": project_id, "names": names},
        )
        return str(found[0]["project_id"]) if found else None

    def forget_projects(self) -> None:
        """Look names of projects up afresh: one was renamed, went to the trash or came back."""
        self._projects.clear()

    def use_project(self, name: str) -> None:
        """Make a project the default for runs that name none."""
        self.settings = replace(self.settings, project=name)
        self.chosen["project"] = name

    def introduce(self, project_id: str) -> list[schema.Event]:
        """Return the event that makes a project which this process knows by name only."""
        names = [name for name, known in self._projects.items() if known == project_id]
        return [schema.ProjectAdded(time=time.time_ns(), project_id=project_id, name=name) for name in names]

    def watch(self, watcher: Watcher) -> None:
        """Tell a watcher now and then that runs of this process logged something, within the budget.

        One that an earlier execution of the same cell made for the same is closed: nobody sees it any more.
        """
        with self._watching:
            place, execution = watcher.place
            gone = [one for one in self._watchers if place and one.place[0] == place and one.place[1] != execution]
            for one in gone:
                del self._watchers[one]
            self._watchers[watcher] = 0, 0
        for one in gone:
            one.close()
        self._show_due = 0

    def unwatch(self) -> None:
        """Show nothing any more: in a forked child the screen is its parent's."""
        self._watching = threading.Lock()
        self._watchers = weakref.WeakKeyDictionary()
        self._show_due = math.inf
        self.budget = Budget()

    def _show(self) -> None:
        self._show_due = time.time_ns() + int(1e9 * SHOW_EVERY)
        with self._watching:
            watchers = sorted(self._watchers.items(), key=lambda one: one[1][1])  # who waited longest comes first
        for watcher, (failed, _) in watchers:
            if self.budget.wait():
                return
            with self._watching:
                if watcher in self._watchers:
                    self._watchers[watcher] = failed, time.time_ns()
            try:
                with self.budget.spending(beside=False):
                    watcher.news()
            except Exception:  # noqa: BLE001 the boundary: nothing that is shown stops a training
                _log.exception("a live view could not be brought up to date")
                with self._watching:
                    self._watchers[watcher] = failed + 1, time.time_ns()
                    if failed + 1 == FAILURES:
                        del self._watchers[watcher]

    def record(self, event: schema.Event) -> None:
        """Give an event to the journal; where the disk refuses, keep it, say so once, and go on."""
        try:
            self.journal.append(event)
        except OSError as error:
            if not self._told_disk:
                self._told_disk = True
                tell(
                    f"ModelLab cannot write to {self.journal.folder} ({error.strerror or error}); what is logged is "
                    "kept in memory and written as soon as the disk takes it.",
                    stacklevel=4,
                )
        if event.time > self._show_due:
            self._show()

    def lose(self, run: Run, what: str, error: Exception) -> None:
        """Count something that a run could not keep, say so once, and let the training go on."""
        run.lost += 1
        if not self._told_lost:
            self._told_lost = True
            said = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0]
            tell(
                f"ModelLab could not keep {what} of run {run.name!r} ({said}); the run goes on and is marked as "
                "incomplete. Free space or mend the folder, then log it again.",
                stacklevel=4,
            )

    def ready(self) -> None:
        """Make sure that something can be written at all.

        Raises
        ------
        StoreError
            It cannot, with the reason.
        """
        try:
            self.journal.ready()
        except OSError as error:
            raise StoreError(
                f"nothing can be recorded in {self.journal.folder} ({error.strerror or error}); "
                "choose another store with ml.configure(store=...) or %modellab init."
            ) from error

    def submit(self, event: schema.Event) -> None:
        """Record a change and make it visible at once, also where another program holds the store.

        Raises
        ------
        StoreError
            The change could not be written, or is in the journal and the store cannot take it.
        """
        self.ready()
        self.journal.append(event)
        self.settle(wait=None)

    def settle(self, *, wait: float | None = END_WAIT) -> bool:
        """Take the journals into the store, or leave them for later where another program holds it.

        Without a `wait` in seconds, a store that cannot be used at all is an error.
        """
        try:
            if not self.active:
                self.journal.close()
            self.store.ingest(wait=SUBMIT_WAIT if wait is None else wait)
        except (ModelLabError, OSError) as error:
            if wait is None and not isinstance(error, StoreBusyError):
                raise
            self._behind = self._behind or time.monotonic()
            if isinstance(error, OSError):
                told, self._told_disk = self._told_disk, True
            elif isinstance(error, StoreBusyError) and time.monotonic() - self._behind < HELD_FOR:
                told = True
            else:
                told, self._told_store = self._told_store, True
            if not told:
                kept = (
                    "What is logged is kept in its journals."
                    if isinstance(error, StoreUnreadableError)
                    else "Nothing is lost."
                )
                tell(f"{error} {kept}", stacklevel=4)
            return False
        self._behind, self._told_store, self._unsettled = None, False, False
        return True

    def warm(self) -> None:
        """Load what the end of a run needs, in a thread; no fork meanwhile, whose child would miss that thread."""
        with _Guard.imports:
            import numpy as np  # noqa: F401
            import pyarrow as pa  # noqa: F401

            self.store.warm()

    def enter(self, run: Run) -> None:
        """Make a run the innermost one and keep its heartbeat."""
        self.active.append(run)
        self._watch()
        self._finalize()
        with self._capturing:
            captured, self._captured, self._captured_size = self._captured, [], 0
        for event in captured:
            self.record(event)
        self._beating = [thread for thread in self._beating if thread.is_alive()]
        if self._stop.is_set() or not self._beating:
            self._stop = threading.Event()  # one for each thread: one that is ending cannot be taken for another
            beat = threading.Thread(target=self._beats, args=(self._stop,), name="modellab-heartbeat", daemon=True)
            self._beating.append(beat)
            beat.start()

    def leave(self, run: Run) -> None:
        """Take a run off the active ones."""
        if run in self.active:
            self.active.remove(run)
        self._last_cell = self.recorder.now
        with self._watching:
            watchers = list(self._watchers)
        for watcher in watchers:
            try:
                watcher.refresh()
            except Exception:  # noqa: BLE001 the boundary: a screen that is gone ends no run
                _log.exception("a live view could not be told that a run ended")
        if not self.active:
            self._stop.set()
            self._unwatch()

    def _finalize(self) -> None:
        """Have a worker of multiprocessing end its runs: it leaves by ``os._exit``, past atexit."""
        if not _is_worker() or self._ends_in == os.getpid():
            return
        from multiprocessing.util import Finalize

        self._ends_in = os.getpid()
        Finalize(None, _at_exit, exitpriority=10)

    def _watch(self) -> None:
        """Have signals that end the process by default end its runs first; a handler of the user's stays alone."""
        if threading.current_thread() is not threading.main_thread() or self._handled:
            return
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._terminated)
                self._handled.append(number)

    def _unwatch(self) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in self._handled:
                if signal.getsignal(number) == self._terminated:  # else somebody has taken it over
                    signal.signal(number, signal.SIG_DFL)
            self._handled.clear()

    def _terminated(self, number: int, frame: object) -> None:  # noqa: ARG002 - as signal calls it
        """Write down that the runs end, nothing that could take time, and end the process as the signal would have."""
        try:
            with self.journal.alone(1.0) as free:
                if free:
                    for run in reversed(self.active[:]):
                        run.cut(f"the process was ended by {signal.Signals(number).name}")
                    self.journal.close()
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    def listen(self, moment: Literal["load", "run"]) -> None:
        """Record from now on what cells run, draw and read; a second call records the random states alone."""
        self.recorder.start()
        self.reads.start()
        self.randomness.start()
        self.randomness.note(moment)

    def _places(self) -> list[str]:
        """Return the beginnings of the paths of what is kept here."""
        return [str(self.settings.store), os.path.join(self.settings.files, "")]  # noqa: PTH118

    def take_over(self, other: Session) -> None:
        """Go on listening where another session did; what it had captured for no run yet is for runs of this one."""
        if not other.recorder.is_listening:
            return
        if other._last_cell >= 0:  # the cells so far are in its store, not in this one
            other.mute()
            self.listen("load")
            return
        self.recorder, other.recorder = other.recorder, self.recorder
        self.randomness, other.randomness = other.randomness, self.randomness
        self.reads, other.reads = other.reads, self.reads
        self.recorder.write, self.recorder.begin = self._cell, self._begin
        self.randomness.write = self.reads.write = self.capture
        self.reads.ignore(self._places())
        with other._capturing:
            captured, other._captured, other._captured_size = other._captured, [], 0
        self._captured = captured + self._captured
        self._captured_size = sum(map(_size, self._captured))

    def mute(self) -> None:
        """Take back what `listen` did."""
        self.recorder.stop()
        self.randomness.stop()
        self.reads.stop()

    def capture(self, event: _Captured) -> None:
        """Keep what a cell did for the next run, or write it where it belongs to one."""
        with self._capturing:
            if not self.active and event.position > self._last_cell:
                self._captured.append(event)
                self._captured_size += _size(event)
                if self._captured_size > CAPTURED:
                    self._forget()
                return
        self.late(event)

    def _forget(self) -> None:
        """Leave out the oldest cells with all that they did, down to three quarters of what may be kept."""
        sizes: dict[int, int] = {}
        for event in self._captured:
            sizes[event.position] = sizes.get(event.position, 0) + _size(event)
        first = min(sizes)
        for position in sorted(sizes)[:-1]:
            if self._captured_size <= 0.75 * CAPTURED:
                break
            self._captured_size -= sizes[position]
            first = position + 1
        self._captured = [one for one in self._captured if one.position >= first or isinstance(one, schema.RandomSeen)]
        self._captured_size = sum(map(_size, self._captured))

    def late(self, event: schema.Event) -> None:
        """Record what was found out about a run that may have ended meanwhile."""
        self.record(event)
        if not self.active:
            self._unsettled = True
            with suppress(OSError):
                self.journal.close()

    def finding(self, thread: threading.Thread) -> None:
        """Remember a thread that finds out what a run stands on."""
        self._late = [one for one in self._late if one.is_alive()] + [thread]

    def over(self, seconds: float) -> None:
        """Record what a run that ends drew and imported, and what it read as far as `seconds` suffice."""
        self.randomness.flush()
        self.reads.modules()
        self.reads.settle(seconds, GIVE_UP)
        error = slip()
        if error is not None:
            _log.error("files that were read may be missing from what is recorded of this run", exc_info=error)

    def found(self, seconds: float = FINISH_WAIT) -> None:
        """Wait until all that this process captured so far is recorded."""
        self.randomness.flush()
        self.reads.settle(seconds)
        for thread in self._late:
            thread.join(seconds)

    def _begin(self) -> None:
        self.reads.begin()

    def _cell(self, cell: schema.CellExecuted) -> None:
        """Record a cell that is over, and what it drew."""
        self.randomness.flush()
        self.capture(cell)
        self.reads.over(cell.source, cell.position, idle=cell.parent is None)

    def _beats(self, stop: threading.Event) -> None:
        """Say that the runs of this process are alive, in the journal and so in a store that others share."""
        shared = self.settings.shared is not None
        pause = SHARE_SOON if shared else BEAT_EVERY
        while not stop.wait(pause):
            pause = SHARE_EVERY if shared else BEAT_EVERY
            self.reads.look()
            for run in [run for run in self.active if run.is_own]:
                with suppress(OSError):  # kept in memory; the next log call says it, in the user's own thread
                    self.journal.append(schema.Beat(time=time.time_ns(), run_id=run.id))
            if shared:
                with suppress(Exception):  # nothing may end the heartbeat; it tries again, and the run's end says it
                    self.warm()
                    self.store.ingest(wait=SHARE_WAIT)

    def finish(self) -> None:
        """End what is still active at the end of the process, as it ended."""
        for run in reversed(self.active[:]):  # in a forked child those of its parent stay as they are
            run.end(_ending())
        until = time.monotonic() + READS_WAIT
        self.mute()
        self.reads.settle(READS_WAIT, GIVE_UP)
        for thread in self._late:
            thread.join(max(0.0, until - time.monotonic()))
        if self._unsettled and self.settings.shared is not None:  # others would see it when this machine comes again
            self.settle(wait=SHARE_WAIT)
        self._stop.set()
        for thread in self._beating:  # cut off in DuckDB's C++, it would take the process down with it
            thread.join(FINISH_WAIT)
        try:
            self.journal.flush()
            self.journal.close()
        except OSError as error:
            if self.journal.waiting:
                tell(
                    f"ModelLab could not write {self.journal.waiting} records to {self.journal.folder} "
                    f"({error.strerror or error}); they are lost with this process.",
                    stacklevel=2,
                )


def _size(event: _Captured) -> int:
    """Return about how many bytes an event takes in memory."""
    match event:
        case schema.CellExecuted():
            return 300 + len(event.source) + len(event.error or "")
        case schema.EntropyDrawn():
            return 300 + sum(60 + len(value) for value in event.values)
        case schema.FilesRead():
            return 300 + sum(400 + len(one.path) for one in event.files)
    return 8_000  # the words of both generators


def _ending() -> schema.Status:
    """Return how a process that ends with open runs ended them."""
    last: Any = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None) or sys.exc_info()[1]
    if sys.modules.get("ipykernel.kernelapp") is not None or isinstance(last, KeyboardInterrupt):
        return "interrupted"
    if last is not None and not (isinstance(last, SystemExit) and not last.code):
        return "failed"
    return "interrupted" if _is_worker() else "finished"  # Python 3.13 on tells no worker how its work ended


def _is_worker() -> bool:
    """Tell whether multiprocessing started this process."""
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None


_session: Session | None = None


class _Guard:
    """Who holds its lock may look at the session of this process and replace it."""

    lock = threading.RLock()
    imports = threading.Lock()  # who holds it imports in a thread, which a forked child must not inherit half done


def _after_fork() -> None:
    """Give a forked child locks that nobody holds, and signals that end it: the runs are its parent's."""
    _Guard.lock = threading.RLock()
    if _session is not None:
        _session._stop = threading.Event()  # noqa: SLF001 - the same module
        _session._capturing = threading.Lock()  # noqa: SLF001 - the same module
        _session.unwatch()
        _session._unwatch()  # noqa: SLF001 - the same module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
    os.register_at_fork(
        before=_Guard.imports.acquire, after_in_parent=_Guard.imports.release, after_in_child=_Guard.imports.release
    )


def current() -> Session:
    """Return the session of this process; made on first use from the environment and the current folder."""
    global _session
    with _Guard.lock:
        if _session is None:
            _session = Session(config.settings())
        return _session


def configure(store: str | os.PathLike[str] | None = None, project: str | None = None) -> config.Settings:
    """Choose the store and the default project of this process.

    Parameters
    ----------
    store : path, optional
        A DuckDB file, ``quack:HOST:PORT``, or ``ducklake:postgres:CONNINFO?data=PATH``.
        Default: the nearest ``modellab.duckdb`` here or above, else ``./modellab.duckdb``.
    project : str, optional
        Name or id of the project for runs that name none.

    One that is given alone leaves the other as it was chosen before; without any, both are the defaults again.

    Returns
    -------
    Settings
        What holds from now on.

    Raises
    ------
    InputError
        `store` is no usable path; or a run is active, which stays where it was started.
    """
    global _session
    with _Guard.lock:
        if _session is not None and _session.active:
            name = _session.run.name
            raise InputError(f"store cannot change while run {name!r} is active; end it first with ml.end_run().")
        given = {name: value for name, value in (("store", store), ("project", project)) if value is not None}
        chosen = (_session.chosen if _session is not None and given else {}) | given
        found = config.settings(chosen.get("store"), chosen.get("project"))
        if "store" in chosen and found.shared is None:
            chosen["store"] = found.store  # absolute: the same also from another folder
        before, _session = _session, Session(found)
        _session.chosen = chosen
        if before is not None:
            _session.take_over(before)
            before.finish()
        return found


def reset() -> None:
    """End everything and forget the session; tests start from here."""
    global _session
    with _Guard.lock:
        if _session is not None:
            _session.finish()
        _session = None


@atexit.register
def _at_exit() -> None:
    if _session is not None:
        _session.finish()
