from __future__ import annotations

import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import modellab_jupyter as ml
from modellab_jupyter import schema, session
from tests.conftest import answer, content


def run_with_everything(name: str = "r", project: str = "p") -> ml.Run:
    """Record a run with an artifact, a dataset and an evaluation."""
    with ml.start_run(name, project_id=project, params={"depth": 3}, tags={"a": "b"}) as run:
        ml.log_metrics({"loss": 0.5})
        ml.log_artifact(b"bytes", "a.bin")
        ml.log_dataset(pd.DataFrame({"x": [1, 2]}), "data", split="train")
        owner = session.current()
        owner.record(
            schema.EvaluationLogged(
                time=time.time_ns(), evaluation_id=schema.new_id("evaluation"), run_id=run.id, name="test",
                task_type="classification", n=10, labels_digest="a" * 64, rows_digest="", takeaway="Fine.",
                predictions=owner.store.blobs.put(b"predictions"), folder="evaluations/x",
                estimates=[
                    schema.Estimate(metric="accuracy", estimate=0.9, low=0.8, high=1.0, confidence_level=0.95, n=10),
                    schema.Estimate(metric="roc_auc", reason="one class only", n=10),
                ],
            )
        )  # fmt: skip
    return run


KINDS = ["projects", "datasets", "runs", "artifacts", "evaluations"]
ONE_ID = {"projects": "project_id", "datasets": "dataset_id", "runs": "run_id", "artifacts": "artifact_id",
          "evaluations": "evaluation_id"}  # fmt: skip


# -- list, get, change -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_lists_gets_and_changes(kind: str) -> None:
    """What is listed can be got by id, by the end of the id and by name, and its name can be changed."""
    run_with_everything()
    things = getattr(ml, kind)
    row = things.list().iloc[0]
    found = row[ONE_ID[kind]]
    assert things.get(found) == things.get(found[-8:]) == things.get(row["name"])
    assert things.update(found, name="other").name == "other"
    assert things.list()["name"].tolist() == ["other"]
    assert things.get("other") == things.get(found)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_to_the_trash_and_comes_back(kind: str) -> None:
    """Deleting hides, listing the trash shows, restoring brings everything back as it was."""
    run_with_everything()
    things = getattr(ml, kind)
    before = things.list()
    name, found = before.iloc[0]["name"], before.iloc[0][ONE_ID[kind]]
    things.delete(found)
    assert len(things.list()) == 0
    assert things.list(trash=True)[ONE_ID[kind]].tolist() == [found]
    assert ml.trash.list()[["kind", "id", "name"]].values.tolist() == [[kind.rstrip("s"), found, name]]
    with pytest.raises(ml.NotFoundError, match=rf"is in the trash; bring it back with ml.{kind}.restore"):
        things.delete(found)
    things.restore(name)
    assert len(ml.trash.list()) == 0
    pd.testing.assert_frame_equal(things.list(), before)


@pytest.mark.parametrize("kind", KINDS)
def test_emptying_the_trash_destroys_what_is_in_it_alone(kind: str) -> None:
    """What was deleted is gone with what belongs to it, files included; the rest stands."""
    kept = run_with_everything("kept", "p kept" if kind == "projects" else "p")
    run_with_everything("gone", "p gone" if kind == "projects" else "p")
    things = getattr(ml, kind)
    column = "run" if kind in {"artifacts", "evaluations"} else "name"
    listed = things.list()
    wanted = listed[listed[column].isin(["gone", "p gone", "data"])]
    mine = listed[~listed.index.isin(wanted.index)]
    things.delete(*wanted[ONE_ID[kind]])
    for path in Path("modellab.files/blobs").rglob("*"):
        os.utime(path, (1, 1))
    told = ml.trash.contents()
    assert told.kept == len(ml.trash.list()) * (kind == "datasets")  # runs outside the trash used them
    assert ml.trash.empty()["objects"] == sum(told.objects.values())
    assert len(ml.trash.list()) == told.kept
    assert things.list()[ONE_ID[kind]].tolist() == mine[ONE_ID[kind]].tolist()
    assert kept.id in set(ml.runs.list()["run_id"])
    rows = content(Path.cwd())
    if kind in {"projects", "runs"}:
        assert not any("gone'" in row for table in rows.values() for row in table)
        assert len(rows["metrics"]) == len(rows["params"]) == 1
    for artifact in ml.artifacts.list()["artifact_id"]:
        assert ml.artifacts.verify(artifact)
    if len(ml.datasets.list()):
        assert len(ml.datasets.preview(ml.datasets.list().iloc[0]["dataset_id"])) == 2
    if kind in {"runs", "projects", "artifacts"}:
        assert ml.artifacts.open("a.bin") == b"bytes"  # the same content is still used by the other run


def test_a_dataset_that_a_run_outside_the_trash_used_stays_in_it() -> None:
    """Emptying the trash takes no run's data away; the dataset goes when the last run that used it does."""
    table = pd.DataFrame({"x": [1.0, 2.0]})
    ml.datasets.add(table, "data", project_id="a")
    with ml.start_run("r", project_id="b", dataset="data"):
        pass
    before = ml.runs.get("r").datasets
    assert before[0]["name"] == "data"
    ml.projects.delete("a")
    told = ml.trash.contents()
    assert (told.objects["dataset"], told.kept) == (0, 1)
    assert "1 dataset that runs outside the trash used stay" in str(told)
    for path in Path("modellab.files/blobs").rglob("*"):
        os.utime(path, (1, 1))
    assert ml.trash.empty() == {"objects": 1, "files": 0, "bytes": 0}
    assert ml.runs.get("r").datasets == before
    assert ml.trash.list()["name"].tolist() == ["data"]
    ml.trash.restore("data")
    assert len(ml.datasets.preview("data")) == 2
    ml.datasets.delete("data")
    ml.runs.delete("r")
    assert (ml.trash.empty()["objects"], ml.trash.contents().kept, len(ml.sql("FROM dataset_versions"))) == (2, 0, 0)
    with pytest.raises(ml.InputError, match="ref must be a text that is not empty, found 5"):
        ml.trash.restore(5)


def test_files_that_nothing_refers_to_go_with_the_trash() -> None:
    """Blobs of what was destroyed are removed once they are old enough not to be on their way in."""
    with ml.start_run("a"):
        ml.log_artifact(b"only here", "a.bin")
        Path("d").mkdir()
        Path("d/x").write_text("x")
        ml.log_artifact("d")
    ml.runs.delete("a")
    young = ml.trash.empty()
    assert (young["objects"], young["files"]) == (3, 0)
    for path in Path("modellab.files/blobs").rglob("*"):
        os.utime(path, (1, 1))
    with ml.start_run("b"):
        ml.log_artifact(b"only here", "b.bin")
    old = ml.trash.empty()
    assert old["files"] == 2
    assert ml.artifacts.open("b.bin") == b"only here"


@pytest.mark.parametrize("kind", KINDS)
def test_the_trash_tells_what_emptying_it_destroys(kind: str) -> None:
    """What is told is what goes: objects with all that belongs to them, files, bytes; and telling changes nothing."""
    run_with_everything("kept", "p kept")
    with ml.start_run("gone", project_id="p gone", dataset=pd.DataFrame({"y": [3.0]})):
        Path("d").mkdir()
        Path("d/x").write_text("only here")
        ml.log_artifact("d")
        ml.log_artifact(b"bytes", "shared.bin")
    gone = {"projects": "p gone", "datasets": "data", "runs": "gone", "artifacts": "d", "evaluations": "test"}[kind]
    if kind == "datasets":  # another project has one of that name
        gone = ml.datasets.list("p gone")["dataset_id"][0]
    getattr(ml, kind).delete(gone)
    if kind == "datasets":
        ml.runs.delete("gone")  # it used the dataset, which would stay for it
    told = ml.trash.contents()
    assert (told.files, told.later > 0) == (0, True)
    for path in Path("modellab.files/blobs").rglob("*"):
        os.utime(path, (1, 1))
    told = ml.trash.contents()
    before = content(Path.cwd())
    assert ml.trash.contents() == told
    assert content(Path.cwd()) == before
    tables = {"project": "projects", "dataset": "datasets", "run": "runs", "artifact": "artifacts",
              "evaluation": "evaluations"}  # fmt: skip
    emptied = ml.trash.empty()
    after = content(Path.cwd())
    assert told.objects == {one: len(before[table]) - len(after[table]) for one, table in tables.items()}
    assert (told.files, told.size) == (emptied["files"], emptied["bytes"])
    assert told
    assert not ml.trash.contents()
    assert ml.artifacts.verify()
    assert ml.datasets.verify_all()


def test_files_of_datasets_are_checked_together(tmp_path: Path) -> None:
    """A file that went, one with other bytes, and a summary that was changed are all named."""
    for name in "abc":
        (tmp_path / f"{name}.csv").write_text(f"x\n{name}\n")
        ml.datasets.add(tmp_path / f"{name}.csv")
    assert ml.datasets.verify_all()
    (tmp_path / "a.csv").write_text("x\nz\n")
    (tmp_path / "b.csv").unlink()
    summary = ml.datasets.get("c").versions[0]["summary"]
    session.current().store.blobs.path(summary).write_bytes(b"{}")
    found = ml.datasets.verify_all()
    assert {(d.name, d.part, d.reason) for d in found.damaged} == {
        ("a", "version 1", "has other bytes"), ("b", "version 1", "is not there"),
        ("c", "version 1, summary", "has other bytes"),
    }  # fmt: skip


def test_a_deleted_run_of_a_name_that_lives_on_comes_back() -> None:
    """Restoring by name means the one in the trash."""
    for _ in range(2):
        with ml.start_run("same"):
            pass
    first = ml.runs.list()["run_id"].iloc[0]
    ml.runs.delete(first)
    ml.runs.restore("same")
    assert len(ml.runs.list()) == 2


def test_a_project_that_is_deleted_takes_its_runs_out_of_sight() -> None:
    """Runs of a project in the trash are not listed, and are again when it is back."""
    run_with_everything()
    ml.projects.delete("p")
    assert len(ml.runs.list()) == 0
    ml.projects.restore("p")
    assert len(ml.runs.list()) == 1


def test_a_project_tells_its_statistics() -> None:
    """Runs, datasets, last activity, runs by status and the best run."""
    best = run_with_everything("good")
    with ml.start_run("bad", project_id="p") as other:
        other.end("failed")
    stats = ml.projects.stats("p")
    assert (stats["runs"], stats["datasets"], stats["by_status"]) == (2, 1, {"failed": 1, "finished": 1})
    assert stats["best_run"] == best.id
    assert stats["best_metric"] in ("roc_auc", "accuracy")
    assert (pd.Timestamp.now("UTC") - stats["last_activity"]).total_seconds() < 60
    assert ml.projects.runs("p")["name"].tolist() == ["bad", "good"]
    assert ml.projects.datasets("p")["name"].tolist() == ["data"]
    assert ml.projects.create("p").project_id == ml.projects.get("p").project_id
    assert ml.projects.create("new", description="why").description == "why"
    assert ml.projects.stats("new")["best_run"] is None


def test_runs_sort_and_filter() -> None:
    """By any column, its prefix left out or not, missing values last, and limited after sorting."""
    for name, loss in (("a", 0.3), ("b", 0.1), ("c", None), ("d", 0.2)):
        with ml.start_run(name, project_id="p" if name != "d" else "q", params={"n": name}):
            if loss is not None:
                ml.log_metrics({"loss": loss})
    assert ml.runs.list()["name"].tolist() == ["d", "c", "b", "a"]
    assert ml.runs.list(sort="loss", ascending=True)["name"].tolist() == ["b", "d", "a", "c"]
    assert ml.runs.list(sort="metrics.loss")["name"].tolist() == ["a", "d", "b", "c"]
    assert ml.runs.list("p", sort="params.n", ascending=True, limit=2)["name"].tolist() == ["a", "b"]
    assert ml.runs.list(limit=1)["name"].tolist() == ["d"]
    assert ml.runs.list(limit=0).empty


def test_what_a_list_shows_of_a_metric_can_be_chosen() -> None:
    """Last, least, most and best value of each metric are those that pandas finds among the raw ones."""
    rng = np.random.default_rng(3)
    for name in ("a", "b", "c"):
        with ml.start_run(name) as run:
            for step in range(7):
                run.log_metrics({"val_loss": rng.normal(), "f1": rng.normal(), "size": rng.normal()}, step=step)
            if name != "a":
                run.log_metrics({"val_loss": float("inf"), "f1": float("nan"), "only": 1.0}, step=7)
    with ml.start_run("evaluated") as run:
        run.log_metrics({"accuracy": 0.25}, step=0)
        run.evaluate([0, 1] * 20, [0, 1] * 20, config={"plots": False})
    raw = ml.sql("SELECT r.name, key, value FROM metrics m JOIN runs r USING (run_id) ORDER BY step")
    shown = {summary: ml.runs.list(summary=summary).set_index("name") for summary in ("last", "min", "max", "best")}
    ways = {"val_loss": "min", "f1": "max", "accuracy": "max"}
    least = {}
    for (name, key), values in raw.groupby(["name", "key"])["value"]:
        finite = values[np.isfinite(values)]
        expected = {"last": values.iloc[-1], "min": finite.min(), "max": finite.max()}
        expected["best"] = expected[ways.get(key, "last")]
        if name == "evaluated":
            expected["last"] = 1.0  # as it was judged
        for summary, value in expected.items():
            np.testing.assert_array_equal(shown[summary].loc[name, f"metrics.{key}"], value)
        least |= {name: expected["min"]} if key == "val_loss" else {}
    for summary in ("min", "max", "best"):
        metrics = [name for name in shown[summary].columns if name.startswith("metrics.")]
        assert sorted(metrics) == sorted(f"metrics.{key}" for key in raw["key"].unique())
    first = ml.runs.list(summary="min", sort="val_loss", ascending=True, limit=1)
    assert first["name"].tolist() == [min(least, key=least.get)]
    with pytest.raises(ml.InputError, match="summary must be one of last, min, max, best, found 'mean'"):
        ml.runs.list(summary="mean")
    for odd in (["min"], None, {"min": 1}):
        with pytest.raises(ml.InputError, match=r"^summary must be one of last, min, max, best, found "):
            ml.runs.list(summary=odd)


def test_an_evaluated_metric_carries_its_interval() -> None:
    """Estimate, limits and support stand side by side; what is undefined says why."""
    run = run_with_everything()
    row = ml.runs.list().iloc[0]
    assert [row[f"metrics.accuracy{end}"] for end in ("", ".low", ".high", ".n")] == [0.9, 0.8, 1.0, 10]
    assert np.isnan(row["metrics.roc_auc"])
    record = ml.evaluations.get("test")
    assert record.run_id == run.id
    assert {e["metric"]: e["reason"] for e in record.estimates} == {"accuracy": None, "roc_auc": "one class only"}


def test_diff_shows_only_what_differs() -> None:
    """Equal params, metrics, datasets and packages are left out."""
    for depth in (1, 2):
        with ml.start_run(f"d{depth}", params={"depth": depth, "same": 1}):
            ml.log_metrics({"loss": 0.5})
    found = ml.runs.diff("d1", "d2")
    assert found.values.tolist() == [["param", "depth", 1, 2]]


# -- latency -----------------------------------------------------------------------------------------


def test_latency_quantiles_are_those_worked_by_hand() -> None:
    """Of 1..100 ms: linear interpolation, and the order statistics that the binomial law gives."""
    from modellab_jupyter.latency import quantiles

    # n = 100, q = 0.5: B(100, 0.5) has P(B <= 39) = 0.0176, P(B <= 40) = 0.0284, so X(40) and, by symmetry, X(61).
    # q = 0.95: P(B <= 89) = 0.0115, P(B <= 90) = 0.0282, so X(90); P(B >= 99) = 0.0371, P(B = 100) = 0.0059, so X(100).
    # q = 0.99: P(B <= 96) = 0.0184, P(B <= 97) = 0.0794, so X(97); P(B = 100) = 0.366: no upper limit.
    found = quantiles([n / 1000 for n in range(100, 0, -1)])
    assert [(round(q.seconds, 6), q.low, q.high) for q in found] == [
        (0.0505, 0.040, 0.061),
        (0.09505, 0.090, 0.100),
        (0.09901, 0.097, None),
    ]
    assert [q.reason is None for q in found] == [True, True, False]
    assert "upper" in found[2].reason
    one = quantiles([0.2])[0]
    assert (one.seconds, one.low, one.high) == (0.2, None, None)


@pytest.mark.parametrize("n", [20, 80, 400])
def test_latency_intervals_cover_as_often_as_they_say(n: int) -> None:
    """At least 95 % of the intervals hold the true quantile, for a skewed distribution; a missing limit covers."""
    from modellab_jupyter.latency import quantiles

    rng = np.random.default_rng(5)
    truth = {0.5: np.log(2), 0.95: np.log(20), 0.99: np.log(100)}
    hits = dict.fromkeys(truth, 0)
    repeats = 300
    for _ in range(repeats):
        for q in quantiles(rng.exponential(size=n)):
            low, high = q.low if q.low is not None else -np.inf, q.high if q.high is not None else np.inf
            hits[q.quantile] += low <= truth[q.quantile] <= high
    assert all(hit / repeats >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / repeats) for hit in hits.values()), hits


def test_warm_up_is_counted_and_left_out() -> None:
    """Quantiles are of what was measured; how much was warm-up stands beside them."""
    with ml.start_run() as run:
        ml.log_latency([9.0, 9.0], warmup=True)
        ml.log_latency(np.full(10, 0.1), name="latency")
        ml.log_latency(0.2, name="other")
    found = ml.runs.latency(run.id)
    assert found[found["name"] == "latency"][["quantile", "seconds", "n", "warmup"]].values.tolist() == [
        ["P50", 0.1, 10, 2], ["P95", 0.1, 10, 2], ["P99", 0.1, 10, 2],
    ]  # fmt: skip


# -- artifacts ---------------------------------------------------------------------------------------


def test_artifacts_of_every_kind_come_back(tmp_path: Path) -> None:
    """Bytes, JSON, frames, arrays, figures and files are kept in formats that are safe to read."""
    import io

    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib.figure import Figure

    frame, array = pd.DataFrame({"a": [1, 2]}), np.arange(6.0).reshape(2, 3)
    (tmp_path / "file.txt").write_text("text")
    with ml.start_run() as run:
        for value in (b"raw", {"a": [1, None]}, [1, "ü"], frame, array, Figure(), tmp_path / "file.txt"):
            ml.log_artifact(value)
        ml.log_artifact(array, "named")
    listed = ml.artifacts.list(run.id)
    assert sorted(listed["name"]) == [
        "bytes.bin", "dataframe.parquet", "dict.json", "figure.png", "file.txt", "list.json",
        "named.npy", "ndarray.npy",
    ]  # fmt: skip
    assert ml.artifacts.open("bytes.bin") == b"raw"
    assert json.loads(ml.artifacts.open("dict.json")) == {"a": [1, None]}
    assert json.loads(ml.artifacts.open("list.json")) == [1, "ü"]
    pd.testing.assert_frame_equal(pd.read_parquet(io.BytesIO(ml.artifacts.open("dataframe.parquet"))), frame)
    assert np.array_equal(np.load(io.BytesIO(ml.artifacts.open("named.npy")), allow_pickle=False), array)
    assert ml.artifacts.open("figure.png").startswith(b"\x89PNG")
    assert ml.artifacts.open("file.txt") == b"text"
    assert listed.set_index("name")["media_type"]["file.txt"] == "text/plain"


def test_the_same_content_is_stored_once() -> None:
    """Two artifacts of one content share their bytes."""
    with ml.start_run() as run:
        for name in ("a", "b"):
            ml.log_artifact(b"same", f"{name}.bin")
    assert len([p for p in Path("modellab.files/blobs").rglob("*") if p.is_file()]) == 1
    assert len(set(ml.artifacts.list(run.id)["digest"])) == 1


def test_a_folder_comes_back_whole(tmp_path: Path) -> None:
    """Every file of a folder is exported where it was; nothing is written over."""
    source = tmp_path / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "a.txt").write_text("a")
    (source / "deep" / "er" / "ü b.bin").write_bytes(bytes(range(256)))
    with ml.start_run():
        ml.log_artifact(source)
    out = ml.artifacts.download("source", tmp_path / "new" / "out")
    found = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert found == {"a.txt": b"a", "deep/er/ü b.bin": bytes(range(256))}
    assert ml.artifacts.get("source").size == 257
    with pytest.raises(ml.InputError, match="exists already"):
        ml.artifacts.download("source", out)


def test_a_folder_with_a_link_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    """A link may point anywhere."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("a")
    (source / "z").symlink_to("/etc/passwd")
    with ml.start_run(), pytest.raises(ml.InputError, match="holds a link, 'z'"):
        ml.log_artifact(source)
    assert not Path("modellab.files/blobs").exists()


def test_damage_is_found_and_never_handed_out(tmp_path: Path) -> None:
    """Bytes that were changed fail the check, and opening and exporting refuse them, before writing a file."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.txt").write_text("first")
    (source / "b.txt").write_text("second")
    with ml.start_run():
        ml.log_artifact(source)
        ml.log_artifact(b"single", "single.bin")
    assert ml.artifacts.verify("source")
    for path in Path("modellab.files/blobs").rglob("*"):
        if path.is_file() and path.read_bytes() in {b"second", b"single"}:
            path.write_bytes(b"secone" if path.read_bytes() == b"second" else b"singlf")
    assert not ml.artifacts.verify("source")
    assert not ml.artifacts.verify("single.bin")
    found = ml.artifacts.verify()
    assert [(d.name, d.part, d.reason) for d in found.damaged] == [
        ("single.bin", "", "has other bytes"), ("source", "b.txt", "has other bytes"),
    ]  # fmt: skip
    assert (found.files, len(found.frame())) == (4, 2)
    assert "4 files of 87 bytes checked, 2 damaged" in str(found) or "checked, 2 damaged" in str(found)
    for call in (
        lambda: ml.artifacts.open("single.bin"),
        lambda: ml.artifacts.download("single.bin", tmp_path / "out"),
        lambda: ml.artifacts.download("source", tmp_path / "out"),
    ):
        with pytest.raises(ml.DamagedError, match=r"were changed or damaged; restore .* from a copy"):
            call()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/out.txt", "a/../../out.txt"])
def test_a_stored_folder_cannot_write_outside_its_target(name: str, tmp_path: Path) -> None:
    """A listing that names a place outside the target is refused whole."""
    blobs = session.current().store.blobs
    listing = [
        {"path": "good.txt", "digest": blobs.put(b"x"), "size": 1},
        {"path": name, "digest": blobs.put(b"x"), "size": 1},
    ]
    digest = blobs.put(json.dumps(listing).encode())
    with pytest.raises(ml.DamagedError, match="names a member outside it"):
        blobs.export(digest, tmp_path / "target", folder=True)
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "out.txt").exists()


def test_an_artifact_can_be_added_to_a_run_that_ended() -> None:
    """Adding keeps the run as it ended."""
    with ml.start_run("a"):
        pass
    added = ml.artifacts.add("a", b"later", "later.bin")
    assert ml.artifacts.open(added.artifact_id) == b"later"
    assert ml.runs.get("a").status == "finished"


@pytest.mark.parametrize(
    "call",
    [
        "ml.projects.list()", "ml.projects.get('p')", "ml.projects.stats('p')", "ml.projects.runs('p')",
        "ml.projects.datasets('p')", "ml.datasets.list()", "ml.datasets.get('data')", "ml.datasets.preview('data')",
        "ml.runs.list()", "ml.runs.get('a')", "ml.runs.metrics('a')", "ml.runs.latency('a')", "ml.runs.cells('a')",
        "ml.artifacts.list()", "ml.evaluations.list()", "ml.trash.list()", "ml.sql('select 1')", "ml.dashboard('p')",
    ],
)  # fmt: skip
def test_the_first_read_of_a_settled_store_works(call: str, settled: str) -> None:
    """Whatever is asked first, in a process that logs nothing, is answered: the next morning's case."""
    answer(f"import modellab_jupyter as ml; ml.configure({settled!r}); {call}")


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Make a store by a process that has ended, with no journal left."""
    store = str(tmp_path_factory.mktemp("settled") / "modellab.duckdb")
    answer(
        "import modellab_jupyter as ml, pandas as pd\n"
        f"ml.configure({store!r})\n"
        "with ml.start_run('a', project_id='p', dataset=pd.DataFrame({'x': [1]})) as run:\n"
        "    run.log_metrics({'m': 1.0}); run.log_latency([0.1]); run.log_artifact({'k': 1})\n"
        "ml.runs.list()"
    )
    return store


def test_a_project_cannot_take_the_name_of_another() -> None:
    """Renaming to a name that is taken is refused; to its own name it is not."""
    ml.projects.create("a")
    ml.projects.create("b")
    with pytest.raises(ml.InputError, match="no other project has"):
        ml.projects.update("b", name="a")

    assert ml.projects.update("b", name="b").name == "b"


def test_a_description_reaches_a_content_that_is_known() -> None:
    """Registering the same content again with a description sets it, and makes no version."""
    frame = pd.DataFrame({"x": [1]})
    ml.datasets.add(frame, "d")
    record = ml.datasets.add(frame, "d", description="from the lake")

    assert (record.version, record.description) == (1, "from the lake")


def test_what_comes_back_from_the_trash_takes_no_name_that_another_has() -> None:
    """A project or dataset of a name that was given again stays in the trash until that one is renamed."""
    first = ml.start_run("a", "p")
    first.end()
    old = ml.projects.list()["project_id"][0]
    ml.projects.delete("p")
    ml.start_run("b", "p").end()
    for bring in (ml.projects.restore, ml.trash.restore):
        with pytest.raises(ml.InputError, match="another has its name"):
            bring(old)
    new = ml.projects.list()["project_id"][0]
    assert new != old
    ml.projects.update(new, name="q")
    ml.trash.restore(old)
    assert sorted(ml.projects.list()["name"]) == ["p", "q"]
