"""Stores of every older schema become today's by themselves, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

import modellab_jupyter as ml
from modellab_jupyter import session
from modellab_jupyter.store import Store, migrations, upkeep
from modellab_jupyter.store.backends import STORAGE_VERSION, FileBackend
from tests.conftest import ROOT, python

KILLED = """
import os, sys, duckdb
from modellab_jupyter.store import migrations
con = duckdb.connect()
con.execute("ATTACH 'old.duckdb' AS store")
con.execute("USE store")

class Doomed:
    left = None

    def execute(self, sql, *values):
        for statement in con.extract_statements(sql):
            if self.left == 0:
                os._exit(9)
            self.left = int(sys.argv[1]) if sql == "BEGIN" else self.left and self.left - 1
            done = con.execute(statement, *values)
        return done

migrations.apply(Doomed())
"""


def rows(path: Path) -> dict[str, list[Any]]:
    """Return what the tables hold, those about the file itself left out, and what an old store cannot know."""
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{path}' AS store (READ_ONLY)")
        con.execute("USE store")
        names = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'store'").fetchall()
        return {
            name: sorted(map(repr, con.table(f"store.{name}").select(*columns(con, name)).fetchall()))
            for (name,) in names
            if name not in {"migrations", "segments", "random_states", "draws", "files_read", "packs"}
        }


def columns(con: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    """Return the columns of a table that a store of the oldest schema can fill."""
    found = con.execute(
        "SELECT column_name FROM duckdb_columns() WHERE database_name = 'store' AND table_name = ?", [table]
    ).fetchall()
    later = {"registered_at", "summary", "folder", "distributions", "git_diff", "surroundings", "resumed_at"}
    return [f'"{column}"' for (column,) in found if column not in later]


def aged(new: Path, old: Path, *, filled: bool) -> None:
    """Write a store of the oldest schema with the rows of a new one."""
    number, name, sql = migrations.known()[0]
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{new}' AS new (READ_ONLY)")
        con.execute(f"ATTACH '{old}' AS store (STORAGE_VERSION '{STORAGE_VERSION}')")
        con.execute("USE store")
        con.execute("CREATE TABLE migrations (version INTEGER, name VARCHAR, applied_at TIMESTAMP)")
        con.execute(sql)
        con.execute("INSERT INTO migrations VALUES (?, ?, now())", [number, name])
        tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'store'").fetchall()
        for (table,) in tables if filled else []:
            if table == "migrations":
                continue
            columns = con.execute(
                "SELECT column_name FROM duckdb_columns() WHERE database_name = 'store' AND table_name = ?", [table]
            ).fetchall()
            listed = ", ".join(f'"{column}"' for (column,) in columns)
            con.execute(f"INSERT INTO store.{table} SELECT {listed} FROM new.{table}")


@pytest.fixture
def new() -> Path:
    """Return a store in which runs have everything that the wide table shows."""
    import pandas as pd

    table = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0]})
    for i in range(3):
        with ml.start_run(
            f"r{i}", "p", params={"s": "it's", "n": i, "none": None, "l": [1, "a"]}, tags={"k": "v"}
        ) as run:
            run.log_dataset(table, "d")
            for step in (2, 0, 1):
                run.log_metrics({"a": step / (i + 1), "odd": float("nan")}, step)
            run.evaluate(predictions=[0, 1, 1, 0], labels=[0, 1, 0, 1])
            run.evaluate(predictions=[0, 1, 1, 1], labels=[0, 1, 0, 1], name="train")
    with ml.start_run("bare", "p"):
        pass
    ml.runs.list()
    path = session.current().store.path
    assert path is not None
    return path


def test_rows_of_the_oldest_schema_become_what_ingest_writes_today(new: Path, tmp_path: Path) -> None:
    """A store that grew under the oldest schema holds, after its first use, what a new one would."""
    expected = rows(new)
    aged(new, tmp_path / "old.duckdb", filled=True)
    store = Store(tmp_path / "old.duckdb", tmp_path / "old.files")

    assert repr(store.runs().to_pylist()) == repr(session.current().store.runs().to_pylist())
    assert expected == rows(tmp_path / "old.duckdb")
    assert len(expected["run_wide"]) == 4


def test_a_damaged_store_of_an_older_schema_is_repaired_and_becomes_todays(new: Path, tmp_path: Path) -> None:
    """What a repair saves has the schema that it had, and goes on to the newest with everything in it."""
    expected = rows(new)
    aged(new, tmp_path / "old.duckdb", filled=True)
    done = upkeep.salvage(FileBackend(tmp_path / "none.duckdb"), tmp_path / "old.duckdb", list)
    assert not done.lost
    store = Store(tmp_path / "old.duckdb", tmp_path / "old.files")
    assert rows(tmp_path / "old.duckdb") == expected
    assert store.runs().num_rows == 4


def test_a_damaged_store_of_a_later_version_is_left_alone(new: Path) -> None:
    """Nobody repairs what a later version wrote with a schema that this one does not know."""
    with duckdb.connect(new) as con:
        con.execute("INSERT INTO migrations VALUES (99, 'later', now())")
    before = new.read_bytes()
    with pytest.raises(ml.StoreError, match="upgrade modellab-jupyter"):
        upkeep.salvage(FileBackend(new.with_name("none.duckdb")), new, list)
    assert new.read_bytes() == before
    assert not list(new.parent.glob("*.damaged-*"))


def test_the_tables_of_a_store_are_those_that_its_migrations_leave() -> None:
    """Names read from the migrations are the tables that a new store has, none renamed or dropped among them."""
    with duckdb.connect() as con:
        migrations.apply(con)
        found = con.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    assert migrations.tables() == {name for (name,) in found}


def test_an_empty_store_of_the_oldest_schema_is_usable(new: Path, tmp_path: Path) -> None:
    """Without rows there is nothing to fill, and what comes later is taken in."""
    aged(new, tmp_path / "old.duckdb", filled=False)
    assert Store(tmp_path / "old.duckdb", tmp_path / "old.files").runs().num_rows == 0
    ml.configure(store=tmp_path / "old.duckdb")
    with ml.start_run("later") as run:
        run.log_metrics({"a": 1.0})
    assert ml.runs.list()["metrics.a"].tolist() == [1.0]


@pytest.mark.parametrize("cut", [1, 2, 3, 6])
def test_a_migration_that_is_killed_midway_is_done_by_the_next(new: Path, tmp_path: Path, cut: int) -> None:
    """The statements of a migration are one transaction: a killed process leaves the old schema with all rows."""
    old = tmp_path / "old.duckdb"
    aged(new, old, filled=True)
    before = rows(old)
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(cut)], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert ended.returncode == 9

    assert before == rows(old)
    Store(old, tmp_path / "old.files").runs()
    assert rows(new) == rows(old)


def test_sixteen_processes_migrate_one_store_at_once(tmp_path: Path) -> None:
    """Readers and writers that meet a store of the oldest schema at the same moment all find it whole and new."""
    old = tmp_path / "old.duckdb"
    number, name, sql = migrations.known()[0]
    with duckdb.connect() as con:
        con.execute(f"ATTACH '{old}' AS store (STORAGE_VERSION '{STORAGE_VERSION}')")
        con.execute("USE store")
        con.execute("CREATE TABLE migrations (version INTEGER, name VARCHAR, applied_at TIMESTAMP)")
        con.execute(sql)
        con.execute("INSERT INTO migrations VALUES (?, ?, now())", [number, name])
        con.execute("INSERT INTO projects VALUES ('proj_1', 'p', '', now(), now(), NULL)")
        con.execute(
            """INSERT INTO runs BY NAME SELECT format('run_{:04}', i) AS run_id, 'proj_1' AS project_id, 'r' AS name,
            'finished' AS status, false AS baseline, '' AS note, now() AS started_at, now() AS heartbeat_at, 0 AS lost
            FROM range(500) t(i)"""
        )
        con.execute(
            """INSERT INTO metrics SELECT format('run_{:04}', i % 500), 'm', i // 500, i / 3, now()
            FROM range(20000) t(i)"""
        )
    code = """
import sys
import modellab_jupyter as ml
ml.configure("old.duckdb")
print("up", flush=True)
sys.stdin.readline()
if int(sys.argv[1]) % 2:
    with ml.start_run("w", project_id="p") as run:
        run.log_metric("m", 1)
print(len(ml.runs.list()) >= 500)
"""
    processes = [python(code, str(n)) for n in range(16)]
    assert [process.stdout.readline() for process in processes] == ["up\n"] * 16
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=300) for process in processes]
    assert [(process.returncode, out.strip()) for process, (out, _) in zip(processes, ends, strict=True)] == [
        (0, "True")
    ] * 16, ends
    ml.configure("old.duckdb")
    assert len(ml.runs.list()) == 508
    assert ml.sql("SELECT count(*) AS n, count(DISTINCT run_id) AS d FROM run_wide").values.tolist() == [[508, 508]]
    assert ml.sql("SELECT count(*) AS n FROM metrics")["n"].tolist() == [20008]
    assert ml.sql("SELECT sum(n)::BIGINT AS n FROM metric_summary")["n"].tolist() == [20008]
    assert ml.sql("SELECT count(*) AS n FROM migrations")["n"].tolist() == [len(migrations.known())]


def test_migrations_are_numbered_without_gaps_and_use_only_what_a_lake_has() -> None:
    """Numbers count from 1; no keys, indexes, sequences or insert-or-ignore."""
    assert [number for number, _, _ in migrations.known()] == list(range(1, len(migrations.known()) + 1))
    for _, name, sql in migrations.known():
        plain = "\n".join(line for line in sql.splitlines() if not line.startswith("--")).upper()
        for word in ("PRIMARY KEY", "UNIQUE", "REFERENCES", "INDEX", "SEQUENCE", "OR IGNORE", "ON CONFLICT"):
            assert word not in plain, (name, word)
