"""A pack that lies extracted in a folder -> values; every surprise in it is one sentence."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Final, TypeVar

import msgspec

from modellab_jupyter import zips
from modellab_jupyter.blobs import file_digest
from modellab_jupyter.errors import DamagedError, one_line
from modellab_jupyter.repro import archive
from modellab_jupyter.repro.comparing import number
from modellab_jupyter.repro.records import Execution

REPLAY: Final = "replay.ipynb"
_T = TypeVar("_T")


@dataclass(frozen=True)
class Cell:
    """A code cell to run; `order` and `outcome` where it is one that was recorded."""

    source: str
    cell_id: str | None = None
    order: int | None = None
    outcome: str = "ok"
    error: str | None = None
    duration: float | None = None


@dataclass(frozen=True)
class Wanted:
    """A file that the run read: a line of ``data/index.json``."""

    path: str
    digest: str | None
    size: int
    member: str | None
    left_out: str | None
    found_by: str
    orders: tuple[int, ...] = ()
    made: bool = False

    @property
    def optional(self) -> bool:
        """Whether the run may do without: a text in a cell named it alone, or it came to be while the run was on."""
        return self.made or self.found_by == "named"

    @property
    def absolute(self) -> bool:
        """Whether it lay outside the folder of the notebook or script."""
        return PurePosixPath(self.path).is_absolute() or self.path[1:2] == ":"


@dataclass(frozen=True)
class Unpacked:
    """What a pack holds that a replay needs.

    Attributes
    ----------
    cells : tuple of Cell
        What ran, in order; empty for a script.
    notebook : tuple of Cell or None
        The code cells of the notebook as it was saved.
    script : str or None
        The name of the script in ``code/``.
    """

    folder: Path
    pack_id: str
    executions: tuple[Execution, ...]
    cells: tuple[Cell, ...]
    notebook: tuple[Cell, ...] | None
    notebook_name: str | None
    script: str | None
    environment: dict[str, Any]
    platform: dict[str, Any]
    data: tuple[Wanted, ...]
    rng: dict[str, Any]
    run: dict[str, Any]
    metrics: dict[str, dict[str, Any]]

    @property
    def lock(self) -> Path:
        """The hashed list that the environment is rebuilt from."""
        return self.folder / "env" / "requirements.lock"

    @property
    def sources(self) -> str:
        """All code of the run as one text, to look for what it uses."""
        parts = [cell.source for cell in (*self.cells, *(self.notebook or ()))]
        code = self.folder / "code"
        parts += [path.read_text("utf-8", "replace") for path in sorted(code.rglob("*.py")) if path.is_file()]
        return "\n".join(parts)


@contextmanager
def _reading(member: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        said = one_line(f"{type(error).__name__}: {error}"[:120])
        raise DamagedError(f"the pack's {one_line(member)} cannot be read ({said}); ask for the pack again.") from error


def _json(folder: Path, member: str, read: Callable[[Any], Any] = lambda value: value) -> Any:
    def refuse(word: str) -> Any:
        raise ValueError(f"{word} is not strict JSON")

    with _reading(member):
        return read(json.loads((folder / member).read_text("utf-8"), parse_constant=refuse))


class _Run(msgspec.Struct):
    """What is read of ``run`` in ``metrics.json``."""

    name: str | None = None
    run_id: str | None = None
    status: str | None = None
    error: str | None = None
    started_at: str | None = None
    duration: float | None = None
    place: int | None = None


class _Distribution(msgspec.Struct):
    """What is read of a distribution."""

    name: str
    version: str | None = None
    locked: bool | None = None
    hashed: bool | None = None
    origin: dict[str, Any] | None = None
    editable: dict[str, Any] | None = None
    wheel: str | None = None


class _Environment(msgspec.Struct):
    """What is read of ``environment.json``."""

    python: Annotated[str, msgspec.Meta(pattern=r"^3\.\d{1,3}(\.\d{1,3})?([abrc+.][0-9A-Za-z.+]*)?$")] | None = None
    distributions: list[_Distribution] | None = None
    variables: dict[str, str | None] | None = None


class _Draw(msgspec.Struct):
    order: int
    source: str
    value: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]+$")]


class _State(msgspec.Struct):
    order: int
    moment: str
    python: dict[str, Any] | None = None
    numpy: dict[str, Any] | None = None


class _Rng(msgspec.Struct):
    """What is read of ``rng.json``."""

    states: list[_State] | None = None
    draws: list[_Draw] | None = None


class _File(msgspec.Struct):
    """A line of ``data/index.json``."""

    path: str
    sha256: str | None = None
    size: Annotated[int, msgspec.Meta(ge=0)] | None = None
    member: str | None = None
    left_out: str | None = None
    found_by: str | None = None
    orders: list[int] | None = None
    made: bool | None = None


def _typed(value: Any, kind: type[_T]) -> _T:
    """Return a value of JSON as what it must be."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _like(value: Any, kind: type) -> dict[str, Any]:
    """Return an object of JSON as it is, once it has been seen to be like `kind`."""
    _typed(value, kind)
    return _mapping(value)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"an object was expected, found {type(value).__name__}")
    return value


def read(folder: Path) -> Unpacked:
    """Return what a pack's folder holds.

    Raises
    ------
    DamagedError
        A file that a replay needs is missing or is not what it must be.
    """
    with _reading("manifest.sha256"):
        pack_id = hashlib.sha256((folder / "manifest.sha256").read_bytes()).hexdigest()
    told = _json(folder, "metrics.json", _mapping)
    with _reading("metrics.json"):
        run = _mapping(told["run"])
        _typed(run, _Run)
        metrics = {str(k): _mapping(v) for k, v in _mapping(told["metrics"]).items()}
        for metric in metrics.values():
            _checked(metric)
    with _reading("code/executions.jsonl"):
        path = folder / "code" / "executions.jsonl"
        lines = path.read_text("utf-8").split("\n") if path.exists() else []
        executions = tuple(_typed(json.loads(line), Execution) for line in lines if line.strip())
    names = sorted(path.name for path in (folder / "code").glob("*") if path.is_file())
    notebooks = [name for name in names if name.endswith(".ipynb") and name != REPLAY]
    scripts = [name for name in names if name.endswith(".py")]
    cells = _cells(folder, REPLAY, executions) if REPLAY in names else ()
    if not cells and not scripts:
        raise DamagedError("the pack holds neither cells nor a script to run; pack the run again.")
    return Unpacked(
        folder=folder,
        pack_id=pack_id,
        executions=executions,
        cells=cells,
        notebook=_cells(folder, notebooks[0], ()) if notebooks else None,
        notebook_name=notebooks[0] if notebooks else None,
        script=scripts[0] if scripts and not cells else None,
        environment=_json(folder, "env/environment.json", lambda value: _like(value, _Environment)),
        platform=_json(folder, "env/platform.json", _mapping),
        data=_json(folder, "data/index.json", lambda rows: tuple(map(_wanted, rows))),
        rng=_json(folder, "state/rng.json", lambda value: _like(value, _Rng)),
        run=run,
        metrics=metrics,
    )


def _checked(metric: dict[str, Any]) -> None:
    """Raise where a metric holds what is no number or its series has two lengths."""
    series = _mapping(metric.get("series") or {})
    steps, values = series.get("steps") or [], series.get("values") or []
    for value in (*values, metric.get("last"), metric.get("low"), metric.get("high")):
        number(value)
    if len(steps) != len(values):
        raise ValueError(f"a series has {len(steps)} steps and {len(values)} values")


def _wanted(row: Any) -> Wanted:
    told = _typed(row, _File)
    path, member = told.path, told.member
    wanted = Wanted(
        path, told.sha256, told.size or 0, member, told.left_out, told.found_by or "open", tuple(told.orders or ()),
        told.made is True,
    )  # fmt: skip
    for name in (member, path):
        if name is not None and (".." in re.split(r"[/\\]", name) or "\0" in name):
            raise ValueError(f"{name!r} leads out of the folder")
    if member is not None and not member.startswith("data/"):
        raise ValueError(f"{member!r} does not lie in data/")
    return wanted


def _cells(folder: Path, name: str, executions: tuple[Execution, ...]) -> tuple[Cell, ...]:
    import nbformat

    member = f"code/{name}"
    known = {execution.order: execution for execution in executions}
    with _reading(member):
        try:
            notebook: Any = nbformat.reads((folder / member).read_text("utf-8"), as_version=4)
        except Exception as error:  # nbformat raises errors of its own and of jsonschema
            raise ValueError(str(error).partition("\n")[0]) from error
        found = []
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code" or not cell["source"].strip():
                continue
            mark = cell.get("metadata", {}).get("modellab") or {}
            order = _typed(mark.get("order"), int | None)  # type: ignore[arg-type]
            told = None if order is None else known.get(order)
            found.append(
                Cell(
                    source=cell["source"],
                    cell_id=cell.get("id"),
                    order=order,
                    outcome=str(mark.get("outcome", "ok")),
                    error=told.error if told else None,
                    duration=told.duration if told else None,
                )
            )
        return tuple(found)


LINK: Final = "is a link, which no pack has"


def damage(folder: Path) -> list[dict[str, Any]]:
    """Return what differs from the manifest or is in no pack: links, pickles, names that not every system allows.

    Returns
    -------
    list of dict
        ``member``, ``recorded`` and ``found``: digests, or what is wrong (None: absent).
    """
    there: dict[str, Path] = {}
    faults: dict[str, str] = {}
    for above, folders, files in os.walk(folder):
        for path in (Path(above, name) for name in (*folders, *files)):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                faults[name] = LINK
            elif path.is_file():
                there[name] = path
                if wrong := zips.fault(name):
                    faults[name] = wrong
                elif archive.pickled(name, _head(path)):
                    faults[name] = "is a pickle, which no pack has"
            elif not path.is_dir():
                faults[name] = "is no file"
    faults |= {
        name: f"has the name of {other!r} on some systems" for other, name in [zips.clash(there) or ("", "")] if name
    }
    said: dict[str, str] = {}
    if "manifest.sha256" not in faults:
        with _reading("manifest.sha256"):
            lines = (folder / "manifest.sha256").read_text("utf-8").splitlines()
        said = {line.partition("  ")[2]: line.partition("  ")[0] for line in lines if line}
    there.pop("manifest.sha256", None)
    rows = []
    for name in sorted(said.keys() | there.keys() | faults.keys()):
        found = faults.get(name) or (file_digest(there[name]) if name in there else None)
        if found != said.get(name):
            rows.append({"member": name, "recorded": said.get(name), "found": found})
    return rows


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(256)


def found_at(path: str, size: int, *folders: Path) -> tuple[Path, str | None] | None:
    """Return where a recorded file is on this machine and its SHA-256, which is None unless it has the recorded size.

    A stranger's pack names the path: no other machine is asked, no device and no view of the kernel is opened, and no
    more is read than was recorded.

    Parameters
    ----------
    folders : Path
        What a relative path may be relative to, tried in this order; one whose size fits is taken first.
    """
    if "\0" in path or path[:2] in {"//", "\\\\", "/\\", "\\/"} or ".." in re.split(r"[/\\]", path):
        return None
    absolute = PurePosixPath(path).is_absolute() or path[1:2] == ":"
    other = None
    for place in [Path(path)] if absolute else [folder / path for folder in folders]:
        with suppress(OSError, ValueError, RuntimeError):
            real = place.resolve()
            if real.parts[1:2] and real.parts[0] == "/" and real.parts[1] in {"proc", "sys", "dev"}:
                continue
            if not stat.S_ISREG(real.stat().st_mode):  # asked before it is opened: to open a device may do something
                continue
            other = other or (place, None)
            if real.stat().st_size == size and (told := _digest_of(real, size)) is not None:
                return place, told
    return other


def _digest_of(path: Path, size: int) -> str | None:
    """Return the SHA-256 of a regular file of this many bytes; None where it is something else or goes on."""
    found, left = hashlib.sha256(), size + 1
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        while left and (chunk := file.read(min(left, 1 << 20))):
            found.update(chunk)
            left -= len(chunk)
    return found.hexdigest() if left == 1 else None
