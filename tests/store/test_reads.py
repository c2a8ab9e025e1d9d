"""What is read is what was logged, whoever took it in, however long it is, and whatever was kept in memory."""

from __future__ import annotations

import math
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import modellab_jupyter as ml
from modellab_jupyter import schema, session
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store, kept, queries, reduce, wide

STARTED = {"host": "h", "pid": 1, "started": 1.0, "session_id": "s", "project_id": "proj_1"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "modellab.duckdb", tmp_path / "modellab.files")


def logged(journal: Journal, points: Any, run: str = "run_1", key: str = "m") -> None:
    for step, at, value in points:
        values, odd = ({key: value}, {}) if math.isfinite(value) else ({}, {key: repr(value)})
        journal.append(schema.MetricsLogged(time=at * 1000, run_id=run, step=step, values=values, odd=odd))


@pytest.mark.parametrize("seed", range(4))
def test_the_last_value_follows_step_and_time_whoever_was_taken_in_first(store: Store, seed: int) -> None:
    """Several processes write one run; the value of the highest step, latest there, is last in any order."""
    rng = random.Random(seed)
    points = [(step, at, float(step * 100 + at)) for step in range(5) for at in range(3)]
    rng.shuffle(points)
    first = Journal(store.journals)
    first.append(schema.RunStarted(time=1, run_id="run_1", name="a", **STARTED))
    for part in range(3):
        journal = Journal(store.journals)
        logged(journal, points[part::3])
        journal.close()
        if rng.random() < 0.7:
            store.ingest()
    summary = store.sql("SELECT last, last_step, epoch_us(last_time) AS us, n FROM metric_summary").to_pylist()
    assert summary == [{"last": 402.0, "last_step": 4, "us": 2, "n": 15}]
    assert store.runs().column("metrics.m").to_pylist() == [402.0]
    assert store.run("run_1")["metrics"] == {"m": 402.0}


@pytest.mark.parametrize("seed", range(3))
def test_the_wide_table_is_what_the_other_tables_say(store: Store, seed: int) -> None:
    """However runs change, piece by piece, the rows kept at ingest are those that would be made anew from all."""
    rng = random.Random(seed)
    journal = Journal(store.journals)
    runs = [f"run_{i}" for i in range(4)]
    made = []
    for run in runs:
        journal.append(schema.RunStarted(time=1, run_id=run, name=run, **STARTED))
    for tick in range(2, 40):
        run, at = rng.choice(runs), tick * 1000
        match rng.randrange(6):
            case 0:
                journal.append(
                    schema.ParamsLogged(time=at, run_id=run, params={rng.choice("pq"): rng.choice(["1", '"x"'])})
                )
            case 1:
                logged(journal, [(rng.randrange(3), tick, rng.choice([1.0, math.nan, -2.5]))], run, rng.choice("ab"))
            case 2:
                gone = [rng.choice("st")]
                journal.append(schema.TagsSet(time=at, run_id=run, tags={rng.choice("uv"): None}, removed=gone))
            case 3:
                made.append(f"eval_{tick:02}")
                found = [schema.Estimate(metric=m, estimate=v, low=None, high=None, confidence_level=None, method=None,
                                         n=9, reason="none") for m, v in (("a", 0.5), ("c", None))]  # fmt: skip
                journal.append(schema.EvaluationLogged(
                    time=at, evaluation_id=made[-1], run_id=run, name=rng.choice(["test", "train"]), task_type="c", n=9,
                    labels_digest="l", rows_digest="r", predictions="p", folder="f", takeaway="t", estimates=found,
                    settings={}))  # fmt: skip
            case 4 if made:
                kind = rng.choice([schema.Trashed, schema.Restored])
                journal.append(kind(time=at, kind="evaluation", ids=[rng.choice(made)]))
            case _ if rng.random() < 0.2:
                journal.append(schema.Purged(time=at))
            case _:
                pass
        if rng.random() < 0.4:
            store.ingest()
    store.ingest()
    everything = "SELECT * FROM run_wide ORDER BY run_id"
    with store._backend.connect(write=True) as con:
        before = repr(con.execute(everything).fetchall())
        wide.refresh(con, None)

        assert before == repr(con.execute(everything).fetchall())


FLOATS = st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, 1.0, -1.0]))


@given(st.lists(FLOATS, max_size=200), st.integers(1, 12))
def test_a_reduced_series_keeps_first_last_and_the_extremes_of_every_bucket(values: list[float], buckets: int) -> None:
    """In order, no more than four points a bucket, and no finite peak is lost, wherever NaN and infinities stand."""
    array = np.array(values, dtype=np.float64)
    places = reduce.kept(array, buckets)

    assert places.tolist() == sorted(set(places.tolist()))
    if len(array) <= 4 * buckets:
        assert len(places) == len(array)
        return
    assert len(places) <= 4 * buckets
    assert {places[0], places[-1]} == {0, len(array) - 1}
    width = -(-len(array) // buckets)
    for start in range(0, len(array), width):
        part, shown = array[start : start + width], array[places[(places >= start) & (places < start + width)]]
        finite, there = part[np.isfinite(part)], shown[np.isfinite(shown)]
        if len(finite):
            assert (there.min(), there.max()) == (finite.min(), finite.max())


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10**6)), unique=True, min_size=1, max_size=120), st.data())
@settings(max_examples=15, deadline=None)
def test_series_come_in_order_whatever_the_order_of_ingest(points: list[tuple[int, int]], data: st.DataObject) -> None:
    """By run, metric, step, time; reduced or whole, of one run or several, with every value bit for bit."""
    import tempfile

    expected = [(*point, float(place)) for place, point in enumerate(sorted(points))]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "a.duckdb", Path(folder) / "files")
        journal = Journal(store.journals)
        logged(journal, data.draw(st.permutations(expected)))
        logged(journal, expected[:3], "run_2")
        journal.close()
        whole = store.series(["run_1"], "m").to_pylist()
        assert expected == [(r["step"], round(r["time"].timestamp() * 1e6), r["value"]) for r in whole]
        few = store.series(["run_1", "run_2"], "m", 8)
        assert few.schema.names == ["run_id", "key", "step", "value", "time"]
        mine = [row for row in few.to_pylist() if row["run_id"] == "run_1"]
        assert [r["value"] for r in mine] == sorted(r["value"] for r in mine)
        assert [whole[0], whole[-1]] == [mine[0], mine[-1]]
        assert few.schema == store.series(["run_1", "run_2"], "m").schema
        assert store.series(["nobody"], "m").num_rows == store.series([], None, 10).num_rows == 0


def test_what_was_kept_is_never_older_than_the_file(store: Store) -> None:
    """A series is given from memory while the file stays as it is, and read again after any process wrote."""
    journal = Journal(store.journals)
    logged(journal, [(0, 1, 1.0)])
    store.ingest()
    journal.close()
    store.ingest()
    time.sleep(0.15)
    first = store.series(["run_1"], "m")
    assert store.series(["run_1"], "m") is first
    for step in range(1, 6):
        other = Store(store.path, store.files)
        again = Journal(store.journals)
        logged(again, [(step, step + 1, float(step))])
        again.close()
        other.ingest()
        assert store.series(["run_1"], "m").num_rows == step + 1


def test_little_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest tables go first where they become too many, and one that is too large is not kept."""
    import pyarrow as pa

    monkeypatch.setattr(kept, "LIMIT", 1000)
    found = kept.Kept()
    state = (1, 2, 3, 4)
    for place in range(20):
        found.put(state, str(place), pa.table({"a": list(range(10))}))
    assert found.get(state, "19") is not None
    assert found.get(state, "0") is None
    assert found.get((1, 2, 3, 5), "19") is None
    found.put(state, "large", pa.table({"a": list(range(1000))}))
    assert found.get(state, "large") is None


def test_the_file_is_free_between_pieces_of_work(store: Store) -> None:
    """The engine that is kept holds neither the file nor its lock, also after a query that failed."""
    import duckdb

    journal = Journal(store.journals)
    logged(journal, [(0, 1, 1.0)])
    store.runs()
    with pytest.raises(duckdb.Error):
        store.read(queries.rows, "SELECT * FROM nowhere")
    with pytest.raises(ml.InputError):
        store.sql("SELECT * FROM nowhere")
    assert not Path(f"{store.path}.wal").exists()
    code = f"import duckdb; duckdb.connect({str(store.path)!r}).execute('SELECT 1')"
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", code]) == 0
    assert store.series(["run_1"], "m").num_rows == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_reads_and_ends(store: Store) -> None:
    """A child of a process that has read before reads too, and its end waits for nothing."""
    journal = Journal(store.journals)
    logged(journal, [(0, 1, 1.0)])
    journal.close()
    store.runs()
    child = os.fork()
    if child == 0:
        os._exit(0 if store.read(queries.series, ["run_1"], "m").num_rows == 1 else 1)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        pytest.fail("the child never ended")
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    "query",
    [
        "SELECT getenv('HOME')",
        "SELECT * FROM read_csv_auto('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM read_parquet('https://example.org/a.parquet')",
        "SELECT * FROM parquet_scan('a.parquet')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM read_duckdb('other.duckdb')",
        "WITH a AS (SELECT * FROM read_text('/etc/hostname')) SELECT * FROM a",
        "SELECT (SELECT content FROM read_text('/etc/hostname'))",
        "SELECT * FROM query('SELECT * FROM read_text(''/etc/hostname'')')",
        "SELECT * FROM query_table('/etc/passwd')",
        "FROM '/etc/passwd' SELECT *",
        "PIVOT '/etc/passwd' ON a",
        "DESCRIBE SELECT * FROM read_text('/etc/hostname')",
        "SUMMARIZE '/etc/passwd'",
        "LOAD httpfs",
        "INSTALL httpfs FROM community",
        "EXPORT DATABASE 'out'",
        "IMPORT DATABASE 'out'",
        "CHECKPOINT",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "DETACH store",
        "USE memory",
        "CREATE SECRET (TYPE s3)",
        "CREATE TEMP TABLE x AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "RESET lock_configuration",
        "SET VARIABLE a = 1",
        "PREPARE a AS DELETE FROM runs",
        "BEGIN",
        "VACUUM",
        "ALTER TABLE runs ADD COLUMN x INTEGER",
        "DROP TABLE runs",
        "TRUNCATE runs",
        "MERGE INTO runs USING runs AS r ON true WHEN MATCHED THEN DELETE",
        "WITH a AS (DELETE FROM runs RETURNING *) SELECT * FROM a",
        "SELECT 1; ATTACH 'x.duckdb'",
        "/* SELECT */ COPY (SELECT 1) TO 'out.csv'",
        "COPY (SELECT 1) TO PROGRAM 'sh'",
    ],
)
def test_hostile_sql_reaches_no_file_no_network_and_no_setting(query: str) -> None:
    """Whatever the statement, the answer is one sentence, and the store and the folder stay as they were."""
    with ml.start_run("a") as run:
        run.log_metrics({"m": 1.0})
    ml.runs.list()
    path = session.current().store.path
    assert path is not None
    before = path.read_bytes(), sorted(p.name for p in path.parent.iterdir())
    said = ""
    try:
        said = repr(ml.sql(query).to_dict())  # of the engine alone, where it says something at all
    except ml.InputError as error:
        said = str(error).replace(query, "")
    assert "'" + os.environ.get("HOME", "/nowhere") + "'" not in said
    assert "root:" not in said
    assert before == (path.read_bytes(), sorted(p.name for p in path.parent.iterdir()))
    assert ml.runs.list()["name"].tolist() == ["a"]
