"""What a run ran in: Python, packages and where they came from, platform, hardware, allow-listed variables, git."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import re
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

VARIABLES: Final = (
    "CONDA_DEFAULT_ENV", "CUDA_VISIBLE_DEVICES", "LANG", "LC_ALL", "MKL_NUM_THREADS", "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "TZ", "VIRTUAL_ENV",
)  # fmt: skip
"""Variables that are recorded; no other leaves the process, since secrets live there."""
THREADS: Final = (
    "BLIS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip
"""Variables that say how many threads numerical libraries use."""
DIFF_BYTES: Final = 5 << 20
"""Uncommitted changes that are kept; larger ones are only told by their size."""
_LOOKED_AT: Final = 5_000  # files of an editable package that are not committed
_PASSED: Final = 50_000  # files that are passed by in search of its code
_CODE: Final = frozenset({
    ".bash", ".c", ".cc", ".cfg", ".conf", ".cpp", ".cu", ".cuh", ".cxx", ".f", ".f90", ".go", ".h", ".hpp", ".in",
    ".ini", ".j2", ".jinja", ".js", ".json", ".lock", ".md", ".pxd", ".pxi", ".py", ".pyi", ".pyx", ".r",
    ".rs", ".rst", ".sh", ".sql", ".tmpl", ".toml", ".ts", ".txt", ".xml", ".yaml", ".yml", "",
})  # fmt: skip
"""Suffixes of code and configuration; of other files the size is looked at alone."""
_WORKED_IN: Final = tuple(f":(exclude){name}" for name in ("*.ipynb", "*.duckdb", "*.duckdb.wal", "*.files/*"))
_PACKS: Final = ":(exclude)*.zip"  # where nobody has committed them
_CODE_BYTES: Final = 1 << 20  # of one file of code that is read
_ALL_BYTES: Final = 32 << 20  # of all of one package
_SECRET = re.compile(r"(?<=://)[^/@\s]*@")


@dataclass(frozen=True)
class Git:
    """The commit that was checked out and whether tracked files differed from it."""

    commit: str
    dirty: bool


@dataclass(frozen=True)
class Checkout:
    """Where a checkout lies and came from, without secrets; `diff` of tracked files, None where it is too large."""

    root: str
    remote: str | None
    diff: bytes | None
    diff_size: int


@functools.lru_cache(maxsize=1)
def _packages(_state: tuple[tuple[str, int], ...]) -> dict[str, str]:
    """Return what is installed; looked up again when a folder of the path has changed."""
    from importlib import metadata

    packages: dict[str, str] = {}
    for distribution in metadata.distributions():
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        head = text.partition("\n\n")[0]  # parsing all of it as a message takes five times as long
        name, version = (re.search(rf"^{key}:[ \t]*(\S+)", head, re.MULTILINE) for key in ("Name", "Version"))
        if name and version:
            packages.setdefault(name[1].lower(), version[1])  # the first on the path is the one that is imported
    return dict(sorted(packages.items()))


def _path_state() -> tuple[tuple[str, int], ...]:
    """Return the folders that packages are imported from, with the time of their last change."""
    return tuple((place, os.stat(place).st_mtime_ns) for place in sys.path if os.path.isdir(place))  # noqa: PTH112, PTH116


def capture() -> dict[str, Any]:
    """Return the environment as plain data with a fixed order.

    Returns
    -------
    dict
        ``python``, ``platform``, ``processors``, ``variables`` {name: value}, ``packages`` {name: version}.
    """
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": Path(sys.executable).name,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "packages": dict(_packages(_path_state())),
    }


@functools.lru_cache(maxsize=1)
def _distributions(_state: tuple[tuple[str, int], ...]) -> tuple[dict[str, Any], ...]:
    """Return what is installed with its origin; looked up again when a folder of the path has changed."""
    from importlib import metadata

    found: dict[str, dict[str, Any]] = {}
    for distribution in metadata.distributions():
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        head = text.partition("\n\n")[0]
        name, version = (re.search(rf"^{key}:[ \t]*(\S+)", head, re.MULTILINE) for key in ("Name", "Version"))
        if not name or not version or name[1].lower() in found:
            continue
        origin, root = _origin(distribution)
        found[name[1].lower()] = {
            "name": name[1],
            "version": version[1],
            "origin": origin,
            "record": _record(distribution),
            "editable": None if root is None else {"root": root},
        }
    return tuple(found[name] for name in sorted(found))


def _record(distribution: Any) -> str | None:
    """Return the SHA-256 of a distribution's list of files."""
    try:
        return hashlib.sha256((distribution._path / "RECORD").read_bytes()).hexdigest()  # noqa: SLF001 - as bytes
    except (AttributeError, OSError):
        record = distribution.read_text("RECORD")
        return None if record is None else hashlib.sha256(record.encode()).hexdigest()


def _origin(distribution: Any) -> tuple[dict[str, Any], str | None]:
    """Return where a distribution came from, and the folder of an editable one."""
    try:
        said = json.loads(distribution.read_text("direct_url.json") or "null")
        url = None if said is None else _SECRET.sub("", str(said["url"]))
    except (ValueError, KeyError, TypeError):
        said, url = None, None
    installer = (distribution.read_text("INSTALLER") or "").strip()
    if said is None or url is None:
        place = getattr(distribution, "_path", None)  # of one in development, its metadata lies beside its code
        if place is not None and str(place).endswith(".egg-info") and "-packages" not in str(place):
            return {"kind": "editable"}, str(Path(place).parent)
        kind = "conda" if installer == "conda" else "index" if installer else "unknown"
        return {"kind": kind, "installer": installer} if installer else {"kind": kind}, None
    if "vcs_info" in said:
        vcs = said["vcs_info"]
        return {"kind": "vcs", "url": url, "vcs": vcs.get("vcs"), "commit": vcs.get("commit_id")}, None
    if "archive_info" in said:
        hashes = said["archive_info"].get("hashes") or {}
        return {"kind": "url", "url": url, "sha256": hashes.get("sha256")}, None
    if said.get("dir_info", {}).get("editable"):
        return {"kind": "editable", "url": url}, _path_of(url)
    return {"kind": "directory", "url": url}, None


def _path_of(url: str) -> str | None:
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return url2pathname(urlsplit(url).path) if url.startswith("file:") else None


def distributions() -> list[dict[str, Any]]:
    """Return what is installed.

    Returns
    -------
    list of dict
        ``name``; ``version``; ``origin`` with its ``kind`` ("index", "url", "vcs", "directory", "editable", "conda",
        "unknown") and, by kind, ``url``, ``commit``, ``sha256``; ``record``, the SHA-256 of its RECORD or None;
        ``editable``, None or the ``root`` of its code.
    """
    return [dict(one) for one in _distributions(_path_state())]


def _patient() -> bool:
    return False


def editable(root: str, late: Callable[[], bool] = _patient) -> dict[str, Any]:
    """Return the state of an editable package's code.

    Parameters
    ----------
    root : str
    late : callable
        Tells that nobody waits any longer; what is not known by then is told by its size.

    Returns
    -------
    dict
        ``root``, ``commit`` or None outside a checkout, and ``diff_sha256`` of what is not committed, files that git
        does not know included; None where all is. Notebooks, stores and new ZIPs count for nothing: no import reads
        them, and work in the same checkout makes others all the time.
    """
    folder = Path(root)
    commit = _git(folder, "rev-parse", "HEAD", late=late)
    if commit is None:
        found = _files_digest(folder, sorted(_sources(folder, late)), late=late)
        return {"root": root, "commit": None, "diff_sha256": found}
    there = ("--", ".", *_WORKED_IN)
    diff = _git(folder, "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", *there, late=late) or b""
    unknown = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", *there, _PACKS, late=late) or b""
    names = sorted(os.fsdecode(name) for name in unknown.split(b"\0") if name)[:_LOOKED_AT]
    changes = _files_digest(folder, names, diff, late=late) if diff or names else None
    return {"root": root, "commit": commit.decode().strip(), "diff_sha256": changes}


def _sources(folder: Path, late: Callable[[], bool]) -> list[str]:
    """Return the files of Python below a folder, as far as a walk of bounded length finds them."""
    found: list[str] = []
    passed = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(one for one in folders if one[:1] != "." and one not in {"__pycache__", "node_modules"})
        passed += len(names) + 1
        found += [Path(place, name).relative_to(folder).as_posix() for name in sorted(names) if name.endswith(".py")]
        if len(found) >= _LOOKED_AT or passed >= _PASSED or late():
            break
    return found[:_LOOKED_AT]


def _files_digest(folder: Path, names: list[str], before: bytes = b"", *, late: Callable[[], bool]) -> str:
    digest = hashlib.sha256(before)
    left = _ALL_BYTES
    for name in names:
        path = folder / name
        try:
            there = path.stat()
            content = f"{there.st_size} bytes"
            is_code = stat.S_ISREG(there.st_mode) and path.suffix.lower() in _CODE
            if is_code and there.st_size <= min(left, _CODE_BYTES) and not late():
                left -= there.st_size
                content = _file_digest(str(path), there.st_size, there.st_mtime_ns)
        except OSError:
            content = "-"
        digest.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@functools.lru_cache(maxsize=2 * _LOOKED_AT)
def _file_digest(path: str, size: int, _modified: int) -> str:
    """Return the SHA-256 of a file's first bytes; known as long as size and time of its last change stay."""
    with open(path, "rb") as file:  # noqa: PTH123 - a text
        return hashlib.sha256(file.read(size)).hexdigest()


def hardware() -> dict[str, Any]:
    """Return what computes here.

    Returns
    -------
    dict
        ``system``, ``release``, ``machine``, ``processor``, ``cores``, ``usable`` cores of this process, ``blas`` (a
        list with each thread pool that is loaded), ``threads`` {variable: value}, ``gpu`` (``name`` and ``driver``).
    """
    return {
        "system": platform.system(),
        "release": platform.release(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "blas": _pools(),
        "threads": {name: os.environ[name] for name in THREADS if name in os.environ},
        "gpu": list(_gpus()),
    }


@functools.lru_cache(maxsize=1)
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        named = next(line for line in lines if line.lower().startswith(("model name", "hardware", "cpu model")))
        return named.partition(":")[2].strip()
    except (OSError, StopIteration):
        return platform.processor()


def _pools() -> list[dict[str, Any]]:
    """Return the thread pools of BLAS and OpenMP where NumPy is loaded."""
    if "numpy" not in sys.modules:
        return []
    try:
        from threadpoolctl import threadpool_info

        pools = threadpool_info()
    except Exception:  # noqa: BLE001 - it looks into the libraries of others
        return []
    kept = ("user_api", "internal_api", "version", "num_threads", "threading_layer", "architecture")
    return [
        {name: pool[name] for name in kept if name in pool} | {"file": os.path.basename(pool["filepath"])}  # noqa: PTH119
        for pool in pools
    ]


@functools.lru_cache(maxsize=1)
def _gpus() -> tuple[dict[str, str], ...]:
    import shutil

    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ()
    try:
        done = subprocess.run(
            [tool, "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True, text=True,
            timeout=10, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ()
    rows = [line.rpartition(",") for line in done.stdout.splitlines() if "," in line]
    return tuple({"name": name.strip(), "driver": driver.strip()} for name, _, driver in rows)


def digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of an environment."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def diff(one: dict[str, Any] | None, other: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return what differs between two environments: rows of ``name``, ``one``, ``other`` (None where absent)."""
    a, b = flat(one or {}), flat(other or {})
    return [
        {"name": name, "one": a.get(name), "other": b.get(name)}
        for name in sorted(a.keys() | b.keys())
        if a.get(name) != b.get(name)
    ]


def flat(content: dict[str, Any]) -> dict[str, Any]:
    """Return nested values under dotted names."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{key}": inner for key, inner in value.items()}
        else:
            flat[name] = value
    return flat


def git(folder: Path | None = None, late: Callable[[], bool] = _patient) -> Git | None:
    """Return the state of the git checkout around a folder, None outside one or where git is not installed."""
    commit = _git(folder, "rev-parse", "HEAD", late=late)
    if commit is None:
        return None
    status = _git(folder, "status", "--porcelain", "--untracked-files=no", late=late)
    return Git(commit.decode().strip(), bool(status and status.strip()))


def checkout(folder: Path | None = None, late: Callable[[], bool] = _patient) -> Checkout | None:
    """Return where the git checkout around a folder came from and what is not committed, None outside one."""
    root = _git(folder, "rev-parse", "--show-toplevel", late=late)
    if root is None:
        return None
    remotes = (_git(folder, "remote", late=late) or b"").decode("utf-8", "replace").split()
    remote = None
    if remotes:
        chosen = "origin" if "origin" in remotes else remotes[0]
        remote = (_git(folder, "remote", "get-url", chosen) or b"").decode("utf-8", "replace").strip() or None
    top = Path(os.fsdecode(root.rstrip(b"\n")))
    diff = _git(top, "diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", late=late) or b""
    return Checkout(
        root=str(top),
        remote=remote and _SECRET.sub("", remote).partition("?")[0],
        diff=diff if 0 < len(diff) <= DIFF_BYTES else None,
        diff_size=len(diff),
    )


def _git(folder: Path | None, *args: str, late: Callable[[], bool] = _patient) -> bytes | None:
    """Return what git says, None where it says nothing good, or not within five seconds, or too `late`."""
    if late():
        return None
    until = time.monotonic() + 5
    try:
        process = subprocess.Popen(
            ["git", *args], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except OSError:
        return None
    with process:
        while True:
            try:
                said = process.communicate(timeout=0.2)[0]
            except subprocess.TimeoutExpired:
                if not late() and time.monotonic() < until:
                    continue
                process.kill()
                return None
            return said if process.returncode == 0 else None


_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASS|PWD|CREDENTIAL|AUTH|BEARER|COOKIE|DSN|CONN(?:ECTION)?_?STR|SIGNATURE")
_NO_SECRET = re.compile(r"\d+|[a-z]+|true|false|[/~.][^\s]*|[A-Za-z]:\\.*|[\w.-]+\.(?:sock|pem|json|conf|cfg|txt|key)")


def secret_values() -> dict[str, str]:
    """Return the values of this process's variables that look secret by name -> a kind that says no more.

    They are only ever looked for, in order to be taken out.
    """
    return {
        value: "value of a variable"
        for name, value in sorted(os.environ.items())
        if _SECRET_NAME.search(name.upper()) and len(value) >= 8 and not _NO_SECRET.fullmatch(value)
    }
