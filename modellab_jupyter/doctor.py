"""``modellab doctor``: what is installed, where things lie, what waits, what is wrong and what to do."""

from __future__ import annotations

import sys
from importlib import metadata, resources
from pathlib import Path

from modellab_jupyter import journal as journals
from modellab_jupyter.session import Session
from modellab_jupyter.store import upkeep


def report(owner: Session) -> str:
    """Return the state of the installation and of the store as lines of text; trouble is marked with ``!``."""
    health = owner.store.health()
    size = f"{_size(health.size)}, " if health.size else ""  # nobody knows it of a shared one
    schema = f"schema {health.schema_version}" if health.schema_version else "its schema is not known"
    lines = [
        f"modellab-jupyter {_version('modellab-jupyter')}, Python {sys.version.split()[0]}",
        f"DuckDB {health.duckdb_version}, JupyterLab {_version('jupyterlab')}",
        f"store    {health.path} " + (f"({size}{schema})" if health.exists else "(made with the first run)"),
        f"files    {owner.settings.files}",
        f"project  {owner.settings.project}",
        f"journal  {health.waiting_segments} file{'s' * (health.waiting_segments != 1)}, {_size(health.waiting_bytes)}",
    ]
    if owner.settings.shared is None:
        kept = upkeep.kept_files(owner.settings.store)
        lines += [
            f"kept     {path.name} ({_size(path.stat().st_size)}), damaged; remove it once nothing is missing"
            for path in kept
        ]
    trouble = [] if health.problem is None else [health.problem]
    trouble += [
        f"a record of {row['segment']} at byte {row['position']} cannot be read ({row['reason']}); "
        "it is kept in the store"
        for row in health.unreadable
    ]
    trouble += [
        f"{path} was left behind by a repair or compaction that was killed; remove it."
        for path in upkeep.left_behind(owner.settings.store)
    ]
    trouble += [
        f"{path} has no name of a journal, so it is not taken in; it is a copy that somebody or some program made."
        for path in journals.strangers(owner.store.journals)
    ]
    if owner.journal.waiting:
        trouble.append(f"{owner.journal.waiting} records wait for the disk; free space in {owner.settings.files}.")
    folder = _nearest_folder(owner.settings.store.parent)
    if not _writable(folder):
        trouble.append(f"folder {folder} cannot be written; choose another store with ml.configure(store=...).")
    if not (resources.files("modellab_jupyter") / "static").is_dir():
        trouble.append("the front end was not built; reinstall with pip install --force-reinstall modellab-jupyter.")
    if health.exists and health.problem is None:
        lines += _space(owner)
    lines += [f"! {text}" for text in trouble] or ["all is well"]
    return "\n".join(lines)


def repair(owner: Session) -> str:
    """Save what can be read of a damaged store, take the journals in, and say what was done."""
    done = owner.store.repair()
    if done is None:
        return f"{owner.settings.place} is sound, and what waited in its journals was taken in."
    if not done.rows and done.lost:
        lost = ["! no row of it could be read; what the journals still held is there"]
    else:
        lost = [
            f"! {'all' if count < 0 else count} rows of table {table} could not be read"
            for table, count in done.lost.items()
        ]
        for place, count in done.blank.items():
            table, _, column = place.rpartition(".")
            lost.append(f"! column {column} of {count} rows of table {table} could not be read; the rows were saved")
    return "\n".join(
        [
            f"{done.rows} rows were saved into a new {owner.settings.store.name}, and the journals were taken in.",
            f"the damaged file is kept as {done.kept.name}",
            *(lost or ["nothing was lost"]),
        ]
    )


def compact(owner: Session) -> str:
    """Write the store anew without its free space and say how much smaller it is."""
    before, after = owner.store.compact()
    return f"{owner.settings.place} took {_size(before)} and now takes {_size(after)}; everything is still there."


def _space(owner: Session) -> list[str]:
    """Return lines on what takes space: the largest tables, and each folder."""
    found = owner.store.storage()
    tables = [row for row in found if row["what"] == "table" and row["bytes"]][:5]
    parts = [f"{row['name']} {_size(row['bytes'])} ({row['count']} rows)" for row in tables]
    folders = [
        f"{row['what']} {_size(row['bytes'])} ({row['count']})" for row in found if row["what"] not in {"table", "file"}
    ]
    return [*([f"tables   {', '.join(parts)}"] if parts else []), f"space    {', '.join(folders)}"]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _size(count: int) -> str:
    return f"{count} bytes" if count < 10_000 else f"{count / 1e3:.0f} kB" if count < 1e7 else f"{count / 1e6:.0f} MB"


def _nearest_folder(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def _writable(folder: Path) -> bool:
    import os

    return os.access(folder, os.W_OK)
