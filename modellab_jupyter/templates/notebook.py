"""Template notebooks: find them, and copy one with values in its parameters cell."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from modellab_jupyter.errors import InputError, hint

NAMES: Final = ("classification", "regression")
_CHECKOUT: Final = Path(__file__).parents[2] / "notebooks" / "templates"


def source(name: str) -> Path:
    """Return the template notebook of that name: from the source tree we run in, else from the installation.

    Raises
    ------
    InputError
        There is no such template, or the installation lacks its notebooks.
    """
    if name not in NAMES:
        raise InputError(f"name must be one of {', '.join(NAMES)}, found {name!r}{hint(str(name), NAMES) or '.'}")
    if (_CHECKOUT / f"{name}.ipynb").is_file():
        return _CHECKOUT / f"{name}.ipynb"
    wanted = f"share/modellab/notebooks/templates/{name}.ipynb"
    try:
        installed = metadata.files("modellab-jupyter") or ()
    except metadata.PackageNotFoundError:
        installed = ()
    for file in installed:
        if file.as_posix().endswith(wanted):
            return Path(str(file.locate())).resolve()
    raise InputError(f"the template notebook {name!r} is not installed; reinstall modellab-jupyter with pip.")


def copy(name: str, to: str | os.PathLike[str] | None = None, parameters: Mapping[str, Any] | None = None) -> Path:
    """Copy a template notebook, by default to ``NAME.ipynb`` in the current folder.

    Parameters
    ----------
    name : {"classification", "regression"}
    to : path, optional
        The new notebook, or a folder that is there; the ending may be left out.
    parameters : mapping, optional
        Values that replace those of the parameters cell; numbers, texts, True, False, None.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        There is no such template or parameter, or `to` exists already: nothing is overwritten.
    """
    document = json.loads(source(name).read_text("utf-8"))
    target = Path(f"{name}.ipynb" if to is None else to).expanduser()
    if target.is_dir():
        target = target / f"{name}.ipynb"
    if target.suffix != ".ipynb":
        target = target.with_name(f"{target.name}.ipynb")
    if parameters:
        cell = next(c for c in document["cells"] if "parameters" in c["metadata"].get("tags", []))
        cell["source"] = _filled("".join(cell["source"]), parameters).splitlines(keepends=True)
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    if not target.parent.is_dir():
        raise InputError(
            f"to must lie in a folder that is there, found {str(target)!r}; there is no folder {str(target.parent)!r}."
        )
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(
            f"to must be a path that does not exist yet, found {str(target)!r}; give another with to=."
        ) from None
    return target


def _filled(cell: str, parameters: Mapping[str, Any]) -> str:
    """Return the assignments of a parameters cell with other values."""
    lines = cell.splitlines()
    known = {line.partition(" = ")[0]: at for at, line in enumerate(lines) if " = " in line}
    for key, value in parameters.items():
        if key not in known:
            there = f"; known are {', '.join(known)}."
            raise InputError(f"parameters has the unknown name {key!r}{hint(key, known) or there}")
        lines[known[key]] = f"{key} = {value!r}"
    return "\n".join(lines)
