from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import sys
import threading
import time
import warnings
import zlib
from pathlib import Path

import pytest

import modellab_jupyter as ml
from modellab_jupyter import journal as journals
from modellab_jupyter import schema, session
from modellab_jupyter.blobs import Blobs
from modellab_jupyter.journal import Journal
from modellab_jupyter.store import Store, migrations, queries
from tests.conftest import answer, content, python

HOLD = """
import duckdb, sys
con = duckdb.connect("modellab.duckdb")
con.execute("SELECT 1")
print("held", flush=True)
sys.stdin.readline()
"""


def log_some(count: int = 3) -> ml.Run:
    with ml.start_run("some", project_id="churn", params={"depth": 3}, tags=["a"]) as run:
        for step in range(count):
            ml.log_metrics({"loss": 1 / (step + 1), "odd": float("nan")}, step=step)
        ml.log_latency([0.1, 0.2])
        ml.log_artifact({"a": 1}, "a.json")
    return run


# -- taking in ---------------------------------------------------------------------------------------


def test_taking_in_twice_changes_nothing(store: Store, tmp_path: Path) -> None:
    """A second ingest takes nothing and changes no row, also where the segment is still there."""
    journal = Journal(store.journals)
    journal.append(schema.MetricsLogged(time=1, run_id="r", step=0, values={"a": 1.0}))
    assert store.ingest() == 2
    before = content(tmp_path)
    assert store.ingest() == 0
    assert content(tmp_path) == before
    journal.append(schema.MetricsLogged(time=2, run_id="r", step=1, values={"a": 2.0}))
    assert store.ingest() == 1
    assert [row["n"] for row in store.sql("SELECT n FROM metric_summary").to_pylist()] == [2]


def test_a_segment_that_comes_back_changes_nothing(tmp_path: Path) -> None:
    """A segment that was taken and removed, then put back from a copy, is known."""
    run = ml.start_run("a", params={"x": 1})
    ml.log_metrics({"m": 1.0})
    run._describing.join()
    segment = run._session.journal.path
    copy = tmp_path / "copy"
    shutil.copy(segment, copy)
    run.end()
    assert not segment.exists()
    before = content(tmp_path)
    shutil.copy(copy, segment)
    ml.runs.list()
    assert content(tmp_path) == before


def test_an_ingest_that_is_broken_off_leaves_all_or_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows and the record that they were taken are one transaction."""
    from modellab_jupyter.store import ingest

    journal = Journal(store.journals)
    journal.append(schema.MetricsLogged(time=1, run_id="r", step=0, values={"a": 1.0}))
    journal.append(schema.TagsSet(time=2, run_id="r", tags={"x": None}))
    good = ingest._tags

    def bad(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ingest, "_tags", bad)
    with pytest.raises(KeyboardInterrupt):
        store.ingest()
    monkeypatch.setattr(ingest, "_tags", good)
    with store._backend.connect(write=False) as con:
        assert con.execute("SELECT (SELECT count(*) FROM metrics), (SELECT count(*) FROM segments)").fetchone() == (
            0,
            0,
        )
    store.ingest()
    assert store.sql("SELECT count(*) AS n FROM metrics").to_pylist() == [{"n": 1}]


def test_two_processes_may_take_in_at_once(store: Store) -> None:
    """Whoever comes first takes a record; the other finds it taken."""
    journal = Journal(store.journals, segment_bytes=2000)
    for step in range(300):
        journal.append(schema.MetricsLogged(time=step, run_id="r", step=step, values={"a": 1.0}))
    journal.close()
    code = """
import sys
from pathlib import Path
from modellab_jupyter.store import Store
store = Store(Path("modellab.duckdb"), Path("modellab.files"))
sys.stdin.readline()
print(sum(store.ingest(wait=30) for _ in range(5)))
"""
    both = [python(code) for _ in range(2)]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    counts = [process.communicate(timeout=60) for process in both]
    assert sum(int(out) for out, _ in counts) >= 300, counts
    assert store.sql("SELECT count(*) AS n, count(DISTINCT step) AS d FROM metrics").to_pylist() == [
        {"n": 300, "d": 300}
    ]


def test_sixteen_writers_and_a_reader_on_a_store_that_is_not_there_yet() -> None:
    """Nothing is lost or doubled, nobody fails, and a project that all of them create is one."""
    code = """
import sys
import modellab_jupyter as ml
sys.stdin.readline()
with ml.start_run("w" + sys.argv[1], project_id="shared", params={"writer": int(sys.argv[1])}) as run:
    for step in range(50):
        ml.log_metrics({"a": step, "b": 0.5})
"""
    reader = """
import sys
import modellab_jupyter as ml
sys.stdin.readline()
for _ in range(5):
    table = ml.runs.list()
print("read")
"""
    processes = [python(code, str(n)) for n in range(16)] + [python(reader)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    ends = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 17, [err for _, err in ends if err]
    runs = ml.runs.list()
    assert sorted(runs["name"]) == sorted(f"w{n}" for n in range(16))
    assert set(runs["status"]) == {"finished"}
    counts = ml.sql("SELECT run_id, key, count(*) AS n, count(DISTINCT step) AS d FROM metrics GROUP BY ALL")
    assert (len(counts), set(counts["n"]), set(counts["d"])) == (32, {50}, {50})
    assert ml.projects.list()[["name", "runs"]].values.tolist() == [["shared", 16]]


def test_projects_and_datasets_of_one_name_become_one(store: Store) -> None:
    """Two writers propose ids for one name; the first is the id, the other another way to say it."""
    journal = Journal(store.journals)
    for number in (1, 2):
        at = number * 1000
        journal.append(schema.ProjectAdded(time=at, project_id=f"proj_{number}", name="churn"))
        journal.append(
            schema.DatasetAdded(
                time=at + 1, dataset_id=f"ds_{number}", name="data", digest=f"{number:064}", source="frame",
                project_id=f"proj_{number}",
            )
        )  # fmt: skip
        journal.append(
            schema.RunStarted(
                time=at + 2, run_id=f"run_{number}", project_id=f"proj_{number}", name="r", host="h", pid=1,
                started=1.0, session_id="s",
            )
        )  # fmt: skip
        journal.append(
            schema.DatasetUsed(time=at + 3, run_id=f"run_{number}", dataset_id=f"ds_{number}", digest=f"{number:064}")
        )
        store.ingest()
    assert [p["project_id"] for p in store.projects().to_pylist()] == ["proj_1"]
    assert store.runs("proj_1").num_rows == 2
    assert store.resolve("project", "proj_2") == "proj_1"
    assert store.resolve("dataset", "ds_2") == "ds_1"
    versions = store.read(queries.versions, "ds_1")
    assert [(v["version"], v["runs"]) for v in versions] == [(1, ["run_1"]), (2, ["run_2"])]


def test_a_name_whose_first_project_is_gone_for_good_is_free_again(store: Store) -> None:
    """A writer whose id stood for a project that was destroyed makes the project anew, and its runs are seen."""
    journal = Journal(store.journals)

    def work(number: int, at: int) -> None:
        journal.append(schema.ProjectAdded(time=at, project_id=f"proj_{number}", name="churn"))
        journal.append(
            schema.RunStarted(
                time=at + 1, run_id=f"run_{at}", project_id=f"proj_{number}", name="r", host="h", pid=1, started=1.0,
                session_id="s",
            )
        )  # fmt: skip

    work(1, 1000)
    work(2, 2000)
    journal.append(schema.Trashed(time=3000, kind="project", ids=["proj_1"]))
    journal.append(schema.Purged(time=4000))
    store.ingest()
    assert store.runs().num_rows == 0
    work(2, 5000)
    store.ingest()
    assert [r["run_id"] for r in store.runs(store.resolve("project", "churn")).to_pylist()] == ["run_5000"]
    work(1, 6000)
    store.ingest()
    assert store.runs(store.resolve("project", "churn")).num_rows == 2
    assert store.projects().num_rows == 1


def test_a_summary_is_what_its_series_says() -> None:
    """Last, lowest, highest and count of each metric equal those of the series, over any number of ingests."""
    rng = random.Random(3)
    with ml.start_run("a") as run:
        for _ in range(5):
            for _ in range(rng.randint(1, 6)):
                ml.log_metrics({"m": rng.choice([rng.random(), float("nan"), float("inf")]), "n": rng.random()})
            ml.runs.list()
    table = ml.sql(
        """SELECT s.n = m.n AND s.last IS NOT DISTINCT FROM m.last AND s.last_step = m.last_step
        AND s.lowest IS NOT DISTINCT FROM m.lowest AND s.highest IS NOT DISTINCT FROM m.highest AS same
        FROM metric_summary s JOIN (SELECT key, count(*) AS n, arg_max(value, step) AS last, max(step) AS last_step,
          min(value) FILTER (isfinite(value)) AS lowest, max(value) FILTER (isfinite(value)) AS highest
          FROM metrics GROUP BY key) m USING (key)"""
    )
    assert table["same"].tolist() == [True, True]
    assert run.status == "finished"


def put(folder: Path, *events: schema.Event) -> Path:
    """Write events as one segment of a writer of their own; return its path."""
    journal = Journal(folder)
    for event in events:
        journal.append(event)
    path = journal.path
    journal.close()
    return path


def begun(run: str, project: str, at: int) -> schema.RunStarted:
    return schema.RunStarted(
        time=at, run_id=run, project_id=project, name=run, host="h", pid=1, started=0.0, session_id="s"
    )


def test_the_store_is_what_becomes_of_events_in_order(store: Store) -> None:
    """Taken in one by one or all at once, events of several writers leave the same rows."""
    events = [
        schema.ProjectAdded(time=1, project_id="proj_1", name="P"),
        begun("run_1", "proj_1", 2),
        schema.Trashed(time=3, kind="project", ids=["proj_1"]),
        schema.ProjectAdded(time=4, project_id="proj_1", name="P"),
        begun("run_2", "proj_1", 5),
        schema.Changed(time=6, kind="project", id="proj_1", fields={"name": "Q"}),
        schema.ProjectAdded(time=7, project_id="proj_2", name="P"),
        begun("run_3", "proj_2", 8),
        schema.Trashed(time=9, kind="run", ids=["run_3"]),
        schema.Purged(time=10),
        begun("run_4", "proj_2", 11),
    ]
    one_by_one = Store(None, store.files / "other")
    for event in events:
        put(one_by_one.journals, event)
        one_by_one.ingest()
        put(store.journals, event)
    query = "SELECT run, project FROM (SELECT r.name AS run, p.name AS project FROM runs r JOIN projects p "
    query += "USING (project_id) WHERE p.deleted_at IS NULL) ORDER BY run"
    rows = store.read(queries.rows, query)
    assert rows == one_by_one.read(queries.rows, query)
    assert [tuple(row.values()) for row in rows] == [("run_1", "Q"), ("run_2", "Q"), ("run_4", "P")]


def test_a_writers_own_order_stays_where_its_clock_was_set_back(store: Store) -> None:
    """What a writer wrote later comes later, also with an earlier time."""
    put(
        store.journals,
        schema.ProjectAdded(time=10**18, project_id="proj_1", name="P"),
        schema.Trashed(time=10**18 + 1, kind="project", ids=["proj_1"]),
        schema.Restored(time=10**18 - 5, kind="project", ids=["proj_1"]),
    )
    assert store.projects()["name"].to_pylist() == ["P"]


def test_an_event_that_cannot_be_applied_is_set_aside_and_the_others_are_not(store: Store) -> None:
    """Values that no table holds stop neither ingest nor reading; the line is kept with its reason."""
    bad = schema.DatasetAdded(time=4, dataset_id="ds_1", name="d", digest="0", source="frame", rows=2**70)
    path = put(
        store.journals,
        schema.ProjectAdded(time=1, project_id="proj_1", name="P"),
        *(begun(f"run_{i}", "proj_1", 2) for i in range(5)),
        bad,
        begun("run_5", "proj_1", 5),
        schema.TagsSet(time=6, run_id="run_5", tags={"t": None}),
        schema.RunEnded(time=7, run_id="run_5", status="finished", duration=1.0, lost=2**64),
    )
    with pytest.warns(RuntimeWarning, match=f"{path.name} cannot be read .its values do not fit the tables"):
        store.ingest()
    assert len(store.runs()) == 6
    assert store.sql("SELECT tag FROM tags")["tag"].to_pylist() == ["t"]
    kept = store.sql("SELECT segment, line, reason FROM unreadable ORDER BY position").to_pylist()
    assert kept[0]["line"][9:] == schema.encode(bad)
    assert len(kept) == 2
    assert {row["segment"] for row in kept} == {path.name}
    assert store.ingest() == 0


@pytest.mark.filterwarnings("ignore:a line of the journal:RuntimeWarning")
@pytest.mark.parametrize("others", [0, 3, 200])
def test_however_many_events_cannot_be_applied_the_others_are(others: int) -> None:
    """Twenty events that no table holds are set aside each, be they all there is; reading, ending and doctor go on."""
    run = ml.start_run("a")
    run._describing.join()
    bad = [schema.MetricsLogged(time=9, run_id=run.id, step=2**70 + i, values={"m": 1.0}) for i in range(20)]
    good = [schema.MetricsLogged(time=9, run_id=run.id, step=i, values={"m": 1.0}) for i in range(others)]
    path = put(session.current().journal.folder, *bad[:10], *good, *bad[10:])
    run.end()
    assert ml.runs.list()["status"].tolist() == ["finished"]
    assert len(ml.sql("FROM metrics")) == others
    kept = ml.sql("SELECT position, line, reason FROM unreadable WHERE segment = ? ORDER BY 1", [path.name])
    assert [bytes(line)[9:] for line in kept["line"]] == [schema.encode(one) for one in bad]
    assert all("do not fit the tables" in reason for reason in kept["reason"])
    assert len(session.current().store.health().unreadable) == 20


def test_what_cannot_be_taken_at_all_is_told_and_stays(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault that is no single event's is an error of the store in one sentence, and the journal keeps its lines."""
    from modellab_jupyter.store import ingest

    path = put(store.journals, begun("run_1", "proj_1", 1), begun("run_2", "proj_1", 2))
    good = ingest.apply

    def together(con: object, events: object) -> None:
        if len(list(events)) > 1:
            raise OverflowError("too much together")

    monkeypatch.setattr(ingest, "apply", together)
    for use in (store.ingest, store.runs):
        with pytest.raises(ml.StoreError, match=r"^the journals cannot be taken into the store \(too much together\)"):
            use()
    monkeypatch.setattr(ingest, "apply", good)
    assert path.exists()
    assert store.runs().num_rows == 2


@pytest.mark.parametrize("broken", ["_metrics", "_part"])
@pytest.mark.parametrize("error", [KeyError("slip"), ValueError("slip")])
@pytest.mark.parametrize("others", [False, True])
def test_a_slip_of_ours_sets_no_line_aside(
    store: Store, monkeypatch: pytest.MonkeyPatch, broken: str, error: Exception, others: bool
) -> None:
    """A fault that a plain event of the same kind has too is told, and no line, segment or journal is touched."""
    from modellab_jupyter.store import ingest

    good = getattr(ingest, broken)

    def slip(con: object, events: list[object], *more: object) -> None:
        if events:
            raise error
        good(con, events, *more)

    path = put(
        store.journals,
        *([schema.ProjectAdded(time=1, project_id="proj_1", name="P"), begun("run_1", "proj_1", 2)] if others else []),
        *(schema.MetricsLogged(time=3 + i, run_id="run_1", step=i, values={"m": 1.0}) for i in range(5)),
    )
    before = path.read_bytes()
    monkeypatch.setattr(ingest, broken, slip)
    for use in (store.ingest, store.runs):
        with pytest.raises(ml.StoreError, match=r"^the journals cannot be taken into the store \('?slip'?\)"):
            use()
    assert path.read_bytes() == before
    monkeypatch.setattr(ingest, broken, good)
    store.ingest()
    assert store.sql(
        "SELECT (SELECT count(*) FROM metrics) AS n, (SELECT count(*) FROM unreadable) AS u"
    ).to_pylist() == [{"n": 5, "u": 0}]


def test_a_plain_event_of_every_kind_is_taken(store: Store) -> None:
    """What tells a slip of ours from a value that no table holds can itself be taken, be there a store or none."""
    from modellab_jupyter.store import ingest, intake

    kinds = schema.AnyEvent.__args__
    put(store.journals, *(intake.plain(kind) for kind in kinds))
    for _ in range(2):
        store.ingest()
        with store._backend.connect(write=True) as con:
            for kind in kinds:
                with intake.transaction(con, keep=False):
                    ingest.apply(con, [intake.plain(kind)])
    assert not store.health().unreadable


def test_an_event_of_a_later_version_is_set_aside_as_such(store: Store) -> None:
    """A kind of event that is not known says in its reason that a later version wrote it."""
    body = b'{"event":"sung","time":1}'
    store.journals.mkdir(parents=True)
    (store.journals / "seg_1.jsonl").write_bytes(b"%08x %b\n" % (zlib.crc32(body), body))
    with pytest.warns(RuntimeWarning, match="a later version of ModelLab wrote an event"):
        store.ingest()


def test_segments_that_are_gone_are_forgotten_in_time(store: Store) -> None:
    """A segment that was removed is known for a week, should it come back, and no longer."""
    for _ in range(3):
        put(store.journals, schema.Beat(time=1, run_id="r"))
        store.ingest()
    assert store.sql("SELECT count(*) AS n FROM segments")["n"].to_pylist() == [3]
    with store._backend.connect(write=True) as con:
        con.execute("UPDATE segments SET taken_at = taken_at - INTERVAL 8 DAY")
    put(store.journals, schema.Beat(time=2, run_id="r"))
    store.ingest()
    assert store.sql("SELECT count(*) AS n FROM segments")["n"].to_pylist() == [1]


# -- held, killed, damaged ---------------------------------------------------------------------------


def test_a_store_that_is_held_stops_no_run_and_the_reader_learns_who(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting, logging, ending and reading go on; the holder is named; everything arrives later."""
    monkeypatch.setattr(session, "HELD_FOR", 0.0)
    log_some()
    holder = python(HOLD)
    assert holder.stdout.readline() == "held\n"
    began = time.monotonic()
    with pytest.warns(RuntimeWarning, match=rf"held by another program \(process {holder.pid}, .*Nothing is lost"):
        run = log_some(1)
    assert time.monotonic() - began < 2
    with pytest.warns(RuntimeWarning, match=rf"held by another program \(process {holder.pid}, .* a copy is shown"):
        assert ml.runs.list()["name"].tolist() == ["some", "some"]
    holder.communicate("\n", timeout=30)
    assert ml.runs.list()["name"].tolist() == ["some", "some"]
    assert ml.runs.get(run.id).status == "finished"


def test_a_store_that_others_take_turns_at_is_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a run is silent where another program has the store for a moment, and tells what lasts, once."""
    log_some()
    holder = python(HOLD)
    assert holder.stdout.readline() == "held\n"
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        log_some(1)
        assert told == []
        monkeypatch.setattr(session, "HELD_FOR", 0.0)
        log_some(1)
        log_some(1)
        assert ["Nothing is lost" in str(one.message) for one in told] == [True]
        with ml.start_run("later") as run:
            session.current().journal.close()
            session.current().journal.folder.rename("elsewhere")
            session.current().journal.folder.write_text("no folder")
            run.log_metrics({"m": 1.0})
        assert ["cannot write" in str(one.message) for one in told[1:]] == [True]
        session.current().journal.folder.unlink()
        Path("elsewhere").rename(session.current().journal.folder)
    holder.communicate("\n", timeout=30)
    session.current().journal.flush()
    assert len(ml.runs.list()) == 5


def test_a_purge_leaves_what_a_live_run_is_about_to_name(store: Store) -> None:
    """An environment captured within the hour stays; one that nobody named for longer goes."""
    hour = 3600 * 10**9
    now = time.time_ns()
    put(
        store.journals,
        schema.EnvironmentCaptured(time=now - 2 * hour, digest="old", content={}),
        schema.EnvironmentCaptured(time=now - 2 * hour, digest="again", content={}),
        schema.ProjectAdded(time=now, project_id="proj_1", name="P"),
        begun("run_1", "proj_1", now),
        schema.EnvironmentCaptured(time=now, digest="again", content={}),
        schema.EnvironmentCaptured(time=now, digest="new", content={}),
        schema.Purged(time=now),
        schema.RunDescribed(time=now, run_id="run_1", environment="new"),
    )
    assert store.sql("SELECT digest FROM environments ORDER BY 1")["digest"].to_pylist() == ["again", "new"]


def test_a_run_of_a_project_that_was_purged_is_shown(store: Store) -> None:
    """A run that starts in a project which is gone for good meanwhile stands in one that says so."""
    put(
        store.journals,
        schema.ProjectAdded(time=1, project_id="proj_1", name="P"),
        schema.Trashed(time=2, kind="project", ids=["proj_1"]),
        schema.Purged(time=3),
        begun("run_1", "proj_1", 4),
        begun("run_2", "proj_1", 5),
    )
    assert store.projects()["name"].to_pylist() == ["recovered-proj_1"]
    assert sorted(store.runs()["name"].to_pylist()) == ["run_1", "run_2"]


# -- blobs -------------------------------------------------------------------------------------------


def test_good_content_heals_a_damaged_blob(tmp_path: Path) -> None:
    """A blob whose bytes were changed is whole again once its content is put again."""
    blobs = Blobs(tmp_path / "blobs")
    digest = blobs.put(b"content")
    blobs.path(digest).write_bytes(b"CONTENT")
    assert blobs.put(b"content") == digest
    assert blobs.get(digest) == b"content"
    assert [path.name for path in blobs.folder.glob(".*")] == []


def test_a_blob_that_is_put_while_it_is_removed_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever empties the trash looks at a blob again after moving it aside; a put in between wins."""
    blobs, other = Blobs(tmp_path / "blobs"), Blobs(tmp_path / "blobs")
    digest, gone = blobs.put(b"content"), blobs.put(b"gone")
    for one in (digest, gone):
        os.utime(blobs.path(one), (1, 1))
    move = Path.replace
    for moment in ("before", "after"):

        def replace(path: Path, target: Path, moment: str = moment) -> Path:
            if target.suffix != ".aside" or digest not in target.name:
                return move(path, target)
            monkeypatch.setattr(Path, "replace", move)
            if moment == "before":
                other.put(b"content")
            moved = move(path, target)
            if moment == "after":
                other.put(b"content")
            return moved

        monkeypatch.setattr(Path, "replace", replace)
        blobs.discard(set(), time.time() - 3600)
        assert other.get(digest) == b"content"
        os.utime(blobs.path(digest), (1, 1))
    assert not blobs.path(gone).exists()
    blobs.path(digest).rename(blobs.folder / f".{digest}.aside")  # killed in between
    assert blobs.discard({digest}, time.time()) == (0, 0)
    assert blobs.get(digest) == b"content"


@pytest.mark.parametrize("harm", ["missing", "damaged"])
def test_a_lost_list_of_a_folder_keeps_its_members(tmp_path: Path, harm: str) -> None:
    """Where the list of a stored folder cannot be read, its bytes stay and a warning names the list."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("a")
    with ml.start_run("r") as run:
        artifact = ml.artifacts.get(run.log_artifact("sub"))
    store = session.current().store
    member = store.blobs.members(artifact.digest)[0]["digest"]
    for path in store.blobs.folder.glob("*/*"):
        os.utime(path, (1, 1))
    path = store.blobs.path(artifact.digest)
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(b"[]")
    with pytest.warns(RuntimeWarning, match=f"stored bytes were kept.*{artifact.digest[:12]}"):
        assert ml.trash.empty() is not None
    assert store.blobs.get(member) == b"a"
    ml.artifacts.delete(artifact.artifact_id)
    ml.trash.empty()
    assert not store.blobs.path(member).exists()


def test_a_store_that_this_process_holds_is_told_as_such() -> None:
    """A connection that the user opened in the same kernel holds the file as well."""
    import duckdb

    log_some()
    with duckdb.connect("modellab.duckdb"):
        store = Store(Path("modellab.duckdb").absolute(), Path("modellab.files").absolute())
        with (
            pytest.raises(ml.StoreBusyError, match="opened in this process"),
            store._backend.connect(write=True, wait=0.05),
        ):
            pass
    assert ml.runs.list()["name"].tolist() == ["some"]


@pytest.mark.parametrize("moment", [0.0, 0.02, 0.15])
def test_what_was_accepted_survives_sigkill(moment: float) -> None:
    """Every call that had returned when the process was killed is in the store, once; the run shows as stale."""
    process = python("""
import sys
import modellab_jupyter as ml
run = ml.start_run("killed", project_id="p", params={"x": 1})
print(run.id, flush=True)
step = 0
while True:
    ml.log_metrics({"a": step, "b": step / 3, "c": -step, "d": 0.1, "e": 1.0}, step=step)
    sys.stdout.write(f"{step}\\n")
    sys.stdout.flush()
    step += 1
    if step % 50 == 0:
        ml.runs.list()
""")
    run_id = process.stdout.readline().strip()
    process.stdout.readline()
    time.sleep(moment)
    process.send_signal(signal.SIGKILL)
    accepted = [int(line) for line in process.stdout.read().splitlines() if line.strip()]
    process.communicate()
    last = accepted[-1] if accepted else 0
    found = ml.runs.metrics(run_id)
    for _, series in found.groupby("key"):
        assert series["step"].tolist() == list(range(len(series)))
        assert len(series) >= last  # the line of the last one may be cut
    assert set(found["key"]) == set("abcde")
    assert ml.runs.list()["status"].tolist() == ["stale"]
    with ml.start_run(resume=run_id) as run:
        assert run.name == "killed"
        ml.log_metrics({"a": 1.0})
    record = ml.runs.get(run_id)
    assert (record.status, record.params) == ("finished", {"x": 1})
    assert record.last_steps["a"] == found[found["key"] == "a"]["step"].max() + 1


def test_a_run_without_a_heartbeat_is_stale(store: Store) -> None:
    """A run of another machine that has been silent for long does not stay "running"."""
    journal = Journal(store.journals)
    for name, at in (("old", time.time_ns() - 10**12), ("young", time.time_ns())):
        journal.append(
            schema.RunStarted(
                time=at, run_id=f"run_{name}", project_id="proj_1", name=name, host="elsewhere", pid=1, started=1.0,
                session_id="s",
            )
        )  # fmt: skip
    journal.append(schema.ProjectAdded(time=1, project_id="proj_1", name="p"))
    assert {r["name"]: r["status"] for r in store.runs().to_pylist()} == {"old": "stale", "young": "running"}


def test_a_file_that_is_no_store_is_refused_and_left_alone() -> None:
    """Another program's file is neither read as a store nor changed."""
    Path("modellab.duckdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(ml.StoreUnreadableError, match=r"^[^;]*is not a readable DuckDB file \((?!.*not a readable)"):
        ml.runs.list()
    assert Path("modellab.duckdb").read_bytes() == b"not a database" * 1000


def test_a_store_of_a_later_version_is_refused_with_the_way_out(store: Store) -> None:
    """A schema that this version does not know is not touched."""
    import duckdb

    log_some()
    with duckdb.connect("modellab.duckdb") as con:
        con.execute("INSERT INTO migrations VALUES (99, 'future', now()::TIMESTAMP)")
    with pytest.raises(ml.StoreNewerError, match=r"schema is number 99 .* upgrade modellab-jupyter"):
        Store(store.path, store.files).runs()


def test_a_migration_that_fails_midway_leaves_the_store_as_it_was(
    monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """The statements of a migration and the record of it are one transaction; the next try goes through."""
    log_some()
    before = content(Path.cwd())
    newer = (
        *migrations.known(),
        (migrations.known()[-1][0] + 1, "next", "CREATE TABLE extra (a INTEGER); CREATE TABLE runs (a INTEGER);"),
    )
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "known", lambda: newer)
        with pytest.raises(Exception, match="runs"):
            Store(store.path, store.files).runs()
    assert content(Path.cwd()) == before
    better = (*newer[:-1], (newer[-1][0], "next", "CREATE TABLE extra (a INTEGER);"))
    with monkeypatch.context() as patch:
        patch.setattr(migrations, "known", lambda: better)
        assert Store(store.path, store.files).runs().num_rows == 1
    assert "extra" in content(Path.cwd())


def test_an_empty_folder_reads_as_an_empty_store() -> None:
    """Reading makes no file and finds nothing; every list has its columns."""
    assert len(ml.runs.list()) == len(ml.projects.list()) == len(ml.datasets.list()) == 0
    assert len(ml.artifacts.list()) == len(ml.evaluations.list()) == len(ml.trash.list()) == 0
    assert ml.sql("SELECT count(*) AS n FROM runs")["n"].tolist() == [0]
    assert ml.sql("SELECT 1 AS one")["one"].tolist() == [1]
    assert list(ml.runs.list().columns) == [
        "run_id", "name", "project", "status", "baseline", "started_at", "duration", "note", "tags", "dataset",
    ]  # fmt: skip
    assert not any(Path.cwd().iterdir())


def test_health_tells_what_waits(store: Store) -> None:
    """Health counts journals that were not taken in and names the versions."""
    journal = Journal(store.journals)
    journal.append(schema.Beat(time=1, run_id="r"))
    health = store.health()
    assert (health.exists, health.waiting_segments, health.problem) == (False, 1, None)
    assert health.waiting_bytes == journal.path.stat().st_size
    store.ingest()
    assert store.health().schema_version == migrations.known()[-1][0]


# -- reading -----------------------------------------------------------------------------------------


def test_a_long_series_keeps_its_extremes(store: Store) -> None:
    """Reduced to what a screen shows, a series keeps first, last, lowest and highest point and its order."""
    rng = random.Random(1)
    values = [rng.gauss(0, 1) for _ in range(5000)]
    values[1234], values[4321] = 99.0, -99.0
    journal = Journal(store.journals)
    for step, value in enumerate(values):
        journal.append(schema.MetricsLogged(time=step * 1000, run_id="r", step=step, values={"m": value}))
    few = store.read(queries.series, ["r"], "m", 200)
    assert 100 <= few.num_rows <= 200
    shown = few.column("value").to_pylist()
    assert {99.0, -99.0, values[0], values[-1]} <= set(shown)
    assert few.column("step").to_pylist() == sorted(few.column("step").to_pylist())
    assert store.read(queries.series, ["r"], "m", 10_000).column("value").to_pylist() == values


def test_reads_of_a_moment_agree_while_a_training_logs() -> None:
    """Within the block nothing more is taken in by its thread; others see all, and so does it afterwards."""
    seen: list[dict[str, float | None]] = []

    def read() -> None:
        seen.append({row["name"]: row.get("metrics.a") for row in session.current().store.runs().to_pylist()})

    with ml.start_run("one"):
        ml.log_metrics({"a": 1.0})
        with session.current().store.moment():
            ml.log_metrics({"a": 2.0})
            read()
            with session.current().store.moment():
                ml.log_metrics({"a": 3.0})
                read()
            read()
            other = threading.Thread(target=read)
            other.start()
            other.join()
        read()

    assert [one["one"] for one in seen] == [1.0, 1.0, 1.0, 3.0, 3.0]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM 'https://example.org/a.csv'",
        "COPY runs TO 'out.csv'",
        "EXPLAIN ANALYZE COPY runs TO 'out.csv'",
        "EXPLAIN ANALYZE DELETE FROM runs",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "DELETE FROM runs",
        "UPDATE runs SET name = 'x'",
        "CREATE TABLE x (a INTEGER)",
        "INSERT INTO tags VALUES ('a', 'b', 'c', now())",
        "SELECT 1; SELECT 2",
        "SELECT 1; DELETE FROM runs",
        "",
        "-- nothing",
        "SELEC 1",
        "SELECT * FROM mine",
        "SELECT * FROM no_such_table",
        "SELECT '\ud800'",
        "SELECT DATE 'infinity'",
        "SELECT union_value(a := 1)",
        "SELECT -(TIMESTAMPTZ '2024-01-01')",
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_sql_is_read_only_and_sandboxed(query: str, there: bool) -> None:
    """A query that is not one SELECT over the store is refused, with or without a store, and does nothing."""
    import pandas as pd

    mine = pd.DataFrame({"a": [1]})
    if there:
        log_some(1)
        session.current().found()
        ml.runs.list()  # takes in what was found out after the end of the run
    before = content(Path.cwd())
    with pytest.raises(ml.InputError, match=r"query|answer") as caught:
        ml.sql(query)
    assert len(str(caught.value)) < 700
    assert content(Path.cwd()) == before
    assert len(mine) == 1
    assert not Path("out.csv").exists()
    assert ml.sql("SELECT ? AS a", [1])["a"].tolist() == [1]
    assert ml.sql("SELECT '2024-01-01'::TIMESTAMP_NS AS t, TIMESTAMP '10000-01-01' AS u")["u"].dt.year.tolist() == [
        10000
    ]
    with pytest.raises(ml.InputError, match="a list or a dict"):
        ml.sql("SELECT 1", 5)


@pytest.mark.parametrize(
    "query",
    [
        "FROM enable_logging(level := 'trace')",
        'SELECT * FROM (FROM main."Enable_Logging"())',
        "SELECT (SELECT 1 FROM disable_logging())",
        "FROM truncate_duckdb_logs()",
        "FROM enable_profiling()",
        "FROM checkpoint()",
        "FROM force_checkpoint('store')",
        "SELECT write_log('x')",
        "SELECT setseed(0.5)",
        "FROM query('FROM enable_logging()')",
        "FROM json_execute_serialized_sql(json_serialize_sql('FROM enable_logging()'))",
        "FROM pandas_scan(1)",
    ],
)
def test_a_query_changes_no_state_of_duckdb(query: str) -> None:
    """What switches something on or off, writes, or runs text that nobody looked at is refused by its name."""
    log_some(1)
    with pytest.raises(ml.InputError, match="does more than read"):
        ml.sql(query)
    assert ml.sql("SELECT value FROM duckdb_settings() WHERE name = 'enable_logging'")["value"].tolist() in (
        ["false"],
        ["0"],
    )


def test_a_query_that_nests_too_deeply_is_refused_in_a_sentence() -> None:
    """A sum of a hundred parts is one query as any other; of very many parts it is answered or refused, no more."""
    log_some(1)
    assert ml.sql(f"SELECT {'+'.join(['1'] * 100)} AS a")["a"].tolist() == [100]
    refused = "query must be nested less deeply; list_sum([...]) or a subquery says the same."
    for parts in (600, 950):  # Python 3.11 reads less deeply nested JSON than 3.13
        try:
            said = str(ml.sql(f"SELECT {'+'.join(['1'] * parts)} AS a")["a"][0])
        except ml.InputError as error:
            said = str(error)
        assert said in (str(parts), refused)
    with pytest.raises(ml.InputError, match="does more than read"):
        ml.sql(f"SELECT {'+'.join(['1'] * 100)} + setseed(0.5)")


def test_what_reads_is_not_refused() -> None:
    """Functions of DuckDB that only read stay usable, and so does a text that names another."""
    log_some(1)
    for query in (
        "FROM duckdb_tables()",
        "FROM range(3)",
        "SELECT 'enable_logging()'",
        "SUMMARIZE runs",
        "SHOW TABLES",
    ):
        assert len(ml.sql(query))


def test_a_query_of_a_truncated_store_names_the_repair() -> None:
    """A query of the user's own on a damaged file says what every other read says."""
    for _ in range(3):
        log_some(2000)
    ml.runs.list()
    path = Path("modellab.duckdb")
    whole = path.read_bytes()
    refused = []
    for blocks in range(1, len(whole) // 16_384, 2):
        session.reset()
        path.write_bytes(whole[: -16_384 * blocks])
        try:
            ml.sql("SELECT max(hash(m)) FROM metrics m")
        except ml.StoreError as error:
            refused.append(str(error))
    assert len(refused) > 3
    assert all("modellab doctor --repair" in said for said in refused)


def test_the_state_of_a_store_is_told_while_its_files_come_and_go(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file or a journal that is removed between a look and the next counts as not there."""
    put(store.journals, begun("run_1", "proj_1", 1))
    stat = Path.stat

    def gone(path: Path, **more: bool) -> os.stat_result:
        if path.name.startswith(("seg_", "modellab.duckdb")):
            raise FileNotFoundError(errno.ENOENT, "gone", str(path))
        return stat(path, **more)

    found = store.health()
    assert found.waiting_segments == 1
    monkeypatch.setattr(Path, "stat", gone)
    assert store._backend.stamp() is None
    assert (store.health().size, store.health().waiting_bytes) == (0, 0)


def test_sql_takes_values_apart_from_text() -> None:
    """Params are bound, positional or named, and never become SQL."""
    log_some(1)
    hostile = "'; DROP TABLE runs; --"
    assert ml.sql("SELECT ? AS a", [hostile])["a"].tolist() == [hostile]
    assert ml.sql("SELECT name FROM runs WHERE name = $name", {"name": "some"})["name"].tolist() == ["some"]
    assert str(ml.sql("SELECT started_at FROM runs")["started_at"].dtype) == "datetime64[us, UTC]"


# -- two versions of DuckDB --------------------------------------------------------------------------

WORK = """
import json, sys
import duckdb
import modellab_jupyter as ml
from modellab_jupyter.store import queries
from modellab_jupyter import session
with ml.start_run(sys.argv[1], project_id="shared", params={"a": [1, "x"]}, tags={"by": duckdb.__version__}) as run:
    for step in range(100):
        ml.log_metrics({"m": step / 7, "odd": float("nan")})
    ml.log_latency([0.1] * 5)
    ml.log_artifact(b"bytes", "a.bin")
table = session.current().store.runs()
rows = sorted(zip(table.column("name").to_pylist(), table.column("status").to_pylist()))
store = session.current().store
counts = [store.read(queries.series, [r], "m").num_rows for r in table.column("run_id").to_pylist()]
print(json.dumps([duckdb.__version__, rows, counts, store.projects().num_rows]))
"""


def test_a_store_passes_between_two_versions_of_duckdb() -> None:
    """What one version wrote the other reads and writes on, back and forth."""
    other = os.environ.get("MODELLAB_OTHER_PYTHON")
    if not other:
        pytest.skip(
            "set MODELLAB_OTHER_PYTHON to a Python with another duckdb (python -m venv OTHER; "
            "OTHER/bin/pip install duckdb==1.5.5 numpy pyarrow pandas msgspec psutil)"
        )
    done = []
    versions = set()
    for name, interpreter in (("one", other), ("two", sys.executable), ("three", other), ("four", sys.executable)):
        version, rows, counts, projects = json.loads(answer(WORK, name, interpreter=interpreter))
        versions.add(version)
        done.append([name, "finished"])
        assert (rows, counts, projects) == (sorted(done), [100] * len(done), 1)
    assert len(versions) == 2
    assert journals.segments(Path("modellab.files/journal")) == []


def test_a_file_that_is_there_keeps_its_format() -> None:
    """A database of the user's own, of DuckDB's newest format, becomes a store and stays of that format."""
    import duckdb

    with duckdb.connect() as con:
        con.execute("ATTACH 'modellab.duckdb' AS mine (STORAGE_VERSION 'latest')")
        con.execute("CREATE TABLE mine.notes AS SELECT 'kept' AS said")
        con.execute("DETACH mine")
    with ml.start_run("a"):
        ml.log_metrics({"m": 1})
    assert ml.sql("SELECT said FROM notes")["said"].tolist() == ["kept"]
    assert ml.runs.list()["name"].tolist() == ["a"]


def test_a_new_store_has_the_format_that_every_supported_duckdb_reads() -> None:
    """However often it is written to, the file that we make keeps the format that it was made in."""
    import duckdb

    for name in "ab":
        with ml.start_run(name):
            ml.log_metrics({"m": 1})
    ml.runs.list()
    with duckdb.connect("modellab.duckdb", read_only=True) as con:
        tags = con.execute("SELECT tags['storage_version'] FROM duckdb_databases() WHERE database_name = 'modellab'")
        assert tags.fetchall()[0][0].startswith("v1.2.0")
