"""Template notebooks: find the one that was installed, and copy it with values in its parameters cell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from modellab_jupyter.errors import InputError, hint

NAMES = ("classification", "regression")


def source(name: str) -> Path:
    """Return the installed template notebook of that name."""
    if name not in NAMES:
        raise InputError(f"name must be one of {', '.join(NAMES)}, found {name!r}{hint(name, NAMES) or '.'}")
    wanted = f"share/modellab/notebooks/templates/{name}.ipynb"
    for file in metadata.files("modellab-jupyter") or ():
        if file.as_posix().endswith(wanted):
            return Path(str(file.locate())).resolve()
    raise InputError(f"the template notebook {name!r} is not installed; reinstall modellab-jupyter with pip.")


def copy(name: str, to: str | Path | None = None, parameters: Mapping[str, Any] | None = None) -> Path:
    """Copy a template notebook, by default to ``NAME.ipynb`` in the current folder.

    Parameters
    ----------
    name : {"classification", "regression"}
    to : path, optional
    parameters : mapping, optional
        Values that replace those of the parameters cell; numbers, texts, True, False, None.

    Returns
    -------
    Path

    Raises
    ------
    InputError
        There is no such template, or `to` exists already.
    """
    target = Path(f"{name}.ipynb" if to is None else to).expanduser()
    document = json.loads(source(name).read_text("utf-8"))
    if target.exists():
        raise InputError(f"to must be a path that does not exist yet, found {str(target)!r}; give another with to=.")
    if parameters:
        cell = next(c for c in document["cells"] if "parameters" in c["metadata"].get("tags", []))
        lines = "".join(cell["source"]).splitlines()
        cell["source"] = [
            next((f"{key} = {value!r}" for key, value in parameters.items() if line.startswith(f"{key} =")), line)
            + "\n"
            for line in lines
        ]
        cell["source"][-1] = cell["source"][-1].rstrip("\n")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return target
