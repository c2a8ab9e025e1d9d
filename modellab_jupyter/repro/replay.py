"""Runs a pack's code again in a folder, an environment and a process group of its own, and reads what it logged."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, Final, Self

from modellab_jupyter import config
from modellab_jupyter.blobs import file_digest
from modellab_jupyter.errors import InputError, ModelLabError
from modellab_jupyter.repro.comparing import plain
from modellab_jupyter.repro.unpacked import Cell, Unpacked, Wanted, found_at

RECORDED_VARIABLES: Final = (
    "BLIS_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LANG", "LC_ALL", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "TZ", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""What a pack may set; no other variable of a pack reaches a process, since some decide what code is loaded."""
THREADS: Final = ("MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
LOOK_EVERY: Final = 0.1  # seconds between two looks at the memory of a replay
STARTING: Final = 60.0  # seconds that a kernel may take to start
ENDING: Final = 10.0  # seconds that it may take to end by itself, in which it writes what it logged
CELL_LEAST: Final = 300.0  # seconds that any cell may take
TOTAL_LEAST: Final = 900.0
TIMES: Final = 20.0  # times its recorded duration that a cell, and all of them, may take
_INSTALLERS: Final = ("apt", "apt-get", "conda", "mamba", "micromamba", "pip", "pip3", "pipx", "poetry", "uv")
_DEEP: Final = ("up", "up", "up")  # so that ``../../data`` of a notebook stays within the replay's folder
_DEEP_UP: Final = ("..",) * len(_DEEP)
_UP: Final = re.compile(r"(?<!\.)\.\.(?!\.)|\bparents?\b|\bdirname\b|\bpardir\b")  # code that leaves its folder
_HOME: Final = re.compile(r"~|\bhome\(|\bHOME\b|\bexpanduser\b")


@dataclass(frozen=True)
class Limits:
    """What a replay may take.

    Attributes
    ----------
    total : float or None
        Seconds; None for twenty times what was recorded, and at least a quarter of an hour.
    memory : int or None
        Bytes of all its processes together; None for nine tenths of the machine's.
    """

    total: float | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Place:
    """Where a file that the run read is in a replay.

    Attributes
    ----------
    how : {"pack", "here", "given", "missing"}
        From the pack; at its own path on this machine; named by the caller; nowhere.
    source : str or None
        The file that is used.
    digest : str or None
        Of what is used; compared with what was recorded.
    """

    wanted: Wanted
    how: str
    source: str | None
    digest: str | None

    @property
    def same(self) -> bool:
        """Whether its bytes are those that were read."""
        return self.digest is not None and self.digest == self.wanted.digest

    @property
    def moved(self) -> bool:
        """Whether the sources must name another path."""
        return self.wanted.absolute and self.source is not None and self.source != self.wanted.path


@dataclass(frozen=True)
class Conditions:
    """Everything that a replay depends on; a diagnosis changes one field, or one entry of one field.

    Attributes
    ----------
    cells : tuple of Cell or None
        What to run; None for the script.
    variables : dict
        Of `RECORDED_VARIABLES`.
    frozen : tuple of str
        Of ``"clock"`` and ``"entropy"``: what is held still.
    path : tuple of str
        Folders that modules are looked for in before any other.
    """

    python: str
    cells: tuple[Cell, ...] | None
    places: tuple[Place, ...]
    variables: dict[str, str]
    frozen: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    draws: bool = True


@dataclass(frozen=True)
class Outcome:
    """How one execution ended, then and now."""

    order: int | None
    recorded: str
    found: str
    error: str | None = None
    was: str | None = None
    source: str = ""

    @property
    def agrees(self) -> bool:
        """Whether it ended as it did; one that was interrupted, or whose end nobody saw, may end either way."""
        if self.recorded in {"interrupted", "unknown"}:
            return self.found in {"ok", "error"}
        return self.recorded == self.found and (
            self.recorded == "ok" or not self.was or _kind(self.was) == _kind(self.error)
        )


@dataclass(frozen=True)
class Replayed:
    """What one replay did.

    Attributes
    ----------
    stopped : str or None
        Why it did not come to its end, in one sentence.
    metrics : dict or None
        As in ``metrics.json``; None where no run was found that could be the recorded one.
    missing : list of dict
        Draws of entropy for which nothing was recorded: ``order``, ``source``.
    """

    outcomes: tuple[Outcome, ...]
    metrics: dict[str, dict[str, Any]] | None
    stopped: str | None = None
    missing: tuple[dict[str, Any], ...] = ()
    problems: tuple[str, ...] = ()
    seconds: float = 0.0
    runs: int = 0
    limited: bool = False  # whether it was a limit, and not the code, that stopped it

    @property
    def agrees(self) -> bool:
        """Whether every execution ended as it did."""
        return self.stopped is None and all(outcome.agrees for outcome in self.outcomes)


def _kind(error: str | None) -> str:
    return (error or "").partition(":")[0].strip()


# -- data ----------------------------------------------------------------------------------------------


def find(pack: Unpacked, given: Mapping[str, str | os.PathLike[str]]) -> tuple[Place, ...]:
    """Return where each file that the run read is to be had here.

    Raises
    ------
    InputError
        `given` names a path that the run did not read, or a file that is not there.
    """
    known = {wanted.path for wanted in pack.data}
    for path, here in given.items():
        if path not in known:
            from modellab_jupyter.errors import hint

            raise InputError(f"data must name files that the run read, found {path!r}{hint(path, known)}")
        if not Path(here).is_file():
            raise InputError(f"data gives {os.fspath(here)!r} for {path!r}, where no file is; give the path of a file.")
    return tuple(_find(pack, wanted, given.get(wanted.path)) for wanted in pack.data)


def _find(pack: Unpacked, wanted: Wanted, given: str | os.PathLike[str] | None) -> Place:
    if given is not None:
        here = Path(given).expanduser().absolute()
        return Place(wanted, "given", str(here), file_digest(here))
    member = None if wanted.member is None else pack.folder / wanted.member
    packed = member is not None and member.is_file()
    found = found_at(wanted.path, wanted.size, Path.cwd())
    if found is not None and ((found[1] or "") == wanted.digest or (wanted.absolute and not packed)):
        return Place(wanted, "here", str(found[0]), found[1])
    if member is not None and packed:
        return Place(wanted, "pack", str(member), file_digest(member))
    return Place(wanted, "missing", None, None)


# -- conditions ----------------------------------------------------------------------------------------


def recorded_variables(pack: Unpacked) -> dict[str, str]:
    """Return the variables of a faithful replay: as recorded, threads as many as there were, a hash seed that stays."""
    told = _recorded(pack)
    found = {name: str(told[name]) for name in RECORDED_VARIABLES if told.get(name) is not None}
    pools = _pools(pack)
    if pools is not None and pools != _cores() and not found.keys() & set(THREADS):
        found |= dict.fromkeys(THREADS, str(pools))
    if not found.get("PYTHONHASHSEED", "").isdecimal():
        found["PYTHONHASHSEED"] = "0"
    return found


def recorded_threads(pack: Unpacked) -> int | None:
    """Return how many threads arithmetic had: as a variable or a library said, else as many as there were cores."""
    told = _recorded(pack)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        if str(told.get(name, "")).isdecimal():
            return int(told[name])
    cores = pack.platform.get("usable") or pack.platform.get("cores")
    return _pools(pack) or (cores if type(cores) is int and cores > 0 else None)


def used_threads(variables: Mapping[str, str]) -> int:
    """Return how many threads arithmetic has in a replay with some variables."""
    told = variables.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() else _cores()


def _recorded(pack: Unpacked) -> dict[str, Any]:
    threads, variables = pack.platform.get("threads"), pack.environment.get("variables")
    return {**(threads if isinstance(threads, dict) else {}), **(variables if isinstance(variables, dict) else {})}


def _pools(pack: Unpacked) -> int | None:
    """Return the threads of the largest pool that a library had."""
    pools = pack.platform.get("blas")
    told = [pool.get("num_threads") for pool in pools if isinstance(pool, dict)] if isinstance(pools, list) else []
    return max((count for count in told if type(count) is int and count > 0), default=None)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


# -- one replay ----------------------------------------------------------------------------------------


def run(
    pack: Unpacked, conditions: Conditions, work: Path, limits: Limits, say: Callable[[str], None] | None = None
) -> Replayed:
    """Run a pack's code again in an empty folder and return what happened; nothing that it started is left running.

    Parameters
    ----------
    work : path
        An empty folder; what the replay writes stays in it.
    say : callable, optional
        Told which cell runs.
    """
    began = time.perf_counter()
    places = tuple(_own_copy(place, work / "pack" / str(at)) for at, place in enumerate(conditions.places))
    conditions = replace(conditions, places=places)
    here = _lay_out(pack, conditions, work)
    environment = _variables(conditions, work)
    store = work / "store" / config.STORE_NAME
    store.parent.mkdir()
    cells = _replaced(conditions.cells, conditions.places)
    report = work / "inside" / "report.json"
    _configure(pack, conditions, cells, work, store, report)
    limit = limits.total
    if limit is None:
        told = pack.run.get("duration")
        took = max(sum(cell.duration or 0.0 for cell in cells or ()), told if isinstance(told, int | float) else 0.0)
        limit = max(TOTAL_LEAST, TIMES * took)
    with _Watcher(time.monotonic() + limit, limit, limits.memory) as watcher:
        if cells is None:
            outcomes = _script(pack, conditions, work, here, environment, watcher)
        else:
            outcomes = _notebook(conditions, cells, work, here, environment, watcher, say or (lambda _: None))
    metrics, runs = _results(pack, store)
    noted: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        noted = json.loads(report.read_text("utf-8"))
    return Replayed(
        outcomes=outcomes,
        metrics=metrics,
        stopped=watcher.reason,
        limited=watcher.limited,
        missing=tuple(noted.get("missing") or ()),
        problems=tuple(map(str, noted.get("problems") or ())),
        seconds=time.perf_counter() - began,
        runs=runs,
    )


def _lay_out(pack: Unpacked, conditions: Conditions, work: Path) -> Path:
    """Put code and data where the run had them, relative to the folder that is returned."""
    here = work.joinpath("files", *_DEEP, "here")
    for folder in (here, work / "home", work / "tmp", work / "inside"):
        folder.mkdir(parents=True)
    code = pack.folder / "code"
    modules = code / "modules"
    if modules.is_dir():
        shutil.copytree(
            modules, here, dirs_exist_ok=True, ignore=lambda where, _: ["_outside"] if Path(where) == modules else []
        )
        if (modules / "_outside").is_dir():
            shutil.copytree(modules / "_outside", work / "outside")
    for name in (pack.script, pack.notebook_name):
        if name is not None:
            shutil.copyfile(code / name, here / name)
    for path in (*here.rglob("*.py"), *work.glob("outside/**/*.py")):
        before = path.read_text("utf-8", "surrogateescape")
        after = _moved(before, conditions.places)
        if after != before:
            path.write_text(after, "utf-8", "surrogateescape")
    text = pack.sources
    for place in conditions.places:
        if place.source is None:
            continue
        if not place.wanted.absolute:
            _copy(place.source, here / place.wanted.path)
            continue
        for start, tail in outside(text, place.wanted):
            _copy(place.source, (work / "home" if start == "~" else here.joinpath(start).resolve()) / tail)
    return here


def _own_copy(place: Place, folder: Path) -> Place:
    """Return a file of the pack that code names by its whole path as a copy, since the code may write to it."""
    if place.how != "pack" or not place.wanted.absolute or place.source is None:
        return place
    target = folder / PurePosixPath(place.wanted.path.replace("\\", "/")).name
    _copy(place.source, target)
    return replace(place, source=str(target))


def outside(text: str, wanted: Wanted) -> tuple[tuple[str, str], ...]:
    """Return where code may look for a file that lay outside the run's folder, in words other than its whole path.

    Returns
    -------
    tuple of tuple of str
        Where it starts, ``"~"`` or ``".."`` up to three times, and the path from there. Where the code has the path as
        one text that is all; else, where it goes up or home at all, every place to which a name in it could lead.
    """
    if not wanted.absolute:
        return ()
    parts = wanted.path.replace("\\", "/").strip("/").split("/")
    tails = ["/".join(parts[at:]) for at in range(1, len(parts))]
    ups = ["/".join(_DEEP_UP[:count]) for count in range(1, len(_DEEP) + 1)]
    found = [(start, tail) for tail in tails for start in (*ups, "~") if f"{start}/{tail}" in text]
    if not found and wanted.path not in text and _UP.search(text):
        found += [
            (up, tail) for tail in tails if re.search(rf"\b{re.escape(tail.split('/')[0])}\b", text) for up in ups
        ]
    if _HOME.search(text):
        found += [("~", tail) for tail in (_below_home(wanted.path, parts),) if tail and ("~", tail) not in found]
    return tuple(found)


def _below_home(path: str, parts: list[str]) -> str | None:
    """Return the path of a file from somebody's own folder on, None where it lay in none."""
    with suppress(ValueError, RuntimeError):
        return Path(path).relative_to(Path.home()).as_posix()
    at = next((at for at, part in enumerate(parts[:2]) if part in {"home", "Users"}), None)
    rest = parts[1:] if parts[0] == "root" else parts[at + 2 :] if at is not None else []
    return "/".join(rest) or None


def _copy(source: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copyfile(source, target)


def _moved(text: str, places: tuple[Place, ...]) -> str:
    """Return a source in which each absolute path is the one where the file is now, all at once and as a whole."""
    now = {place.wanted.path: Path(str(place.source)).as_posix() for place in places if place.moved}
    if not now:
        return text
    paths = "|".join(re.escape(path) for path in sorted(now, key=len, reverse=True))
    whole = rf"(?:(?<![\w/.~}}\-])|(?<=file://))(?:{paths})(?![\w/\-]|\.\w)"
    return re.sub(whole, lambda match: now[match[0]], text)


def _replaced(cells: tuple[Cell, ...] | None, places: tuple[Place, ...]) -> tuple[Cell, ...] | None:
    return None if cells is None else tuple(replace(cell, source=_moved(cell.source, places)) for cell in cells)


def _variables(conditions: Conditions, work: Path) -> dict[str, str]:
    """Return all variables that the replay's processes have."""
    found = config.machine()
    scripts = str(Path(conditions.python).parent)
    stubs = [str(_stubs(work / "inside" / "bin"))]
    found["PATH"] = os.pathsep.join([*stubs, scripts, *([found["PATH"]] if found.get("PATH") else [])])
    found |= {
        "HOME": str(work / "home"), "USERPROFILE": str(work / "home"), "TMPDIR": str(work / "tmp"),
        "TEMP": str(work / "tmp"), "TMP": str(work / "tmp"), "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1",
        "MODELLAB_STORE": str(work / "store" / config.STORE_NAME),
    }  # fmt: skip
    return found | {name: value for name, value in conditions.variables.items() if name in RECORDED_VARIABLES}


def _stubs(folder: Path) -> Path:
    """Write commands that stand before those which install: what a cell installs would land in the user's Python."""
    folder.mkdir(parents=True)
    for name in _INSTALLERS:
        path = folder / name
        path.write_text(
            f"#!/bin/sh\necho '{name}: a replay installs nothing; its environment was rebuilt from the lock.'\n"
        )
        path.chmod(0o755)
    return folder


def _configure(
    pack: Unpacked, conditions: Conditions, cells: tuple[Cell, ...] | None, work: Path, store: Path, report: Path
) -> None:
    """Write what `preamble` reads, and the preamble itself."""
    rng = pack.rng
    states, draws = list(rng.get("states") or ()), list(rng.get("draws") or ()) if conditions.draws else []
    if cells is None:  # a script is one execution, whatever its parts were called
        states, draws = ([{**one, "order": 0} for one in several] for several in (states, draws))
    parents = {str(one.order): one.parent for one in pack.executions if one.parent is not None}
    outside = work / "outside"
    told = {
        "orders": [0] if cells is None else [cell.order for cell in cells],
        "parents": parents, "states": states, "draws": draws, "frozen": list(conditions.frozen),
        "epoch": _epoch(pack), "store": str(store), "report": str(report), "root": str(work),
        "path": [*conditions.path, *([str(outside)] if outside.is_dir() else [])],
    }  # fmt: skip
    (work / "inside" / "config.json").write_text(json.dumps(told), "utf-8")
    shutil.copyfile(Path(__file__).with_name("preamble.py"), work / "inside" / "preamble.py")


def _epoch(pack: Unpacked) -> float:
    """Return when the run started, in seconds since 1970."""
    try:
        return datetime.fromisoformat(str(pack.run.get("started_at"))).timestamp()
    except ValueError:
        return 1_600_000_000.0


class _Watcher:
    """Looks at the processes of a replay while it runs, and ends all of them at a limit and at the end."""

    def __init__(self, deadline: float, limit: float, memory: int | None) -> None:
        import psutil

        self.deadline = deadline
        self.limit = limit
        self.memory = int(0.9 * psutil.virtual_memory().total) if memory is None else memory
        self.reason: str | None = None
        self.limited = False
        self._seen: dict[int, Any] = {}
        self._root: int | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, name="modellab-replay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.kill()

    def watch(self, pid: int) -> None:
        """Look at this process and those that it starts."""
        self._root = pid

    def give_up(self, reason: str, *, limited: bool = True) -> None:
        """End everything and keep the first reason."""
        if self.reason is None:
            self.reason, self.limited = reason, limited
        self.kill()

    def remaining(self) -> float:
        """Return the seconds until the limit."""
        return max(0.0, self.deadline - time.monotonic())

    def _family(self) -> list[Any]:
        import psutil

        if self._root is not None:
            with suppress(psutil.Error):
                root = self._seen.setdefault(self._root, psutil.Process(self._root))
                for child in root.children(recursive=True):
                    self._seen.setdefault(child.pid, child)
        return list(self._seen.values())

    def _look(self) -> None:
        import psutil

        while not self._stop.wait(LOOK_EVERY):
            if time.monotonic() > self.deadline:
                self.give_up(f"the replay was ended after its limit of {self.limit:g} s; allow more with timeout=.")
                return
            total = 0
            for process in self._family():
                with suppress(psutil.Error):
                    total += process.memory_info().rss
            if total > self.memory:
                self.give_up(
                    f"the replay was ended since it took {total / 2**30:.2f} GiB of memory, "
                    f"above its limit of {self.memory / 2**30:.2f} GiB; allow more with memory=."
                )
                return

    def kill_group(self) -> None:
        """End the group that the first process leads, also when that one has ended: its number is then still taken."""
        import psutil

        if self._root is None or not hasattr(os, "killpg") or self._root == os.getpgrp():
            return
        first = self._seen.get(self._root)
        if first is not None and not first.is_running() and psutil.pid_exists(self._root):
            return  # the group is empty, and another process has its number
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._root, signal.SIGKILL)

    def kill(self) -> None:
        """End the process group and every process that was ever seen below the first."""
        import psutil

        family = self._family()
        self.kill_group()
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        with suppress(psutil.Error):
            psutil.wait_procs(family, timeout=5)


def _script(
    pack: Unpacked, conditions: Conditions, work: Path, here: Path, environment: dict[str, str], watcher: _Watcher
) -> tuple[Outcome, ...]:
    """Run the script in a group of its own; its last line on stderr says what ended it."""
    recorded = {"failed": "error", "interrupted": "interrupted"}.get(str(pack.run.get("status")), "ok")
    with (work / "inside" / "stdout.txt").open("wb") as out, (work / "inside" / "stderr.txt").open("wb") as err:
        process = subprocess.Popen(
            [conditions.python, str(work / "inside" / "preamble.py"), str(work / "inside" / "config.json"), "script",
             str(here / str(pack.script))],
            cwd=here, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
        )  # fmt: skip
        watcher.watch(process.pid)
        try:
            if hasattr(os, "waitid"):  # its end is seen, and its number not yet free, when its group is ended
                with suppress(ChildProcessError):  # at a limit, the watcher has seen its end already
                    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                watcher.kill_group()
            process.wait()
        except BaseException:
            watcher.kill()
            raise
    said = (work / "inside" / "stderr.txt").read_text("utf-8", "replace").strip().splitlines()
    error = None if process.returncode == 0 else (said[-1][:300] if said else f"exit code {process.returncode}")
    was = pack.run.get("error") if recorded == "error" else None
    return (Outcome(0, recorded, "ok" if error is None else "error", error, was, str(pack.script)),)


def _notebook(
    conditions: Conditions,
    cells: tuple[Cell, ...],
    work: Path,
    here: Path,
    environment: dict[str, str],
    watcher: _Watcher,
    say: Callable[[str], None],
) -> tuple[Outcome, ...]:
    """Run cells in a kernel, on a thread with a loop of its own: the caller may have one that runs."""
    outcomes: list[Outcome] = []
    trouble: list[BaseException] = []

    def work_through() -> None:
        try:
            asyncio.run(_kernel(conditions, cells, work, here, environment, watcher, outcomes, say))
        except BaseException as error:  # noqa: BLE001 - raised again below, on the thread that asked
            trouble.append(error)

    thread = threading.Thread(target=work_through, name="modellab-kernel", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except BaseException:
        watcher.give_up("the replay was interrupted.")
        thread.join(ENDING)
        raise
    if trouble and watcher.reason is None:
        raise trouble[0]
    return tuple(outcomes)


async def _kernel(
    conditions: Conditions,
    cells: tuple[Cell, ...],
    work: Path,
    here: Path,
    environment: dict[str, str],
    watcher: _Watcher,
    outcomes: list[Outcome],
    say: Callable[[str], None],
) -> None:
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    spec = work / "inside" / "kernels" / "replay"
    spec.mkdir(parents=True)
    inside = work / "inside"
    argv = [
        conditions.python,
        str(inside / "preamble.py"),
        str(inside / "config.json"),
        "kernel",
        "-f",
        "{connection_file}",
    ]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "replay", "language": "python"}), "utf-8"
    )
    manager = AsyncKernelManager(
        kernel_name="replay",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(spec.parent)], ensure_native_kernel=False),
        connection_file=str(inside / "connection.json"),
    )
    notebook: Any = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_code_cell(
                cell.source,
                id=cell.cell_id
                if cell.cell_id and [c.cell_id for c in cells].count(cell.cell_id) == 1
                else f"x{place:04}",
                metadata={"tags": ["raises-exception"] if cell.outcome != "ok" else []},
            )
            for place, cell in enumerate(cells)
        ]
    )

    def starts(cell: Any, cell_index: int) -> None:  # noqa: ARG001 - as nbclient calls it
        say(f"cell {cell_index + 1} of {len(cells)}")

    def ended(cell: Any, cell_index: int, execute_reply: Any) -> None:  # noqa: ARG001 - as nbclient calls it
        reply, told = execute_reply["content"], cells[cell_index]
        failed = reply["status"] != "ok"
        error = f"{reply.get('ename')}: {reply.get('evalue')}"[:300] if failed else None
        outcomes.append(Outcome(told.order, told.outcome, "error" if failed else "ok", error, told.error, told.source))

    def at_most(cell: Any) -> int:
        told = next(c for c, other in zip(cells, notebook["cells"], strict=True) if other is cell)
        least = max(CELL_LEAST, TIMES * (told.duration or 0.0))
        return max(1, int(min(least, watcher.remaining() + 5)))

    said = (inside / "kernel.txt").open("wb")
    client: NotebookClient | None = None
    try:
        await manager.start_kernel(env=environment, cwd=str(here), stdout=said, stderr=said)
        watcher.watch(int(manager.provisioner.pid))  # type: ignore[union-attr]
        client = NotebookClient(
            notebook, km=manager, timeout_func=at_most, startup_timeout=int(STARTING), on_cell_execute=starts,
            on_cell_executed=ended, allow_errors=False,
        )  # fmt: skip
        try:
            await client.async_execute()
        except CellExecutionError:
            pass  # `ended` has told it
        except CellTimeoutError:
            watcher.give_up(
                f"cell {len(outcomes) + 1} was ended after {CELL_LEAST:g} s or {TIMES:g} times what it took."
            )
        except (DeadKernelError, RuntimeError) as error:
            told = str(error).strip().partition("\n")[0]
            watcher.give_up(f"the kernel died in cell {len(outcomes) + 1} of {len(cells)} ({told}).", limited=False)
    finally:
        with suppress(Exception):
            if watcher.reason is None:
                await asyncio.wait_for(manager.shutdown_kernel(now=False), ENDING)
        watcher.kill()
        said.close()
        if client is not None:
            atexit.unregister(client._cleanup_kernel)  # noqa: SLF001 - left behind where a kernel did not start
            if client.kc is not None:
                with suppress(Exception):
                    client.kc.stop_channels()
        with suppress(Exception):
            await manager.cleanup_resources()


# -- results -------------------------------------------------------------------------------------------


def _results(pack: Unpacked, path: Path) -> tuple[dict[str, dict[str, Any]] | None, int]:
    """Return the metrics of the run in a fresh store that stands for the recorded one, and how many runs there are.

    It is the one of the same name; of several, the one at the same place among the runs of its session where that was
    recorded, else the last: what ran was recorded up to the end of the run.
    """
    from modellab_jupyter.store import Store, queries

    files = path.with_suffix(".files")
    if not path.exists() and not files.exists():
        return None, 0
    try:
        store = Store(path, files)
        store.ingest()
        runs = store.read(queries.rows, "SELECT run_id, name FROM runs ORDER BY started_at, run_id")
        place = pack.run.get("place")
        name = str(pack.run.get("name"))
        by_hand = name != f"run-{str(pack.run.get('run_id'))[-6:]}"
        named = [
            run for run in runs if (run["name"] == name if by_hand else run["name"] == f"run-{run['run_id'][-6:]}")
        ]
        if type(place) is int and place < len(runs) and runs[place] in named:
            chosen = runs[place]["run_id"]
        elif named:
            chosen = named[-1]["run_id"]
        else:
            return None, len(runs)
        return _metrics(store, chosen), len(runs)
    except (ModelLabError, OSError) as error:
        raise ModelLabError(f"what the replay logged cannot be read: {error}") from error


def _metrics(store: Any, run_id: str) -> dict[str, dict[str, Any]]:
    """Return the metrics of a run as ``metrics.json`` has them."""
    told = store.run(run_id)
    found: dict[str, dict[str, Any]] = {
        name: {"last": plain(value), "series": {"steps": [], "values": []}, "low": None, "high": None, "n": None}
        for name, value in told["metrics"].items()
    }
    for row in store.series([run_id]).to_pylist():
        series = found.setdefault(
            row["key"], {"last": None, "series": {"steps": [], "values": []}, "low": None, "high": None, "n": None}
        )["series"]
        series["steps"].append(row["step"])
        series["values"].append(plain(row["value"]))
    for name, interval in told["intervals"].items():
        found[name] |= {"low": plain(interval["low"]), "high": plain(interval["high"]), "n": interval["n"]}
    return found


@contextmanager
def temporary(directory: Path | None) -> Iterator[Path]:
    """Give a folder for replays: the named one, which stays, or one that is gone afterwards."""
    import tempfile

    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise InputError(f"directory must be empty, found files in {str(directory)!r}; name a new one.")
        yield directory.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="modellab-", ignore_cleanup_errors=True) as name:
        yield Path(name).resolve()
