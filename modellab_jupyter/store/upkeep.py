"""What keeps a store small and whole: what takes space, a smaller file, and what can be saved of a damaged one."""

from __future__ import annotations

import glob
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab_jupyter import progress, schema
from modellab_jupyter.errors import StoreBusyError, StoreError, StoreUnreadableError
from modellab_jupyter.store import backends, migrations, queries, wide
from modellab_jupyter.store.backends import BLOCK_SIZE, STORAGE_VERSION, FileBackend

if TYPE_CHECKING:
    import duckdb

_ROWS = 2048  # rows that are given up together where some of them cannot be read
_TRIES = 5
# Columns of ours without which a row says nothing, or another thing.
_NEEDED = re.compile(
    r".*_id|.*digest|id|proposed|segment|taken|name|kind|source|status|baseline|key|tag|value|seconds|warmup|metric|"
    r"estimate|version|fields|predictions|folder|settings|task_type|n|position"
)
_MADE_ANEW = {"migrations", "metric_summary", "run_wide"}  # they follow from the schema and from the other tables

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
    blank : dict of str to int
        ``table.column`` to rows that were saved without what the column had.
    """

    kept: Path
    rows: int
    lost: dict[str, int]
    blank: dict[str, int]


def rewrite(backend: FileBackend, path: Path) -> tuple[int, int]:
    """Write a file anew without its free space and put it in place of the old; return bytes before and after.

    Who writes meanwhile waits; a reader finishes with the old file. Until the last step nothing is changed.

    Raises
    ------
    StoreBusyError
        Another program holds the file or kept writing to it.
    StoreError
        There is no room for the new file, which is removed then, or something in the store cannot be copied.
    """
    import duckdb

    path = path.resolve()  # a link stays one
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
                try:
                    con.execute(f"ATTACH '{_quoted(fresh)}' AS fresh ({_options()})")
                    con.execute("COPY FROM DATABASE store TO fresh")
                    con.execute("DETACH fresh")
                except duckdb.CatalogException as error:  # an object of the user's own that DuckDB cannot copy
                    said = str(error).partition("\n")[0]
                    raise StoreError(f"{path.name} cannot be copied ({said}); the store was left as it was.") from error
                _same(con, fresh)
                shutil.copymode(path, fresh)
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
        counts = [con.execute(f"SELECT count(*) FROM {db}.{table}").fetchall() for db in ("store", "fresh")]
        if counts[0] != counts[1]:
            raise StoreError(f"table {table} has other rows in the copy; the store was left as it was.")
    con.execute("DETACH fresh")


def sizes(con: duckdb.DuckDBPyConnection) -> list[tuple[str, int, int]]:
    """Return each table with its rows and about how many bytes of the file it takes, the largest first."""
    database = con.execute("SELECT current_database()").fetchall()[0][0]
    block = con.execute("SELECT block_size FROM pragma_database_size() WHERE database_name = ?", [database]).fetchall()
    found = []
    for table in _tables(con, database):
        rows = int(con.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
        blocks = con.execute(
            "SELECT count(DISTINCT block_id) FROM pragma_storage_info(?) WHERE block_id >= 0", [table]
        ).fetchall()
        found.append((_shown(table), rows, int(blocks[0][0]) * int(block[0][0])))
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
    size = None if path is None else backends.size(path)
    found = [] if path is None or size is None else [_row("file", path.name, 1, size)]
    for folder in ("blobs", "evaluations", "journal"):
        sizes = (backends.size(member) for member in (files / folder).rglob("*") if member.is_file())
        each = [size for size in sizes if size is not None]
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
            con.execute(f"SELECT max(hash(t)) FROM {table} t").fetchall()
    except duckdb.Error:
        return False
    return True


def salvage(backend: FileBackend, path: Path, waiting: Callable[[], Iterable[schema.AnyEvent]]) -> Salvage:
    """Save what can be read of a damaged file into a new one in its place; the damaged one stays beside it.

    Parameters
    ----------
    backend : FileBackend
        Of the file.
    path : Path
    waiting : callable
        Gives what the journals hold. Where nobody knows any more which of it the file has, the journals' word counts.

    Raises
    ------
    StoreBusyError
        Another program holds the file.
    StoreNewerError
        A later version of ModelLab wrote it.
    """
    import duckdb

    path = path.resolve()  # a link stays one
    with suppress(StoreUnreadableError), backend.connect(write=False):  # a holder is named before anything is done
        pass
    kept, fresh = _name_to_keep(path), path.with_name(f".{path.name}.{os.getpid()}.new")
    _discard(fresh)
    lost: dict[str, int] = {}
    blank: dict[str, int] = {}
    with duckdb.connect(":memory:") as con:
        try:
            source = _attached(con, path)  # and held until the new file has its place, so that nobody takes journals in
            version = _version(con) if source is not None else None
            migrations.check(version or 0)
            con.execute(f"ATTACH '{_quoted(fresh)}' AS store ({_options()})")
            con.execute("USE store")
            migrations.apply(con, version)
            saved = _rescued(con, lost, blank) if source is not None else 0
            if source is None:
                lost = dict.fromkeys(sorted(migrations.tables() - _MADE_ANEW), -1)
            migrations.apply(con)
            _mend(con, lost, blank, waiting())
            con.execute("USE memory")
            con.execute("DETACH store")  # writes all of it
            shutil.copymode(path, fresh)
            if os.name == "nt" and source is not None:
                con.execute("DETACH damaged")  # Windows replaces no file that is open
            _exchange(path, kept, fresh)
        finally:
            con.close()
            _discard(fresh)
            _discard(_bare(path))
    return Salvage(kept, saved, lost, blank)


def _name_to_keep(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    names = (
        path.with_name(f"{path.stem}.damaged-{stamp}{n}{path.suffix}") for n in ("", *map(".{}".format, range(1000)))
    )
    return next(name for name in names if not name.exists())


def _exchange(path: Path, kept: Path, fresh: Path) -> None:
    """Put the new file in the place of the old, which gets another name; if killed, the old one stands there."""
    linked = True
    try:
        os.link(path, kept)
    except OSError:  # a file system without links
        linked = False
    log = path.with_name(path.name + ".wal")
    if log.exists():
        log.replace(kept.with_name(kept.name + ".wal"))
    if not linked:
        path.replace(kept)
    fresh.replace(path)


def left_behind(path: Path) -> list[Path]:
    """Return the files beside a store that a repair or a compaction left there when it was killed."""
    import psutil

    return sorted(
        one
        for one in path.parent.glob(f".{glob.escape(path.name)}.*")
        if (found := re.fullmatch(r"\.(\d+)\.(new|bare)(\.wal)?", one.name.removeprefix(f".{path.name}")))
        and not (int(found[1]) == os.getpid() or psutil.pid_exists(int(found[1])))
    )


def kept_files(path: Path) -> list[Path]:
    """Return the damaged files that repairs have kept."""
    return sorted(path.parent.glob(f"{glob.escape(path.stem)}.damaged-*{path.suffix}"))


def _version(con: duckdb.DuckDBPyConnection) -> int | None:
    """Return the number of the schema of the damaged file, None where nobody knows."""
    import duckdb

    try:
        found = con.execute("SELECT max(version) FROM damaged.main.migrations").fetchall()
    except duckdb.Error:
        return None
    return None if found[0][0] is None else int(found[0][0])


def _bare(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.bare")


def _attached(con: duckdb.DuckDBPyConnection, path: Path) -> Path | None:
    """Attach a damaged file, without its write-ahead log where that is what is damaged; return what was attached."""
    import duckdb

    bare = _bare(path)
    for place in (path, bare):
        if place == bare:
            shutil.copyfile(path, bare)
        with suppress(duckdb.Error):
            con.execute(f"ATTACH '{_quoted(place)}' AS damaged (READ_ONLY)")
            return place
    return None


def _rescued(con: duckdb.DuckDBPyConnection, lost: dict[str, int], blank: dict[str, int]) -> int:
    """Copy what can be read of every table, also of those that are the user's own; return how many rows there are."""
    ours = {f'"main"."{name}"' for name in migrations.tables()}
    saved = 0
    there = _tables(con, "damaged")
    wanted = [t for t in sorted({*there, *_tables(con, "store")}) if not (t in ours and _shown(t) in _MADE_ANEW)]
    with progress.steps("saving what can be read", len(wanted), unit="table") as step:
        for table in wanted:
            name = _shown(table)
            step(name)
            if table not in there:
                lost[name] = -1
                continue
            if table not in ours:
                con.execute(f"CREATE SCHEMA IF NOT EXISTS store.{table.partition('.')[0]}")
                con.execute(f"CREATE TABLE store.{table} AS FROM damaged.{table} LIMIT 0")
            rows, missing, without = _rescue(con, table, needed=table in ours)
            saved += rows
            lost |= {name: missing} if missing else {}
            blank |= {f"{name}.{column}": count for column, count in without.items()}
    return saved


def _rescue(con: duckdb.DuckDBPyConnection, table: str, *, needed: bool) -> tuple[int, int, Counter[str]]:
    """Copy what can be read of a table; return its rows, how many are missing, and those without a column's value.

    Parameters
    ----------
    needed : bool
        Whether a row is given up where one of the columns that it says nothing without cannot be read.
    """
    import duckdb

    try:
        found = con.execute(f"SELECT count(*), coalesce(max(rowid) + 1, 0) FROM damaged.{table}").fetchall()
    except duckdb.Error:
        return 0, -1, Counter()
    count, last = map(int, found[0])  # there are gaps where rows were deleted
    columns = [str(column[0]) for column in con.execute(f"FROM damaged.{table} LIMIT 0").description or ()]
    blank: Counter[str] = Counter()
    saved = 0
    parts = [(0, last)]
    while parts:
        start, end = parts.pop()
        copied = _copied(con, table, columns, start, end)
        if copied is None and end - start > _ROWS:
            middle = start + (end - start) // 2
            parts += [(middle, end), (start, middle)]
            continue
        if copied is None:
            readable = [column for column in columns if _is_readable(con, table, column, start, end)]
            without = [column for column in columns if column not in readable]
            if readable and not (needed and any(_NEEDED.fullmatch(column) for column in without)):
                copied = _copied(con, table, readable, start, end)
                blank.update(dict.fromkeys(without, copied or 0))
        saved += copied or 0
    return saved, count - saved, blank


def _copied(con: duckdb.DuckDBPyConnection, table: str, columns: Sequence[str], start: int, end: int) -> int | None:
    """Copy some columns of some rows; return how many rows, or None where they cannot be read."""
    import duckdb

    chosen = ", ".join(map(_name, columns))
    try:
        return int(
            con.execute(
                f"INSERT INTO store.{table} BY NAME SELECT {chosen} FROM damaged.{table} "
                "WHERE rowid >= ? AND rowid < ?",
                [start, end],
            ).fetchall()[0][0]
        )
    except duckdb.Error:
        return None


def _is_readable(con: duckdb.DuckDBPyConnection, table: str, column: str, start: int, end: int) -> bool:
    import duckdb

    try:
        con.execute(
            f"SELECT max(hash({_name(column)})) FROM damaged.{table} WHERE rowid >= ? AND rowid < ?", [start, end]
        ).fetchall()
    except duckdb.Error:
        return False
    return True


def _mend(
    con: duckdb.DuckDBPyConnection, lost: dict[str, int], blank: dict[str, int], waiting: Iterable[schema.AnyEvent]
) -> None:
    """Take out what the journals will give again, and compute anew what follows from other values."""
    if "segments" in lost:
        con.execute("DELETE FROM segments")  # those that are known would not be given again
        for event in waiting:
            at = event.time // 1000
            if isinstance(event, schema.MetricsLogged):
                con.execute(
                    "DELETE FROM metrics WHERE run_id = $run AND list_contains($keys::VARCHAR[], key) AND "
                    "(step = $step AND coalesce(time = make_timestamp($at), true) "
                    "OR step IS NULL AND time = make_timestamp($at))",
                    {
                        "run": event.run_id,
                        "step": event.step,
                        "at": at,
                        "keys": [*event.values, *(event.odd or {})],
                    },
                )
            elif isinstance(event, schema.LatencyLogged):
                con.execute(
                    "DELETE FROM latencies WHERE run_id = ? AND name = ? AND time = make_timestamp(?)",
                    [event.run_id, event.name, at],
                )
            elif isinstance(event, schema.RunEnded) and event.lost:  # added to what earlier ends said, if it was taken
                con.execute(
                    "UPDATE runs SET lost = greatest(0, coalesce(lost, 0) - ?) "
                    "WHERE run_id = ? AND coalesce(heartbeat_at >= make_timestamp(?), true)",
                    [event.lost, event.run_id, at],
                )
    if "metrics.time" in blank:  # no series is found without; the start of the run is the nearest that is known
        con.execute(
            """UPDATE metrics m SET time = coalesce(
              (SELECT min(started_at) FROM runs r WHERE r.run_id = m.run_id), TIMESTAMP '1970-01-01')
            WHERE time IS NULL"""
        )
    if "metrics.step" in blank:  # as they are counted where none is given
        con.execute(
            """UPDATE metrics m SET step = p.place FROM (
              SELECT rowid AS at, row_number() OVER (PARTITION BY run_id, key ORDER BY time, rowid) - 1 AS place
              FROM metrics) p WHERE m.rowid = p.at AND m.step IS NULL"""
        )
    con.execute("DELETE FROM metric_summary")
    con.execute(  # arg_max would make 0.0 of -0.0
        """INSERT INTO metric_summary
        SELECT run_id, key, count(*), last(value ORDER BY step, time, rowid), max(step), max((step, time))[2],
          min(value) FILTER (isfinite(value)), max(value) FILTER (isfinite(value)), min(time), max(time)
        FROM metrics GROUP BY run_id, key"""
    )
    wide.refresh(con, None)


def _tables(con: duckdb.DuckDBPyConnection, database: str) -> Sequence[str]:
    """Return the tables of a database with their schemas, as SQL names them."""
    rows = con.execute(
        "SELECT schema_name, table_name FROM duckdb_tables() "
        "WHERE database_name = ? AND NOT internal AND NOT temporary ORDER BY ALL",
        [database],
    ).fetchall()
    return [".".join(map(_name, row)) for row in rows]


def _name(text: str) -> str:
    """Return a name as SQL has it."""
    return '"' + text.replace('"', '""') + '"'


def _shown(table: str) -> str:
    return table.removeprefix('"main".').replace('"', "")


def _options() -> str:
    return f"STORAGE_VERSION '{STORAGE_VERSION}', BLOCK_SIZE {BLOCK_SIZE}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _discard(path: Path) -> None:
    for name in (path.name, path.name + ".wal"):
        path.with_name(name).unlink(missing_ok=True)
