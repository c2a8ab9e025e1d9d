"""Settings: one frozen value, and the only reader of this package's environment variables."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from modellab_jupyter.errors import InputError

STORE_NAME = "modellab.duckdb"
DEFAULT_PROJECT = "default"


@dataclass(frozen=True)
class Settings:
    """Where things are logged to.

    Attributes
    ----------
    store : Path
        The DuckDB file; its journals, blobs and evaluations lie in `files`, beside it.
    project : str
        Name of the project that a run belongs to when none is named.
    """

    store: Path
    project: str

    @property
    def files(self) -> Path:
        """The folder beside the store: ``modellab.files`` for ``modellab.duckdb``."""
        return self.store.with_suffix(".files")


def settings(store: str | os.PathLike[str] | None = None, project: str | None = None) -> Settings:
    """Return the settings that hold in the current folder.

    Parameters
    ----------
    store : path, optional
        The DuckDB file. Default: the variable ``MODELLAB_STORE``, else the nearest ``modellab.duckdb`` in this
        folder or one above it, else ``modellab.duckdb`` in this folder.
    project : str, optional
        Default: the variable ``MODELLAB_PROJECT``, else ``"default"``.

    Raises
    ------
    InputError
        The store is a URL, a folder, or a file of another kind.
    """
    if store is None:
        store = os.environ.get("MODELLAB_STORE") or nearest(Path.cwd())
    text = os.fspath(store) if isinstance(store, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        raise InputError(f"store must be the path of a DuckDB file, found {store!r}; give a text or a Path.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text):  # one letter would be a drive
        raise InputError(f"store must be the path of a DuckDB file in this version, found {text!r}; give a path.")
    path = Path(text).expanduser().absolute()
    if os.path.isdir(path):  # noqa: PTH112 - false, and no error, for a name that is too long
        path = path / STORE_NAME
    if path.suffix != ".duckdb":
        raise InputError(f"store must be a path that ends in .duckdb, found {text!r}; try {path.stem + '.duckdb'!r}.")
    above = next(place for place in path.parents if place.exists())
    if not above.is_dir():
        raise InputError(f"store must lie in a folder, found {text!r}, and {str(above)!r} is none; give another path.")
    name = os.environ.get("MODELLAB_PROJECT", DEFAULT_PROJECT) if project is None else project
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"project must be a name or an id, found {name!r}; give a text that is not empty.")
    return Settings(path, name)


def nearest(folder: Path) -> Path:
    """Return the nearest ``modellab.duckdb`` here or above, else where one would be made here."""
    for place in (folder, *folder.parents):
        if (place / STORE_NAME).is_file():
            return place / STORE_NAME
    return folder / STORE_NAME


def notebook() -> str | None:
    """Return the path of the notebook that this kernel belongs to, where the host says it."""
    name = os.environ.get("JPY_SESSION_NAME")
    return name if name and name.endswith(".ipynb") else None


def in_server() -> bool:
    """Tell whether this kernel was started by an interactive Jupyter Server (not nbclient, nbval or papermill)."""
    return bool(os.environ.get("JPY_SESSION_NAME"))
