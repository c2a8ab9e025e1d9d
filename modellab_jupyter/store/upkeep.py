"""What keeps a store small and whole: what takes space, a smaller file, and what can be saved of a damaged one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab_jupyter import schema
from modellab_jupyter.errors import StoreBusyError, StoreError, StoreUnreadableError
from modellab_jupyter.store import queries, wide
from modellab_jupyter.store.backends import BLOCK_SIZE, STORAGE_VERSION, FileBackend

if TYPE_CHECKING:
    import duckdb

_ROWS = 2048  # rows that are given up together where some of them cannot be read
_TRIES = 5

_TRASHED = """SELECT sum(size) AS bytes FROM (
  SELECT DISTINCT a.digest, a.size FROM artifacts a JOIN runs r USING (run_id) JOIN projects p USING (project_id)
  WHERE coalesce(a.deleted_at, r.deleted_at, p.deleted_at) IS NOT NULL)"""


@dataclass(frozen=True)
class Salvage:
    """What `salvage` did.

    Attributes
    ----------
    kept : Path
        The damaged file, beside the new one.
    rows : int
        Rows that were saved.
    lost : dict of str to int
        Table to rows that could not be read; -1 where nobody knows how many there were.
    """

    kept: Path
    rows: int
    lost: dict[str, int]


def rewrite(backend: FileBackend, path: Path) -> tuple[int, int]:
    """Write a file anew without its free space and put it in place of the old; return bytes before and after.

    Who writes meanwhile waits; a reader finishes with the old file. Until the last step nothing is changed.

    Raises
    ------
    StoreBusyError
        Another program holds the file or kept writing to it.
    StoreError
        There is no room for the new file, which is removed then.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    log = path.with_name(path.name + ".wal")
    for _ in range(_TRIES):
        with backend.connect(write=True) as con:
            con.execute("CHECKPOINT")
        try:
            # A reader keeps writers out, and leaves no log of its own to remove under the name of the new file.
            with backend.connect(write=False) as con:
                if log.exists():  # somebody was killed in between, and what the log holds is not in the file
                    continue
                before = path.stat().st_size
                con.execute(f"ATTACH '{_quoted(fresh)}' AS fresh ({_options()})")
                con.execute("COPY FROM DATABASE store TO fresh")
                con.execute("DETACH fresh")
                _same(con, fresh)
                if os.name == "nt":
                    con.execute("USE memory")  # Windows replaces no file that is open
                    con.execute("DETACH store")
                fresh.replace(path)
            return before, path.stat().st_size
        finally:
            _discard(fresh)
    raise StoreBusyError(f"{path.name} is written to all the time; try again when fewer runs end.")


def _same(con: duckdb.DuckDBPyConnection, fresh: Path) -> None:
    """Make sure that a copy has every row before it takes the place of the original."""
    con.execute(f"ATTACH '{_quoted(fresh)}' AS fresh (READ_ONLY)")
    for table in _tables(con, "store"):
        counts = [con.execute(f'SELECT count(*) FROM {db}."{table}"').fetchall() for db in ("store", "fresh")]
        if counts[0] != counts[1]:
            raise StoreError(f"table {table} has other rows in the copy; the store was left as it was.")
    con.execute("DETACH fresh")


def sizes(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """Return each table with its rows and about how many bytes of the file it takes, the largest first."""
    database = con.execute("SELECT current_database()").fetchall()[0][0]
    block = con.execute("SELECT block_size FROM pragma_database_size() WHERE database_name = ?", [database]).fetchall()
    found = []
    for table in _tables(con, database):
        rows = int(con.execute(f'SELECT count(*) FROM "{table}"').fetchall()[0][0])
        blocks = con.execute(
            "SELECT count(DISTINCT block_id) FROM pragma_storage_info(?) WHERE block_id >= 0", [table]
        ).fetchall()
        found.append((table, rows, int(blocks[0][0]) * int(block[0][0])))
    return sorted(found, key=lambda row: (-row[2], -row[1]))


def in_lake(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return what the files of a lake's tables take, as `inside` does; rows in its catalogue are not counted."""
    found = con.execute(
        "SELECT table_name, file_count, file_size_bytes + coalesce(delete_file_size_bytes, 0) "
        "FROM ducklake_table_info('store') ORDER BY 3 DESC, 1"
    ).fetchall()
    return [_row("table", str(name), int(count), int(size)) for name, count, size in found]


def inside(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return what the tables take, and what lies in the trash, as rows of ``what``, ``name``, ``count``, ``bytes``."""
    rows = [_row("table", name, count, size) for name, count, size in sizes(con)]
    trash = con.execute(_TRASHED).fetchall()[0][0] or 0
    named = "artifacts in the trash, counted with the blobs"
    return [*rows, _row("trash", named, queries.trash(con).num_rows, int(trash))]


def beside(path: Path | None, files: Path) -> list[dict[str, Any]]:
    """Return what the file and the folders beside it take, as `inside` does."""
    found = [_row("file", path.name, 1, path.stat().st_size)] if path is not None and path.is_file() else []
    for folder in ("blobs", "evaluations", "journal"):
        each = [member.stat().st_size for member in (files / folder).rglob("*") if member.is_file()]
        found.append(_row(folder, str(files / folder), len(each), sum(each)))
    return found


def _row(what: str, name: str, count: int, size: int) -> dict[str, Any]:
    return {"what": what, "name": name, "count": count, "bytes": size}


def drop_folders(root: Path, wanted: set[str], before: float) -> tuple[int, int]:
    """Remove the folders of `root` that are not wanted (``root/name``) and older; return how many, and their bytes."""
    count = size = 0
    for path in root.glob("*"):
        if f"{root.name}/{path.name}" not in wanted and path.is_dir() and path.stat().st_mtime < before:
            count, size = count + 1, size + sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
            shutil.rmtree(path)
    return count, size


def is_sound(con: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether every row of every table can be read."""
    import duckdb

    try:
        for table in _tables(con, con.execute("SELECT current_database()").fetchall()[0][0]):
            con.execute(f'SELECT max(hash(t)) FROM "{table}" t').fetchall()
    except duckdb.Error:
        return False
    return True


def salvage(backend: FileBackend, path: Path, waiting: Sequence[schema.AnyEvent]) -> Salvage:
    """Save what can be read of a damaged file into a new one in its place; the damaged one stays beside it.

    Parameters
    ----------
    backend : FileBackend
        Of the file.
    path : Path
    waiting : sequence of Event
        What the journals hold. Where nobody knows any more which of it the file has, the journals' word counts.

    Raises
    ------
    StoreBusyError
        Another program holds the file.
    """
    with suppress(StoreUnreadableError), backend.connect(write=False):  # a holder is named before anything is done
        pass
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    names = (
        path.with_name(f"{path.stem}.damaged-{stamp}{n}{path.suffix}") for n in ("", *map(".{}".format, range(1000)))
    )
    kept = next(name for name in names if not name.exists())
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    _discard(fresh)
    target = FileBackend(fresh)
    saved, lost = 0, {}
    try:
        with target.connect(write=True) as con:
            source = _attached(con, path)
            for table in _tables(con, "store"):
                if source is None:
                    lost[table] = -1
                    continue
                rows, missing = _rescue(con, table)
                saved += rows
                if missing:
                    lost[table] = missing
            if source is not None:
                con.execute("DETACH damaged")
                if source != path:
                    _discard(source)
            _mend(con, lost, waiting)
        path.replace(kept)
        log = path.with_name(path.name + ".wal")
        if log.exists():
            log.replace(kept.with_name(kept.name + ".wal"))
        fresh.replace(path)
    finally:
        _discard(fresh)
    return Salvage(kept, saved, lost)


def _attached(con: duckdb.DuckDBPyConnection, path: Path) -> Path | None:
    """Attach a damaged file, without its write-ahead log where that is what is damaged; return what was attached."""
    import duckdb

    bare = path.with_name(f".{path.name}.{os.getpid()}.bare")
    for place in (path, bare):
        if place == bare:
            shutil.copyfile(path, bare)
        with suppress(duckdb.Error):
            con.execute(f"ATTACH '{_quoted(place)}' AS damaged (READ_ONLY)")
            return place
    _discard(bare)
    return None


def _rescue(con: duckdb.DuckDBPyConnection, table: str) -> tuple[int, int]:
    """Copy the rows of a table that can be read; return how many there are and how many are missing."""
    import duckdb

    columns = [row[0] for row in con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = $table AND database_name = 'store' AND "
        "column_name IN (SELECT column_name FROM duckdb_columns() WHERE table_name = $table AND "
        "database_name = 'damaged')", {"table": table},
    ).fetchall()]  # fmt: skip
    if not columns:
        return 0, 0
    named = ", ".join(f'"{name}"' for name in columns)
    try:
        count = int(con.execute(f'SELECT count(*) FROM damaged."{table}"').fetchall()[0][0])
    except duckdb.Error:
        return 0, -1
    con.execute(f'DELETE FROM store."{table}"')
    lost = 0
    parts = [(0, count)]
    while parts:
        start, end = parts.pop()
        try:
            con.execute(
                f'INSERT INTO store."{table}" ({named}) SELECT {named} FROM damaged."{table}" '
                "WHERE rowid >= ? AND rowid < ?",
                [start, end],
            )
        except duckdb.Error:
            if end - start <= _ROWS:
                lost += end - start
            else:
                middle = start + (end - start) // 2
                parts += [(middle, end), (start, middle)]
    there = int(con.execute(f'SELECT count(*) FROM store."{table}"').fetchall()[0][0])
    return there, max(lost, count - there)


def _mend(con: duckdb.DuckDBPyConnection, lost: dict[str, int], waiting: Sequence[schema.AnyEvent]) -> None:
    """Take out what the journals will give again, and compute anew what follows from other tables."""
    if "segments" in lost:
        for event in waiting:
            at = event.time // 1000
            if isinstance(event, schema.MetricsLogged):
                con.execute(
                    "DELETE FROM metrics WHERE run_id = ? AND step = ? AND time = make_timestamp(?) "
                    "AND list_contains(?::VARCHAR[], key)",
                    [event.run_id, event.step, at, [*event.values, *(event.odd or {})]],
                )
            elif isinstance(event, schema.LatencyLogged):
                con.execute(
                    "DELETE FROM latencies WHERE run_id = ? AND name = ? AND time = make_timestamp(?)",
                    [event.run_id, event.name, at],
                )
    if "metric_summary" in lost or "segments" in lost:
        con.execute("DELETE FROM metric_summary")
        con.execute(
            """INSERT INTO metric_summary
            SELECT run_id, key, count(*), arg_max(value, (step, time)), max(step), max((step, time))[2],
              min(value) FILTER (isfinite(value)), max(value) FILTER (isfinite(value)), min(time), max(time)
            FROM metrics GROUP BY run_id, key"""
        )
    if lost:
        wide.refresh(con, None)


def _tables(con: duckdb.DuckDBPyConnection, database: str) -> Sequence[str]:
    rows = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? ORDER BY table_name", [database]
    ).fetchall()
    return [str(name) for (name,) in rows]


def _options() -> str:
    return f"STORAGE_VERSION '{STORAGE_VERSION}', BLOCK_SIZE {BLOCK_SIZE}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _discard(path: Path) -> None:
    for name in (path.name, path.name + ".wal"):
        path.with_name(name).unlink(missing_ok=True)
