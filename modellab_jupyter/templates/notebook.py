"""The template notebooks: where they are, and a copy of one for a person to work in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from modellab_jupyter.errors import InputError, hint

NAMES: Final = ("classification", "regression")
# In an installed package they lie beside this file, in a source tree in its folder of notebooks.
_HOMES: Final = (Path(__file__).parent / "notebooks", Path(__file__).parents[2] / "notebooks" / "templates")


def source(name: str) -> Path:
    """Return the file of a template notebook.

    Parameters
    ----------
    name : {"classification", "regression"}

    Raises
    ------
    InputError
        There is no template of this name, or the installation lacks its notebooks.
    """
    if name not in NAMES:
        raise InputError(f"name: there is no template {name!r}{hint(str(name), NAMES)}; give one of {', '.join(NAMES)}")
    found = [home / f"{name}.ipynb" for home in _HOMES if (home / f"{name}.ipynb").is_file()]
    if not found:
        raise InputError(f"name: the notebook of {name!r} is not in this installation; install the package again")
    return found[0]


def copy(name: str, to: str | os.PathLike[str] | None = None) -> Path:
    """Copy a template notebook.

    Parameters
    ----------
    name : {"classification", "regression"}
    to : path, optional
        The new notebook, or a folder for it. Default: ``NAME.ipynb`` in the current folder.

    Returns
    -------
    pathlib.Path
        The new file.

    Raises
    ------
    InputError
        There is no such template, no such folder, or the file exists already: nothing is overwritten.
    """
    text = source(name).read_bytes()
    target = Path(f"{name}.ipynb" if to is None else to).expanduser()
    if target.is_dir():
        target = target / f"{name}.ipynb"
    if target.suffix != ".ipynb":
        target = target.with_name(f"{target.name}.ipynb")
    try:
        with target.open("xb") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"to: {str(target)!r} exists already; give another name, or remove it first") from None
    except FileNotFoundError:
        raise InputError(f"to: there is no folder {str(target.parent)!r}; make it, or give another one") from None
    return target
