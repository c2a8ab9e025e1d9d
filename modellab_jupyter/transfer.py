"""Move a project between stores: `export` writes it to one file, `import_` takes it in elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

from modellab_jupyter import session
from modellab_jupyter.errors import InputError


def export(path: str | os.PathLike[str], project_id: str | None = None) -> Path:
    """Write a project whole to one file: runs, metrics, params, tags, datasets, evaluations, stored bytes, the trash.

    Parameters
    ----------
    path : path
        A file that does not exist yet; a ZIP of Parquet tables and stored bytes.
    project_id : str, optional
        Id or name. Default: the project that runs go to when none is named.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    NotFoundError
        There is no such project, or bytes that it refers to are gone.
    InputError
        The file exists, its folder does not, or it cannot be written.
    DamagedError
        Stored bytes do not match their digest.
    """
    from modellab_jupyter.store import archive

    owner = session.current()
    target = _path(path).expanduser().absolute()
    if not target.parent.is_dir():
        raise InputError(f"path must be in a folder that exists, found {str(path)!r}; make the folder first.")
    ref = owner.settings.project if project_id is None else project_id
    try:
        archive.write(owner.store, owner.store.resolve("project", ref, trash=True), target)
    except OSError as error:
        raise InputError(
            f"path must be where a file can be written, found {str(path)!r} ({error.strerror or error}); "
            "give another path."
        ) from error
    return target


def import_(path: str | os.PathLike[str]) -> dict[str, int]:
    """Take in a project that `export` wrote; what the store knows already stays as it is.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    dict
        How many rows of each table, and how many files, were new; all 0 where it was imported before.

    Raises
    ------
    InputError
        It is no such file, or one that was made to do harm; nothing was written.
    DamagedError
        Its bytes do not match its manifest; nothing was written.
    StoreNewerError
        A later version of ModelLab wrote it.
    """
    source = _path(path).expanduser()
    if not source.is_file():
        raise InputError(f"path must be a file that ml.export wrote, found {str(path)!r}, which is none.")
    owner = session.current()
    counts = owner.store.receive(source)
    owner.forget_projects()
    return counts


def _path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path must be a text or a Path, found {path!r:.80} of type {type(path).__name__}.")
    return Path(path)
