"""What a run ran in: Python, packages, platform, allow-listed variables, git."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

VARIABLES: Final = (
    "CONDA_DEFAULT_ENV", "CUDA_VISIBLE_DEVICES", "LANG", "LC_ALL", "MKL_NUM_THREADS", "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS", "PYTHONHASHSEED", "PYTHONOPTIMIZE", "TZ", "VIRTUAL_ENV",
)  # fmt: skip
"""Variables that are recorded; no other leaves the process, since secrets live there."""


@dataclass(frozen=True)
class Git:
    """The commit that was checked out and whether tracked files differed from it."""

    commit: str
    dirty: bool


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


def git(folder: Path | None = None) -> Git | None:
    """Return the state of the git checkout around a folder, None outside one or where git is not installed."""

    def ask(*args: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *args], cwd=folder, capture_output=True, text=True, timeout=5, check=False,
                env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"}, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    if commit is None:
        return None
    status = ask("status", "--porcelain", "--untracked-files=no")
    return Git(commit.strip(), bool(status and status.strip()))


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
