"""A distribution that no index has, as a wheel of what is installed: the same bytes for the same files."""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, Final

from modellab_jupyter.repro.archive import stored

CAP: Final = 100 << 20  # bytes of one wheel
EXTENSIONS: Final = (".so", ".pyd", ".dylib", ".dll")

_LEFT = {"__pycache__", "node_modules", ".git", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
_NOT_TAKEN = {"INSTALLER", "REQUESTED", "direct_url.json", "RECORD", "RECORD.jws", "RECORD.p7s", "uv_cache.json",
              "uv_build.json"}  # fmt: skip
_NO_PACKAGE = {"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmark", "benchmarks", "build",
               "dist", "scripts", "tools", "notebooks", "setup", "conftest", "noxfile", "tasks"}  # fmt: skip

Clean = Callable[[str, bytes], bytes | None]
"""Takes name and bytes of a file, and returns them without secrets, or None where the file stays here."""


def canonical(name: str) -> str:
    """Return a distribution's name as indexes compare them."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(name: str, location: str | None = None) -> metadata.Distribution | None:
    """Return a distribution of a folder, or else of the Python that runs."""
    places: dict[str, Any] = {"path": [location]} if location else {}
    wanted = canonical(name)
    for one in metadata.distributions(name=name, **places):  # those whose folder's name begins so
        found = one.metadata["Name"] if one.metadata is not None else None
        if found and canonical(found) == wanted:
            return one
    return None


def record_digest(distribution: metadata.Distribution) -> str | None:
    """Return the SHA-256 of a distribution's RECORD, of its bytes: as text, the ends of its lines would be others."""
    own = next((one for one in distribution.files or () if one.parts[-1] == "RECORD" and len(one.parts) == 2), None)
    try:
        return None if own is None else hashlib.sha256(Path(str(own.locate())).read_bytes()).hexdigest()
    except OSError:
        return None


def of_installed(distribution: metadata.Distribution, clean: Clean) -> tuple[str, bytes] | None:
    """Return name and bytes of a wheel with what RECORD lists, None where that is not all there or too much."""
    name, version = distribution.metadata["Name"], distribution.version
    base = _base(name, version)
    tags = re.findall(r"^Tag:\s*(\S+)", distribution.read_text("WHEEL") or "", re.MULTILINE)
    scripts = {one.name for one in distribution.entry_points if one.group in {"console_scripts", "gui_scripts"}}
    listed = ((_place(PurePosixPath(path.as_posix()), base, scripts), path) for path in distribution.files or ())
    members = _members(((where, Path(str(path.locate()))) for where, path in listed if where is not None), clean)
    if not members or not tags:
        return None
    return f"{base}-{_joined(tags)}.whl", _wheel(base, members)


def _members(files: Iterable[tuple[str, Path]], clean: Clean) -> dict[str, bytes] | None:
    """Return the files of a wheel by where they stand in it, None where one cannot be read or they are too much."""
    members: dict[str, bytes] = {}
    size = 0
    for where, path in files:
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if ".data/scripts/" in where and re.match(rb"#!.*python", data):
            data = b"#!python" + data[len(data.split(b"\n", 1)[0]) :]
        kept = clean(where, data)
        if kept is None:
            continue
        members[where] = kept
        size += len(data)
        if size > CAP:
            return None
    return members


def _place(path: PurePosixPath, base: str, scripts: set[str]) -> str | None:
    """Return where an installed file stands in a wheel, None where it does not come from one."""
    parts = path.parts
    if _LEFT & set(parts) or path.suffix == ".pyc":
        return None
    if parts[0].endswith(".dist-info"):
        return None if path.name in _NOT_TAKEN else "/".join((f"{base}.dist-info", *parts[1:]))
    if parts[0] != "..":
        return path.as_posix()
    inner = [part for part in parts if part != ".."]
    if inner[0].lower() in {"bin", "scripts"}:
        made = re.sub(r"(-script\.pyw?|\.exe(\.manifest)?)$", "", inner[-1])
        return None if made in scripts else f"{base}.data/scripts/{'/'.join(inner[1:])}"
    return f"{base}.data/data/{'/'.join(inner)}"


def of_source(name: str, version: str, root: Path, environment: Mapping[str, Any],
              clean: Clean) -> tuple[str, bytes] | None:  # fmt: skip
    """Return name and bytes of a wheel of the packages below an editable distribution's root, None if there are none.

    Metadata are those of ``pyproject.toml``, so that every Python makes the same wheel.
    """
    base = _base(name, version)
    listed = ((path, top.parent) for top in _tops(root) for path in ([top] if top.is_file() else _files(top)))
    members = _members(((path.relative_to(above).as_posix(), path) for path, above in listed), clean)
    if not members:
        return None
    compiled = any(where.endswith(EXTENSIONS) for where in members)
    tag = _native(environment) if compiled else "py3-none-any"
    info = f"{base}.dist-info"
    members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    members[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: modellab\nRoot-Is-Purelib: {str(not compiled).lower()}\nTag: {tag}\n".encode()
    )
    if points := _entry_points(root):
        members[f"{info}/entry_points.txt"] = points.encode()
    return f"{base}-{tag}.whl", _wheel(base, members)


def _tops(root: Path) -> list[Path]:
    """Return the packages below a root that are no tests or tools, or else its modules."""
    found: dict[str, Path] = {}
    for folder in (root / "src", root):
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            name = path.stem if path.suffix == ".py" else path.name
            package = (path.is_dir() and (path / "__init__.py").is_file()) or (path.is_file() and path.suffix == ".py")
            wanted = name not in _NO_PACKAGE and not name.startswith((".", "_"))
            if wanted and package and not path.is_symlink():
                found.setdefault(name, path)
    if any(path.is_dir() for path in found.values()):
        found = {name: path for name, path in found.items() if path.is_dir()}  # loose files are scripts then
    return [found[name] for name in sorted(found)]


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        hidden = any(part.startswith(".") or part in _LEFT for part in parts)
        if path.is_file() and not path.is_symlink() and not hidden and path.suffix not in {".pyc", ".pyo"}:
            if any(above.is_symlink() for above in path.parents if folder in above.parents):
                continue
            yield path


def _entry_points(root: Path) -> str:
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text("utf-8")).get("project", {})
    except (OSError, ValueError):
        return ""
    groups = {"console_scripts": project.get("scripts"), "gui_scripts": project.get("gui-scripts")}
    groups |= project.get("entry-points") or {}
    lines: list[str] = []
    for group in sorted(groups):
        if isinstance(groups[group], dict) and groups[group]:
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in sorted(groups[group].items())), ""]
    return "\n".join(lines)


def _base(name: str, version: str) -> str:
    return f"{re.sub(r'[-_.]+', '_', name)}-{version.replace('-', '_')}"


def _joined(tags: list[str]) -> str:
    """Return the tags of a WHEEL file as a wheel's name has them."""
    parts = [sorted(set(column)) for column in zip(*(tag.split("-") for tag in tags), strict=True)]
    return "-".join(".".join(part) for part in parts)


def _native(environment: Mapping[str, Any]) -> str:
    """Return the tag of compiled code of the Python and the machine that were recorded."""
    major, minor = [*str(environment.get("python", "3.0")).split("."), "0"][:2]
    text, machine = str(environment.get("platform", "")).lower(), str(environment.get("machine", "")).lower()
    if text.startswith("win"):
        system = "win_arm64" if "arm" in machine else "win_amd64"
    elif text.startswith(("macos", "darwin")):
        system = "macosx_11_0_arm64" if machine == "arm64" else "macosx_10_13_x86_64"
    else:
        system = f"linux_{machine}"
    return f"cp{major}{minor}-cp{major}{minor}-{system}"


def _wheel(base: str, members: dict[str, bytes]) -> bytes:
    """Return a wheel of files, stored as they are, since builds of zlib deflate differently."""
    record = f"{base}.dist-info/RECORD"
    lines = []
    for where in sorted(members):
        digest = base64.urlsafe_b64encode(hashlib.sha256(members[where]).digest()).decode().rstrip("=")
        quoted = f'"{where}"' if "," in where else where
        lines.append(f"{quoted},sha256={digest},{len(members[where])}\n")
    return stored({**members, record: "".join([*lines, f"{record},,\n"]).encode()})
