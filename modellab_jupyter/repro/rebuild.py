"""Rebuilds the environment of a run from its lock with uv, in a folder of its own, and says what is not as it was."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modellab_jupyter import config
from modellab_jupyter.blobs import file_digest
from modellab_jupyter.errors import DamagedError, ModelLabError
from modellab_jupyter.repro import installer
from modellab_jupyter.repro.unpacked import Unpacked
from modellab_jupyter.repro.wheels import canonical

FORGET_AFTER: Final = 30 * 86_400.0  # seconds without use after which an environment is removed
INSTALL_LIMIT: Final = 1800.0  # seconds for one call of uv
DOWNLOAD_LIMIT: Final = 300.0  # seconds for a Python that uv fetches
MARK: Final = "modellab.json"  # written last: the environment is whole, and how exact it is

_PINNED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9._, -]*\])?==(?P<version>[A-Za-z0-9.+!_-]+)\s*(?P<marker>;.*)?"
)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_VERSION = re.compile(r"[0-9][A-Za-z0-9.+!_-]*")
_WHEEL = re.compile(r"\./wheels/(?P<file>[A-Za-z0-9._+!-]+\.whl)")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})")
_ASK = """
import importlib.metadata as m, json, platform, sys
found = {}
for d in m.distributions():
    name = d.metadata["Name"]
    if name: found.setdefault(name, d.version)
print(json.dumps({"python": platform.python_version(), "distributions": found}))
"""


@dataclass(frozen=True)
class Requirement:
    """One line of a lock: a pinned release, or a wheel that the pack holds."""

    name: str
    version: str
    hashes: tuple[str, ...] = ()
    marker: str = ""
    wheel: Path | None = None

    @property
    def line(self) -> str:
        """The line as uv reads it."""
        what = f"{self.name} @ {self.wheel.as_uri()}" if self.wheel else f"{self.name}=={self.version}"
        return " ".join([what + (f" {self.marker}" if self.marker else ""), *(f"--hash={one}" for one in self.hashes)])


@dataclass(frozen=True)
class Rebuilt:
    """An environment that was made from a lock.

    Attributes
    ----------
    python : str
        The path of its interpreter.
    warm : bool
        Whether it was there already.
    rows : tuple of dict
        What is not as it was: ``kind`` (``"python"``, ``"package"``), ``name``, ``recorded``, ``found``, ``note``.
    """

    python: str
    warm: bool
    rows: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0


# -- the lock ------------------------------------------------------------------------------------------


def requirements(pack: Unpacked) -> tuple[Requirement, ...]:
    """Return what a pack's lock asks for.

    Raises
    ------
    DamagedError
        A line is neither ``name==version`` nor ``./wheels/NAME.whl``, each with hashes: options, addresses and other
        files could have something else installed. Or a wheel is not there, or is not what its hash says.
    """
    path = pack.lock
    try:
        text = path.read_text("utf-8") if path.exists() else ""
    except (OSError, ValueError) as error:
        raise DamagedError(
            f"the pack's env/requirements.lock cannot be read ({error}); ask for the pack again."
        ) from error
    found = []
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        bare = re.sub(r"(^|\s)#.*$", "", line).strip()
        if bare:
            found.append(_requirement(pack.folder / "env" / "wheels", bare))
    return tuple(found)


def _requirement(wheels: Path, line: str) -> Requirement:
    hashes = tuple(_HASH.findall(line))
    what = _HASH.sub("", line).strip()
    local, pinned = _WHEEL.fullmatch(what), _PINNED.fullmatch(what)
    if local:
        wheel = wheels / local["file"]
        parts = local["file"].split("-")
        if not wheel.is_file() or f"sha256:{file_digest(wheel)}" not in hashes or len(parts) < 5:  # PEP 427
            raise DamagedError(f"the pack's wheel {local['file']!r} is not what its lock says; ask for the pack again.")
        return Requirement(parts[0].replace("_", "-"), parts[1], hashes, "", wheel)
    if pinned and "--" not in what and "@" not in what:
        return Requirement(pinned["name"], pinned["version"], hashes, (pinned["marker"] or "").strip())
    raise DamagedError(
        f"the pack's lock has the line {line[:80]!r}, which is neither NAME==VERSION nor ./wheels/NAME.whl; "
        "nothing was installed."
    )


# -- uv ------------------------------------------------------------------------------------------------


def _call(*args: str, cwd: Path | None = None, limit: float = INSTALL_LIMIT, offline: bool = False) -> tuple[bool, str]:
    """Run uv; return whether it did it, and what it printed or said. Settings are never those of the pack's folder."""
    config.cache().mkdir(parents=True, exist_ok=True)
    told = installer.call(*args, folder=cwd or config.cache(), settings=config.cache(), limit=limit, offline=offline)
    return told.done, told.text


# -- the interpreter -----------------------------------------------------------------------------------


def interpreter(wanted: str, *, offline: bool = False) -> tuple[str, str]:
    """Return the path and the version of the Python on this machine that is nearest to `wanted`.

    Parameters
    ----------
    wanted : str
        A version such as ``"3.11.7"``. The same is best, then one of its minor version, then one that uv may fetch,
        then the nearest minor version, the later of two.
    """
    minor = ".".join(wanted.split(".")[:2])
    own = str(getattr(sys, "_base_executable", None) or sys.executable)
    if platform.python_version() == wanted:
        return own, wanted
    installed = _installed()
    for path, version in installed:
        if version == wanted:
            return path, version
    same = [(path, version) for path, version in installed if version.split(".")[:2] == minor.split(".")]
    if platform.python_version().startswith(f"{minor}."):
        return own, platform.python_version()
    if same:
        return max(same, key=lambda one: _numbers(one[1]))
    if not offline:
        fetched = _fetched(minor)
        if fetched is not None:
            return fetched
    every = [(own, platform.python_version()), *installed]
    target = _numbers(minor)
    return min(every, key=lambda one: (abs(_numbers(one[1])[1] - target[1]), -_numbers(one[1])[1]))


def _fetched(minor: str) -> tuple[str, str] | None:
    """Have uv fetch a Python where its settings let it, as it does for an environment; return its path and version."""
    import tempfile

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        home = Path(name) / "probe"
        done, _ = _call("venv", "--no-project", "--python", minor, str(home), limit=DOWNLOAD_LIMIT)
        if not done:
            return None
        ask = "import platform, sys; print(sys._base_executable); print(platform.python_version())"
        told = subprocess.run([str(_python(home)), "-c", ask], capture_output=True, text=True, timeout=60, check=False)
        path, _, version = told.stdout.strip().partition("\n")
        return (path, version) if told.returncode == 0 and Path(path).exists() else None


def _installed() -> list[tuple[str, str]]:
    """Return path and version of each CPython 3 that uv finds."""
    done, text = _call("python", "list", "--only-installed", "--output-format", "json", limit=60)
    if not done:
        return []
    with suppress(ValueError):
        return [
            (str(one["path"]), str(one["version"]))
            for one in json.loads(text)
            if one.get("implementation") == "cpython"
            and str(one.get("version", "")).startswith("3.")
            and one.get("path")
        ]
    return []


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)) or (0, 0)


# -- the environment -----------------------------------------------------------------------------------


def rebuild(pack: Unpacked, *, offline: bool = False, say: Callable[[str], None] | None = None) -> Rebuilt:
    """Return the environment of a run, made anew or as it was made before from the same lock.

    Parameters
    ----------
    offline : bool
        Take packages from uv's cache alone.
    say : callable, optional
        Told what is being done.

    Raises
    ------
    DamagedError
        The lock cannot be trusted.
    ModelLabError
        uv is missing, or could not even make an empty environment.
    """
    began = time.perf_counter()
    say = say or (lambda _: None)
    wanted = requirements(pack)
    say("looking for Python")
    path, version = interpreter(str(pack.environment.get("python") or platform.python_version()), offline=offline)
    folder = config.cache() / "environments"
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256("\n".join([path, version, *(_keyed(one) for one in wanted)]).encode()).hexdigest()[:32]
    home = folder / key
    if (home / MARK).is_file():
        with suppress(OSError):
            os.utime(home / MARK)
        rows: list[dict[str, Any]] = []
        warm = True
    else:
        _forget(folder)
        rows = []
        made = _build(folder, path, wanted, rows, offline=offline, say=say)
        home = made if rows else _placed(made, home)  # one that is not exact may be had better next time
        warm = False
    python = _python(home)
    return Rebuilt(str(python), warm, tuple(rows), time.perf_counter() - began)


def _keyed(one: Requirement) -> str:
    return f"{canonical(one.name)}=={one.version}{one.marker} {' '.join(sorted(one.hashes))} {bool(one.wheel)}"


def _python(home: Path) -> Path:
    windows = home / "Scripts" / "python.exe"
    return windows if windows.exists() else home / "bin" / "python"


def _build(
    folder: Path, python: str, wanted: Sequence[Requirement], rows: list[dict[str, Any]], *, offline: bool,
    say: Callable[[str], None],
) -> Path:  # fmt: skip
    """Make an environment under a name that nobody looks for."""
    part = folder / f".{uuid.uuid4().hex}.part"
    try:
        say("making the environment")
        done, said = _call("venv", "--relocatable", "--no-project", "--python", python, str(part), offline=offline)
        if done:
            say(f"installing {len(wanted)} packages")
            _install(part, list(wanted), rows, offline=offline)
            (part / MARK).write_text(json.dumps({"exact": not rows}), "utf-8")
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    if not done:
        raise ModelLabError(f"uv could not make an environment with {python} ({said[-200:]}); check that Python runs.")
    return part


def _placed(made: Path, home: Path) -> Path:
    """Move an environment to where it is looked for; where another process was first, take that one's."""
    try:
        made.rename(home)
    except OSError:
        if not (home / MARK).is_file():
            return made
        shutil.rmtree(made, ignore_errors=True)
    return home


def _install(home: Path, wanted: list[Requirement], rows: list[dict[str, Any]], *, offline: bool) -> None:
    """Install all that can be had as it is asked for; of the rest the nearest, each with its row."""
    if not wanted or _installs(
        home, [one.line for one in wanted], hashed=all(one.hashes for one in wanted), offline=offline
    ):
        return
    if len(wanted) > 1:
        half = len(wanted) // 2
        _install(home, wanted[:half], rows, offline=offline)
        _install(home, wanted[half:], rows, offline=offline)
        return
    one = wanted[0]
    row = {"kind": "package", "name": one.name, "recorded": one.version, "found": None, "note": "cannot be had here"}
    if one.wheel is not None:  # a release of that name somewhere else would be another package
        rows.append({**row, "note": "the pack's wheel does not fit this Python"})
        return
    if _installs(home, [f"{one.name}=={one.version}{one.marker}"], hashed=False, offline=offline):
        rows.append({**row, "found": one.version, "note": "the index has another file of this version"})
        return
    series = ".".join(one.version.split(".")[:2])
    for asked in (f"{one.name}=={series}.*", f"{one.name}>={series}", one.name):
        if _installs(home, [asked], hashed=False, offline=offline):
            rows.append({**row, "note": "this version cannot be had here"})
            return
    rows.append(row)


def _installs(home: Path, lines: Iterable[str], *, hashed: bool, offline: bool) -> bool:
    path = home / "wanted.txt"
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    args = ["pip", "install", "--no-deps", "--python", str(_python(home)), "-r", str(path)]
    ways = (
        [["--require-hashes", "--only-binary", ":all:"], ["--require-hashes"]]
        if hashed
        else [["--only-binary", ":all:"]]
    )
    return any(
        _call(*args, *way, cwd=home, offline=cached)[0]
        for way in ways  # building runs code of the release: only of one that has its hash
        for cached in ([True] if offline else [False, True])
    )


def _forget(folder: Path) -> None:
    """Remove environments that nobody used for a month, and what was left half made a day ago."""
    now = time.time()
    for home in folder.iterdir():
        mark = home / MARK
        with suppress(OSError):
            idle = now - (mark if mark.exists() else home).stat().st_mtime
            if idle > (86_400.0 if home.name.startswith(".") else FORGET_AFTER):
                shutil.rmtree(home, ignore_errors=True)


def discard(rebuilt: Rebuilt) -> None:
    """Remove an environment that is not kept, since it is not what its lock asks for."""
    home = Path(rebuilt.python).parent.parent
    if home.name.startswith(".") and home.name.endswith(".part"):
        shutil.rmtree(home, ignore_errors=True)


def varied(
    rebuilt: Rebuilt, name: str, version: str, wheels: Path | None, work: Path, *,
    wanted: Sequence[Requirement] = (), offline: bool = False,
) -> str | None:  # fmt: skip
    """Return a folder that holds one package at another version, to be put before all others; None where it has none.

    Parameters
    ----------
    wheels : path or None
        The pack's own wheels, looked at first.
    work : path
        An empty folder for it.
    wanted : sequence of Requirement
        The pack's lock: a version that neither it nor a wheel of the pack has is not asked for.
    """
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):  # else it could be an option or an address
        return None
    there = [] if wheels is None else sorted(wheels.glob("*.whl"))
    own = [w for w in there if canonical(w.name.split("-")[0]) == canonical(name) and w.name.split("-")[1] == version]
    locked = [one for one in wanted if (canonical(one.name), one.version) == (canonical(name), version)]
    if not own and not locked:
        return None
    asked = work.with_suffix(".txt")
    asked.write_text(f"{canonical(name)} @ {own[0].as_uri()}\n" if own else f"{locked[0].line}\n", "utf-8")
    args = ["pip", "install", "--no-deps", "--python", rebuilt.python, "--target", str(work), "-r", str(asked)]
    args += ["--only-binary", ":all:", *(["--require-hashes"] if not own and locked[0].hashes else [])]
    return str(work) if _call(*args, offline=offline)[0] else None


# -- what came of it -----------------------------------------------------------------------------------


def inventory(python: str) -> tuple[str, dict[str, str]]:
    """Return the version of a Python and of every distribution that it finds, by canonical name."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", _ASK], capture_output=True, text=True, timeout=60, check=True,
            env=config.machine(), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        told = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise ModelLabError(
            f"the rebuilt Python {python} does not run ({error}); remove its folder and try again."
        ) from error
    return str(told["python"]), {canonical(name): str(version) for name, version in told["distributions"].items()}


def differences(pack: Unpacked, python: str) -> list[dict[str, Any]]:
    """Return what differs between the environment that was recorded and that of a Python.

    Returns
    -------
    list of dict
        ``kind`` (``"python"``, ``"package"`` or ``"editable"``), ``name``, ``recorded``, ``found`` (None: absent) and
        ``note``.
    """
    version, found = inventory(python)
    rows: list[dict[str, Any]] = []
    recorded = str(pack.environment.get("python") or "")
    if recorded and recorded != version:
        rows.append({"kind": "python", "name": "Python", "recorded": recorded, "found": version, "note": ""})
    locked = {canonical(one.name): one for one in requirements(pack)}
    for told in pack.environment.get("distributions") or ():
        name, was = str(told.get("name")), str(told.get("version"))
        key = canonical(name)
        here = found.get(key)
        editable = told.get("editable") or {}
        hashed = bool(told.get("locked", key in locked)) and (key not in locked or bool(locked[key].hashes))
        note = _doubt(told.get("origin") or {}, hashed=hashed)
        if editable.get("diff_sha256") and not told.get("wheel"):
            rows.append(
                {"kind": "editable", "name": name, "recorded": f"{was} with changes that were not committed",
                 "found": here, "note": "its files are not in the pack"}
            )  # fmt: skip
        elif here != was or note:
            rows.append({"kind": "package", "name": name, "recorded": was, "found": here, "note": note})
    return rows


def _doubt(origin: Mapping[str, Any], *, hashed: bool) -> str:
    """Return why the same version may be other files, or an empty text."""
    kind = origin.get("kind")
    if kind in {"conda", "unknown"}:
        whose = "conda" if kind == "conda" else "nobody knows where"
        return f"came from {whose}, so that its files may be others"
    return "" if hashed else "has no hash, so that its files may be others"
