"""What every place where a store can be must do, on real ones: a file, a server, a lake on disk and on S3."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import modellab_jupyter as ml
from modellab_jupyter import config, session
from modellab_jupyter.errors import InputError, StoreError
from modellab_jupyter.repro.recorded import recorded
from modellab_jupyter.store import extensions
from tests.conftest import answer, python
from tests.store import places

PLACES = ["file", "quack", "lake", "lake-s3"]
SHARED = PLACES[1:]
TOKEN = "a-token-for-tests-only"
WRITER = """
import sys
import modellab_jupyter as ml
ml.configure(sys.argv[1])
for number in range(3):
    with ml.start_run(f"{sys.argv[2]}-{number}", project_id="shared", params={"writer": sys.argv[2]}):
        for step in range(50):
            ml.log_metrics({"loss": step + number / 10}, step=step)
        ml.log_artifact({"writer": sys.argv[2], "number": number}, "who.json")
print(len(ml.runs.list("shared")))
"""


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    places.need_extensions(extensions.LAKE)
    with places.postgres() as conninfo:
        yield conninfo


@pytest.fixture(scope="session")
def bucket() -> Iterator[str]:
    with places.s3() as address:
        import boto3

        client = boto3.client(
            "s3", endpoint_url=address, region_name=places.KEYS["AWS_REGION"],
            aws_access_key_id=places.KEYS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=places.KEYS["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip
        where = {"LocationConstraint": places.KEYS["AWS_REGION"]}
        client.create_bucket(Bucket="modellab", CreateBucketConfiguration=where)
        yield address


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give the address of an empty store of the kind that the test names."""
    kind = request.param
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    if kind == "file":
        yield str(tmp_path / "modellab.duckdb")
    elif kind == "quack":
        places.need_extensions(extensions.QUACK)
        monkeypatch.setenv("MODELLAB_TOKEN", TOKEN)
        with places.served(tmp_path / "server", TOKEN) as address:
            yield address
            session.reset()
    else:
        name = f"lake_{uuid.uuid4().hex[:12]}"
        conninfo = places.database(request.getfixturevalue("cluster"), name)
        data = str(tmp_path / "data")
        if kind == "lake-s3":
            for key, value in {**places.KEYS, "AWS_ENDPOINT_URL": request.getfixturevalue("bucket")}.items():
                monkeypatch.setenv(key, value)
            data = f"s3://modellab/{name}"
        yield f"ducklake:postgres:{conninfo}?data={data}"
        session.reset()


every = pytest.mark.parametrize("place", PLACES, indirect=True)
shared = pytest.mark.parametrize("place", SHARED, indirect=True)


CELLS = """
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
for cell in ("%load_ext modellab_jupyter", "import modellab_jupyter as ml, random; ml.configure(STORE)",
             "x = open('in.txt').read(); random.Random(); ip = get_ipython(); ip.run_cell('deep = 1')",
             "with ml.start_run('celled', 'p', seed=3) as run: run.log_metric('loss', 0.5)"):
    assert ip.run_cell(cell, store_history=True).success
"""


@every
def test_what_was_captured_is_found_elsewhere(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested cells, entropy, random states, files, distributions and uncommitted changes come back on any machine."""
    (tmp_path / "in.txt").write_text("input")
    for command in (
        ["init"],
        ["add", "in.txt"],
        ["commit", "-m", "one"],
        ["remote", "add", "origin", "https://a:b@h/r"],
    ):
        who = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", *who, *command], check=True, capture_output=True)
    (tmp_path / "in.txt").write_text("other")
    answer(CELLS.replace("STORE", repr(place)))
    ml.configure(place)
    if place.partition(":")[0] in {"quack", "ducklake"}:
        another_machine(monkeypatch, tmp_path, place)
    known = recorded("celled")
    assert [(e.order, e.parent, e.hidden, e.outcome) for e in known.executions] == [
        (0, None, False, "ok"), (1, None, False, "ok"), (2, None, False, "ok"), (3, 2, True, "ok"),
        (4, None, False, "ok"),
    ]  # fmt: skip
    assert [(one.path, one.digest, one.orders) for one in known.files] == [
        ("in.txt", hashlib.sha256(b"other").hexdigest(), (2,))
    ]
    assert [(one.source, one.order, len(one.value)) for one in known.draws] == [("random", 2, 64)]
    assert [one.moment for one in known.random if one.moment != "numpy"] == ["load", "run"]
    assert {len(one.python["state"]) for one in known.random} == {625}
    assert (known.git.dirty, known.git.remote, known.folder) == (True, "https://h/r", str(tmp_path))
    assert b"+other" in known.git.diff
    assert len(known.environment["distributions"]) == len(known.environment["packages"])
    assert known.metrics == {"loss": {"last": 0.5, "series": {"steps": [0], "values": [0.5]}}}
    assert known.run["name"] == "celled"


def another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str) -> None:
    """Go on as a machine that has nothing but the address of the store."""
    session.reset()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / uuid.uuid4().hex))
    ml.configure(place)


@every
def test_what_is_logged_is_found(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs, params, tags, metrics with NaN, datasets, artifacts, folders and evaluations come back, elsewhere too."""
    ml.configure(place)
    (tmp_path / "things" / "deep").mkdir(parents=True)
    (tmp_path / "things" / "deep" / "a.bin").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "things" / "empty").write_bytes(b"")
    frame = pd.DataFrame({"x": [1.5, None, 3.0], "who": ["a", "b", "ü'"]})
    with ml.start_run(
        "o'ne", project_id="churn", params={"depth": 3, "how": "; DROP"}, tags={"a": None, "b": "x"}
    ) as run:
        for step in range(4):
            ml.log_metrics({"loss": 1 / (step + 1), "odd": float("nan" if step else "inf")}, step=step)
        ml.log_artifact({"a": 1}, "a.json")
        ml.log_artifact(tmp_path / "things", "things")
        ml.log_dataset(frame, "people")
        run.evaluate(predictions=[0, 1, 1, 0] * 10, labels=[0, 1, 0, 0] * 10, data=None)
    if place.partition(":")[0] in {"quack", "ducklake"}:
        another_machine(monkeypatch, tmp_path, place)
    record = ml.runs.get(run.id)
    assert record.name == "o'ne"
    assert record.status == "finished"
    assert record.params == {"depth": 3, "how": "; DROP"}
    assert record.tags == {"a": None, "b": "x"}
    assert record.metrics["loss"] == 0.25
    assert record.last_steps == {"loss": 3, "odd": 3}
    listed = ml.runs.list("churn")
    assert listed["params.depth"].tolist() == [3]
    assert str(listed["started_at"].dtype).endswith("UTC]")
    counted = ml.sql(
        "SELECT key, count(*) AS n, count(*) FILTER (isnan(value)) AS odd FROM metrics GROUP BY 1 ORDER BY 1"
    )
    assert counted.to_dict("list") == {"key": ["loss", "odd"], "n": [4, 4], "odd": [0, 3]}
    files = {row["name"]: row["artifact_id"] for row in ml.artifacts.list(run.id).to_dict("records")}
    assert json.loads(ml.artifacts.open(files["a.json"])) == {"a": 1}
    assert ml.artifacts.verify(files["things"])
    copy = ml.artifacts.download(files["things"], tmp_path / "copy")
    assert (copy / "deep" / "a.bin").read_bytes() == bytes(range(256)) * 40
    assert (copy / "empty").read_bytes() == b""
    assert ml.datasets.preview("people")["who"].tolist() == ["a", "b", "ü'"]
    assert "who" in str(ml.datasets.summary("people"))
    judged = ml.evaluations.list(run.id)["evaluation_id"][0]
    assert (ml.evaluations.folder(judged) / "metrics.json").is_file()
    assert len(ml.evaluations.predictions(judged)) == 40


@every
def test_changes_and_the_trash(place: str) -> None:
    """Names, notes and tags change; what is in the trash comes back; only emptying it destroys."""
    ml.configure(place)
    kept, gone = (ml.start_run(name, project_id="p") for name in ("kept", "gone"))
    for run in (gone, kept):
        run.log_metrics({"m": 1.0})
        run.log_artifact({"run": run.name}, "a.json")
        run.end()
    ml.runs.update(kept.id, note="a 'note'", tags=["x"])
    assert ml.runs.get(kept.id).note == "a 'note'"
    ml.runs.delete(kept.id, gone.id)
    assert not len(ml.runs.list("p"))
    ml.runs.restore(kept.id)
    assert ml.runs.list("p")["name"].tolist() == ["kept"]
    emptied = ml.trash.empty()
    assert emptied["objects"] == 2
    assert ml.sql("SELECT count(*) AS n FROM metrics")["n"].tolist() == [1]
    assert json.loads(ml.artifacts.open(ml.artifacts.list()["artifact_id"][0])) == {"run": "kept"}


@every
def test_lists_are_chosen_and_checked_everywhere(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters, series, drift, checks of bytes, the trash and what takes space mean the same in each place."""
    ml.configure(place)
    for number in range(3):
        frame = pd.DataFrame({"x": [float(number), 2.0, 3.0] * 20})
        with ml.start_run(f"r{number}", "p", params={"depth": number}, tags=["odd"] if number % 2 else []) as run:
            run.log_metrics({"loss": float(number)})
            run.log_dataset(frame, "data")
            run.log_artifact(b"x" * (number + 1), "x.bin")
    if place.partition(":")[0] in {"quack", "ducklake"}:
        another_machine(monkeypatch, tmp_path, place)
    assert ml.runs.list(where="metrics.loss >= 1 AND params.depth < 2")["name"].tolist() == ["r1"]
    found = ml.runs.list(where="NOT tags.odd OR params.depth = 2", order_by="metrics.loss desc")
    assert found["name"].tolist() == ["r2", "r0"]
    assert ml.runs.metrics("r2", "loss")["value"].tolist() == [2.0]
    drift = ml.datasets.drift("data", 1, 3)
    assert "x" in str(drift)
    assert ml.datasets.verify_all()
    assert ml.artifacts.verify()
    ml.runs.delete("r1")
    assert ml.trash.contents().objects["run"] == 1
    told = ml.trash.contents()
    assert told.files + told.later > 0
    emptied = ml.trash.empty()
    assert (emptied["objects"], emptied["files"] >= told.files) == (sum(told.objects.values()), True)
    assert not ml.trash.contents()
    assert {"metrics", "runs"} <= set(ml.storage()["name"])


@every
def test_a_machine_that_was_idle_for_weeks_doubles_nothing(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that is half taken stays half taken, however long ago that was and whoever wrote since."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "idle"))
    ml.configure(place)
    run = ml.start_run("idle", "p")
    run.log_metrics({"m": 1.0})
    run._describing.join()
    assert len(ml.runs.list()) == 1
    owner = session.current()
    with owner.store._backend.connect(write=True) as con:
        con.execute("UPDATE segments SET taken_at = taken_at - INTERVAL 30 DAY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "busy"))
    other = python(WRITER, place, "busy")
    out, err = other.communicate(timeout=120)
    assert (other.returncode, out.strip()) == (0, "3"), err
    run.log_metrics({"m": 2.0})
    run.end()
    assert ml.runs.metrics("idle", "m")["value"].tolist() == [1.0, 2.0]
    assert owner is session.current()


@every
def test_a_query_of_the_users_own_reads_and_nothing_else(place: str) -> None:
    """`ml.sql` binds values, refuses to write, and reaches no files, no network, nothing beside the store."""
    ml.configure(place)
    ml.start_run("a").end()
    assert ml.sql("SELECT name FROM runs WHERE name = ?", ["a"])["name"].tolist() == ["a"]
    assert ml.sql("SELECT name FROM runs WHERE name = $n", {"n": "b"})["name"].tolist() == []
    for query in (
        "DELETE FROM runs",
        "SELECT 1; SELECT 2",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM postgres_query('turn', 'SELECT 1')",
        "SELECT * FROM query('FROM duckdb_secrets()')" if place.startswith("duck") else "SELECT nothing",
        "FROM __ducklake_metadata_store.ducklake_metadata",
        "SELECT no_such FROM runs",
        *(
            (
                "PRAGMA database_list",
                "SELECT * FROM pragma_database_list()",
                "SHOW DATABASES",
                "FROM duckdb_databases()",
            )
            if place.startswith("ducklake")
            else ()
        ),
    ):
        with pytest.raises(InputError, match=r"refused|one SELECT"):
            ml.sql(query)
    assert "run_id" in ml.sql("DESCRIBE runs")["column_name"].tolist()
    assert "runs" in ml.sql("SHOW TABLES")["name"].tolist()
    assert len(ml.runs.list()) == 1


@shared
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")
def test_damaged_bytes_keep_nothing_else_back(place: str, tmp_path: Path) -> None:
    """A run ends and is found, also where the list of a folder that it logged was damaged before it was taken."""
    ml.configure(place)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    run = ml.start_run("harmed")
    run.log_artifact(folder, "folder")
    for blob in session.current().store.blobs.folder.glob("??/*"):
        blob.chmod(0o644)
        blob.write_bytes(b"[")
    (session.current().store.journals / "seg_0 (conflicted copy).jsonl").write_bytes(b"no journal")
    run.end()
    ml.start_run("after").end()
    found = ml.runs.list().set_index("name")["status"]
    assert found.to_dict() == {"harmed": "finished", "after": "finished"}


@shared
def test_damaged_bytes_raise_nothing_where_warnings_are_errors(place: str) -> None:
    """A run whose stored bytes were damaged ends and arrives, also where every warning is an error."""
    code = """
import sys, warnings
import modellab_jupyter as ml
from modellab_jupyter import session
warnings.simplefilter("error")
ml.configure(sys.argv[1])
run = ml.start_run("harmed")
run.log_artifact(b"hello", "a.bin")
for blob in session.current().store.blobs.folder.glob("??/*"):
    blob.chmod(0o644)
    blob.write_bytes(b"[")
run.end()
print(ml.runs.list()["status"].tolist())
"""
    out, err = (process := python(code, place)).communicate(timeout=120)
    assert (process.returncode, out.strip()) == (0, "['finished']"), err
    assert "stored bytes were not sent along" in err


@shared
def test_a_run_that_is_recorded_elsewhere_is_seen_and_stays_alive(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another machine starts and logs arrives while it goes on, its heartbeat too, though nobody there reads."""
    code = """
import sys
import modellab_jupyter as ml
from modellab_jupyter import session
session.SHARE_SOON = session.SHARE_EVERY = 0.5
ml.configure(sys.argv[1])
run = ml.start_run("live")
ml.log_metrics({"m": 1.0})
print("there", flush=True)
sys.stdin.readline()
ml.log_metrics({"m": 2.0})
"""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "writer"))
    writer = python(code, place)
    assert writer.stdout.readline() == "there\n"
    another_machine(monkeypatch, tmp_path, place)

    def beats(than: str = "") -> str:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = ml.sql("SELECT coalesce(max(heartbeat_at)::VARCHAR, '') AS at FROM runs")["at"][0]
            if found > than:
                return str(found)
            time.sleep(0.2)
        raise AssertionError("no heartbeat")

    beats(beats(beats()))
    assert ml.runs.list()[["name", "status", "metrics.m"]].values.tolist() == [["live", "running", 1.0]]
    with pytest.raises(InputError, match="which is being recorded"):
        ml.start_run(resume="live")
    err = writer.communicate("\n", timeout=120)[1]
    assert (writer.returncode, err) == (0, "")
    assert ml.runs.metrics("live", "m")["value"].tolist() == [1.0, 2.0]
    assert ml.runs.get("live").status == "finished"


@every
def test_a_segment_that_comes_back_changes_nothing(place: str, tmp_path: Path) -> None:
    """What was taken once is known, also when its journal returns from a copy."""
    ml.configure(place)
    run = ml.start_run("a")
    ml.log_metrics({"m": 1.0})
    run._describing.join()
    segment = run._session.journal.path
    shutil.copy(segment, tmp_path / "copy")
    run.end()
    shutil.copy(tmp_path / "copy", segment)
    assert len(ml.runs.list()) == 1
    assert ml.sql("SELECT count(*) AS n FROM metrics")["n"].tolist() == [1]
    assert ml.sql("SELECT n FROM metric_summary")["n"].tolist() == [1]


@every
def test_four_writers_lose_and_double_nothing(place: str) -> None:
    """Four processes on a fresh store: every run, point and file is there once."""
    writers = [python(WRITER, place, f"w{number}") for number in range(4)]
    for writer in writers:
        out, err = writer.communicate(timeout=240)
        assert writer.returncode == 0, err
        assert int(out) >= 3
    ml.configure(place)
    assert sorted(ml.runs.list("shared")["name"]) == sorted(f"w{w}-{n}" for w in range(4) for n in range(3))
    assert len(ml.projects.list()) == 1
    points = ml.sql("SELECT run_id, count(*) AS n, count(DISTINCT step) AS steps FROM metrics GROUP BY run_id")
    assert points["n"].tolist() == points["steps"].tolist() == [50] * 12
    assert ml.sql("SELECT n FROM metric_summary")["n"].tolist() == [50] * 12
    assert ml.sql("SELECT count(*) AS n FROM params")["n"].tolist() == [12]
    found = ml.artifacts.list()
    assert len(found) == 12
    assert {json.loads(ml.artifacts.open(id_))["number"] for id_ in found["artifact_id"]} == {0, 1, 2}


@shared
def test_two_that_take_the_same_journal_take_it_once(place: str) -> None:
    """Processes of one machine share its waiting journals; each record arrives once."""
    code = "import sys, modellab_jupyter as ml\nml.configure(sys.argv[1])\nprint(len(ml.runs.list()))"
    ml.configure(place)
    run = ml.start_run("a")
    for step in range(20):
        ml.log_metrics({"m": float(step)}, step=step)
    run._describing.join()
    readers = [python(code, place) for _ in range(3)]
    assert [int(reader.communicate(timeout=120)[0]) for reader in readers] == [1, 1, 1]
    run.end()
    assert ml.sql("SELECT count(*) AS n, count(DISTINCT step) AS s FROM metrics").to_dict("list") == {
        "n": [20],
        "s": [20],
    }


@shared
def test_a_store_that_cannot_be_reached_loses_nothing(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logging goes on where the store is away; everything arrives when it is back, and no secret is told."""
    away = place.replace("host=127.0.0.1", "host=127.0.0.1 password=geheim").replace("port=", "port=1")
    if place.startswith("quack"):
        away = f"quack:127.0.0.1:{places.free_port()}"
    chosen = ml.configure(away)
    run = ml.start_run("a")
    ml.log_metrics({"m": 1.0})
    with pytest.warns(RuntimeWarning, match="Nothing is lost") as told:
        run.end()
    with pytest.raises(StoreError) as error:
        ml.runs.list()
    for text in (repr(chosen), str(error.value), *(str(one.message) for one in told)):
        assert "geheim" not in text
        assert TOKEN not in text
    session.reset()
    back = config.settings(place).files / "journal"
    shutil.copytree(chosen.files / "journal", back)
    ml.configure(place)
    assert ml.runs.list()["name"].tolist() == ["a"]


@pytest.mark.parametrize("place", ["lake"], indirect=True)
def test_a_lake_needs_a_place_for_its_files_once(place: str) -> None:
    """A new lake without one is refused in a sentence; one that is there knows its own."""
    bare = place.partition("?data=")[0]
    ml.configure(bare)
    with pytest.raises(InputError, match=r"\?data="):
        ml.runs.list()
    ml.configure(place)
    ml.start_run("a").end()
    ml.configure(bare)
    assert len(ml.runs.list()) == 1


def test_a_missing_extension_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheels the message says what to install, and nothing is fetched."""
    monkeypatch.setitem(extensions.PACKAGES, "ducklake", "duckdb-extension-of-nobody")
    ml.configure("ducklake:postgres:host=nowhere?data=x")
    with pytest.raises(StoreError, match=r"pip install 'modellab-jupyter\[shared\]'"):
        ml.runs.list()


@pytest.mark.parametrize(
    "text", ["quack:host", "quack:host:0", "quack::1", "ducklake:sqlite:x", "ducklake:postgres:", "http://x", "s3://b/x",
             "ducklake:postgres:host=x?data=gs://b"]
)  # fmt: skip
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """What is no address of a store is refused before any work, with the forms that are."""
    with pytest.raises(InputError):
        ml.configure(text)


@pytest.mark.parametrize(
    "conninfo",
    ["host=h password=geheim dbname=d", "host=h password = 'ge\\'heim x' dbname=d", "postgresql://u:geheim@h/d"],
)
def test_a_password_is_never_shown(conninfo: str) -> None:
    """Neither repr nor text nor message of a lake holds its password."""
    chosen = config.settings(f"ducklake:postgres:{conninfo}?data=s3://b/x")
    assert "heim" not in repr(chosen) + chosen.place + str(chosen.files)
    assert isinstance(chosen.shared, config.Lake)
    assert chosen.shared.conninfo == conninfo
    assert chosen.shared.data == "s3://b/x"
