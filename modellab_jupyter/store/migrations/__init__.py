"""Numbered changes of the schema; each and the record that it was applied are one transaction."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from modellab_jupyter.errors import StoreNewerError

if TYPE_CHECKING:
    import duckdb


@cache
def known() -> tuple[tuple[int, str, str], ...]:
    """Return number, name and SQL of every migration, in order."""
    files = sorted(f.name for f in resources.files(__name__).iterdir() if f.name.endswith(".sql"))
    return tuple((int(f[:4]), f[5:-4], resources.files(__name__).joinpath(f).read_text("utf-8")) for f in files)


@cache
def tables() -> frozenset[str]:
    """Return the names of the tables that the migrations make; whatever else is in a store is its owner's."""
    made = " ".join(sql for _, _, sql in known())
    renamed = dict(re.findall(r"ALTER TABLE (\w+) RENAME TO (\w+)", made))
    return frozenset({"migrations", *(renamed.get(name, name) for name in re.findall(r"CREATE TABLE (\w+)", made))})


def applied(con: duckdb.DuckDBPyConnection) -> int:
    """Return the number of the last migration that was applied, 0 for an empty store."""
    there = con.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'migrations' AND database_name = current_database()"
    ).fetchall()
    if not there[0][0]:
        return 0
    return int(con.execute("SELECT coalesce(max(version), 0) FROM migrations").fetchall()[0][0])


def is_current(con: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether the store has every migration that this version knows, and no later one."""
    version = applied(con)
    check(version)
    return version == known()[-1][0]


def check(version: int) -> None:
    """Raise StoreNewerError for a number that this version of ModelLab does not know."""
    newest = known()[-1][0]
    if version > newest:
        raise StoreNewerError(
            f"the store's schema is number {version} and this version of ModelLab knows up to {newest}; "
            "upgrade modellab-jupyter, or choose another store with ml.configure(store=...)."
        )


def apply(con: duckdb.DuckDBPyConnection, upto: int | None = None) -> None:
    """Apply what is pending, up to a number where one is given."""
    if is_current(con):
        return
    done = applied(con)
    pending = [one for one in known() if one[0] > done and (upto is None or one[0] <= upto)]
    # A store without rows becomes what it is at once, which takes two thirds of the time; else each stands alone.
    for together in [pending] if done == 0 else [[one] for one in pending]:
        con.execute("BEGIN")
        try:
            con.execute("CREATE TABLE IF NOT EXISTS migrations (version INTEGER, name VARCHAR, applied_at TIMESTAMP)")
            for version, name, sql in together:
                con.execute(sql)
                con.execute("INSERT INTO migrations VALUES (?, ?, now() AT TIME ZONE 'UTC')", [version, name])
            con.execute("COMMIT")
        except BaseException:
            con.execute("ROLLBACK")
            raise
