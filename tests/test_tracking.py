from __future__ import annotations

import json
import math
import random
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import modellab_jupyter as ml
from modellab_jupyter import session
from tests.conftest import answer, content

HOSTILE = [
    'o\'brien "quoted" `x` %s {0}',
    "<script>alert(1)</script>",
    "x" * 10_000,
    "nul\x00inside",
    "שלום \u202eabc\u202c",
    "🧪👩‍🔬é́",
    "../../etc/passwd",
    "a\nb\tc\r\n'; DROP TABLE runs; --",
    "NULL",
]


# -- what is logged comes back -----------------------------------------------------------------------


def test_a_run_comes_back_as_it_was_logged() -> None:
    """Params with their types, metrics with their steps, tags, note, seed and status are in the record."""
    params = {"rate": 0.01, "depth": 3, "flag": True, "none": None, "name": "adam", "layers": [1, 2], "opt": {"a": 1}}
    with ml.start_run(
        "first", project_id="churn", seed=42, params=params, tags={"stage": "draft"}, baseline=True
    ) as run:
        ml.log_param("late", 1)
        ml.log_metric("loss", 0.5)
        ml.log_metrics({"loss": 0.25, "accuracy": 1})
        ml.log_metrics({"loss": 0.125}, step=10)
        ml.log_metrics({"loss": 0.1})
        ml.set_tags(["alone"])
        ml.set_note("a note")
    record = ml.runs.get(run.id)
    assert record.params == {**params, "late": 1}
    assert (record.name, record.project, record.status, record.seed) == ("first", "churn", "finished", 42)
    assert (record.tags, record.note, record.baseline) == ({"alone": None, "stage": "draft"}, "a note", True)
    assert ml.runs.metrics(run.id, "loss")[["step", "value"]].values.tolist() == [
        [0, 0.5],
        [1, 0.25],
        [10, 0.125],
        [11, 0.1],
    ]
    assert record.metrics == {"loss": 0.1, "accuracy": 1.0}
    assert record.environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert "duckdb" in record.environment["packages"]
    assert record.seeded == ["random", "numpy"]
    assert record.duration > 0
    row = ml.runs.list().iloc[0]
    assert (row["params.rate"], row["metrics.loss"], row["tags"].tolist()) == (0.01, 0.1, ["alone", "stage=draft"])


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_comes_back_as_it_was(text: str) -> None:
    """Names, keys, notes, tags, param values and projects may hold anything, and are found by it."""
    with ml.start_run(text, project_id=text, params={text: text}, tags={text: text}) as run:
        ml.log_metrics({text: 1.5})
        ml.set_note(text)
        ml.log_latency(0.5, name=text)
        ml.log_artifact(b"x", name=text)
        ml.log_dataset(pd.DataFrame({text: [text]}), name=text)
    record = ml.runs.get(text)
    assert record.run_id == run.id
    assert (record.name, record.project, record.note) == (text, text, text)
    assert (record.params, record.tags, record.metrics) == ({text: text}, {text: text}, {text: 1.5})
    assert ml.projects.get(text).name == text
    assert ml.runs.list(project_id=text)["run_id"].tolist() == [run.id]
    assert f"metrics.{text}" in ml.runs.list(sort=text).columns
    assert ml.runs.metrics(run.id, text)["value"].tolist() == [1.5]
    assert ml.runs.latency(run.id)["name"].unique().tolist() == [text]
    assert ml.artifacts.list(run.id)["name"].str.startswith(text).all()
    assert ml.datasets.get(text).name == text
    assert ml.datasets.preview(text).columns.tolist() == [text]
    assert ml.datasets.preview(text).iloc[0, 0] == text
    ml.runs.update(run.id, name=f"{text}!", note=f"{text}?")
    assert ml.runs.get(f"{text}!").note == f"{text}?"
    ml.runs.delete(run.id)
    assert ml.trash.list()["name"].tolist() == [f"{text}!"]
    assert not list(Path("..").glob("passwd"))


def test_half_a_surrogate_pair_costs_no_record() -> None:
    """A text that is no Unicode is kept with the half written as an escape."""
    with ml.start_run("a\ud800", params={"p\udfff": "x"}) as run:
        ml.log_metrics({"m\ud800": 1})
    record = ml.runs.get(run.id)
    assert (record.name, record.params, record.metrics) == ("a\\ud800", {"p\\udfff": "x"}, {"m\\ud800": 1.0})


def test_numbers_of_every_kind_are_metrics() -> None:
    """NumPy scalars, Python integers, booleans and odd floats are numbers."""
    values = {
        "np32": np.float32(0.5), "npint": np.int64(7), "zero-d": np.array(2.5), "bool": True, "big": 10**300,
        "nan": float("nan"), "inf": math.inf, "-inf": -math.inf, "-0": -0.0, "tiny": 5e-324, "npnan": np.float64("nan"),
    }  # fmt: skip
    with ml.start_run() as run:
        ml.log_metrics(values)
    found = ml.runs.metrics(run.id).set_index("key")["value"].to_dict()
    assert {key: repr(value) for key, value in found.items()} == {key: repr(float(v)) for key, v in values.items()}
    assert ml.runs.get(run.id).last_steps == dict.fromkeys(sorted(values), 0)


class Label(str):
    """A text of another type, as NumPy's and enumerations' are."""

    def __str__(self) -> str:
        return "not what it says"


def test_texts_and_numbers_of_other_types_are_taken_as_pythons_own() -> None:
    """What is a text or an integer by its type's word is accepted everywhere and comes back as Python's own."""
    for text in (np.str_, Label):
        name = text(f"a {text.__name__}")
        seed, end = np.int64(3), text("failed")
        with ml.start_run(name, text("churn"), seed, {text("p"): text("v")}, {text("t"): text("u")}) as run:
            ml.log_metrics({text("m"): np.float32(0.5)}, step=np.int64(4))
            ml.log_metric(text("m"), 1)
            ml.log_latency([0.1], text("l"), warmup=np.bool_(True))
            ml.set_note(text("n"))
            ml.set_tags(text("gone"))
            ml.set_tags([], remove=[text("gone")])
            ml.log_artifact(b"x", text("x.bin"))
            ml.log_dataset(pd.DataFrame({"a": [1]}), text("d"), split=text("train"))
            run.evaluate([0, 1, 1, 0], [0, 1, 1, 1], name=text("e"))
            run.end(end, error=text("why"))
        record = ml.runs.get(run.id)
        assert (record.name, record.project, record.seed, record.status) == (str.__str__(name), "churn", 3, "failed")
        assert (record.params, record.tags, record.note) == ({"p": "v"}, {"t": "u"}, "n")
        assert (record.error, record.last_steps["m"]) == ("why", 5)
        assert ml.start_run(resume=text(run.id)).name == record.name
        ml.end_run()
    assert len(ml.sql("FROM unreadable")) == 0


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), "x", None])
def test_a_run_ends_with_an_exception_as_with_its_text(error: Any) -> None:
    """An error may be an exception; the run is over and the next one may begin."""
    run = ml.start_run("r")
    run.end("failed", error=error)
    assert ml.active_run() is None
    assert ml.runs.get(run.id).error == {"ValueError": "ValueError: x", "KeyboardInterrupt": "KeyboardInterrupt: "}.get(
        type(error).__name__, error
    )


def test_a_run_whose_start_is_refused_leaves_no_project(tmp_path: Path) -> None:
    """Nothing of a start is recorded where a part of it cannot be."""
    for arguments in ({"seed": "1"}, {"baseline": 1}, {"tags": [1]}, {"dataset": 3}, {"params": {1: 1}}):
        with pytest.raises(ml.InputError):
            ml.start_run("r", project_id="newproj", **arguments)
    assert ml.projects.list()["name"].tolist() == []
    assert ml.active_run() is None


# -- bad input ---------------------------------------------------------------------------------------


class Uncountable:
    def __float__(self) -> float:
        raise RuntimeError("more than one element")


BAD: list[tuple[Callable[[], Any], str]] = [
    (lambda: ml.log_metrics({"a": 1.0, "b": "high"}), "metric 'b' must be a number, found 'high' of type str"),
    (lambda: ml.log_metrics({"a": None}), "metric 'a' must be a number, found None"),
    (lambda: ml.log_metrics({"a": 1j}), "metric 'a' must be a number"),
    (lambda: ml.log_metrics({"a": 10**400}), "metric 'a' must fit into 64 bits as a float, up to 1.8e308, found 1000"),
    (lambda: ml.log_metrics({"a": [1, 2]}), "metric 'a' must be a number"),
    (lambda: ml.log_metrics({"a": Uncountable()}), "metric 'a' must be a number"),
    (lambda: ml.log_metrics({1: 1.0}), "metrics must have texts as keys, found 1"),
    (lambda: ml.log_metrics({"": 1.0}), "metrics must have texts as keys, found ''"),
    (lambda: ml.log_metrics([1, 2]), "metrics must be a mapping of names to numbers, found list"),
    (lambda: ml.log_metrics({"a": 1}, step=1.5), "step must be an integer, found 1.5"),
    (lambda: ml.log_metrics({"a": 1}, step="1"), "step must be an integer, found '1'"),
    (lambda: ml.log_metrics({"a": 1}, step=2**63), "step must lie within 2**53"),
    (lambda: ml.log_params([1]), "params must be a mapping of names to values, found list"),
    (lambda: ml.log_params({3: 1}), "params must have texts as keys, found 3"),
    (lambda: ml.log_params({"fresh": 1, "known": 2}), "param 'known' is 1 in run 'r' already, found 2"),
    (lambda: ml.log_latency(-1), "seconds must be durations of at least 0, found -1.0 (1 of 1)"),
    (lambda: ml.log_latency([0.1, float("nan"), -2]), "seconds must be durations of at least 0, found nan (2 of 3)"),
    (lambda: ml.log_latency("fast"), "must be a number, found 'f'"),
    (lambda: ml.active_run().log_metric([1], 1.0), "metrics must have texts as keys, found [1]"),
    (lambda: ml.active_run().log_param([1], 1.0), "params must have texts as keys, found [1]"),
    (lambda: ml.log_metrics({"a": 1}, step=True), "step must be an integer, found True"),
    (lambda: ml.log_latency([0.1], warmup=1), "warmup must be true or false, found 1"),
    (lambda: ml.active_run().end("failed", error=5), "error must be a text, found 5 of type int"),
    (lambda: ml.set_tags([[1]]), "tags must be texts that are not empty, found [1]"),
    (lambda: ml.set_tags([], remove=[1]), "tags must be texts that are not empty, found 1"),
    (lambda: ml.runs.tag("ended", [], remove=[1]), "texts"),
    (lambda: ml.start_run("x", project_id="newproj", baseline=1), "baseline must be true or false, found 1"),
    (lambda: ml.log_latency(1.0, name=3), "name must be a text that is not empty, found 3"),
    (lambda: ml.set_tags([""]), "tags must be texts that are not empty, found ''"),
    (lambda: ml.set_tags({1: "a"}), "tags must be texts that are not empty, found 1"),
    (lambda: ml.set_tags(3), "tags must be texts or a mapping of texts, found 3"),
    (lambda: ml.set_tags([], remove=[3]), "tags must be texts that are not empty, found 3"),
    (lambda: ml.set_note(None), "note must be a text, found None of type NoneType"),
    (lambda: ml.log_artifact("nowhere.bin"), "must be a file or folder that is there, found 'nowhere.bin'"),
    (lambda: ml.log_artifact("x" * 5000), "must be a file or folder that is there"),
    (lambda: ml.log_artifact("nul\0"), "must be a file or folder that is there"),
    (lambda: ml.log_artifact(object()), "an object with a safe format, found object"),
    (lambda: ml.log_artifact({"a": object()}), "must be writable as JSON, but Object of type object"),
    (lambda: ml.log_artifact({"a": math.nan}), "must be writable as JSON, but Out of range float"),
    (lambda: ml.log_artifact(np.array([object()])), "an object with a safe format, found ndarray"),
    (lambda: ml.log_artifact(pd.DataFrame({"a": [1, "x"]})), "must be a frame that Parquet can hold"),
    (lambda: ml.log_artifact(b"x", name=3), "name must be a text that is not empty, found 3"),
    (
        lambda: ml.log_dataset("nowhere.csv"),
        "data must be a frame, a file or a dataset of the store, found 'nowhere.csv'",
    ),
    (lambda: ml.log_dataset("x" * 5000), "data must be a frame, a file or a dataset of the store"),
    (lambda: ml.log_dataset(3), "data must be a frame, a file or a dataset of the store, found int"),
    (lambda: ml.log_dataset({"a": [1], "b": [1, 2]}), "its columns do not fit together"),
    (lambda: ml.log_dataset("empty.csv"), "'empty.csv' is empty (0 bytes)"),
    (lambda: ml.log_dataset(pd.DataFrame({"a": [1]}), name=" "), "name must be a text that is not empty, found ' '"),
    (lambda: ml.log_dataset(pd.DataFrame({"a": [1]}), split=1), "split must be a text that is not empty, found 1"),
    (lambda: ml.end_run("done"), "status must be 'finished', 'failed' or 'interrupted', found 'done'"),
    (lambda: ml.configure(store="other.duckdb"), "store cannot change while run 'r' is active"),
    (lambda: ml.start_run(""), "name must be a text that is not empty, found ''"),
    (lambda: ml.start_run(3), "name must be a text that is not empty, found 3"),
    (lambda: ml.start_run(seed=-1), "seed must be an integer from 0 to 4294967295, found -1"),
    (lambda: ml.start_run(seed=1.5), "seed must be an integer"),
    (lambda: ml.start_run(seed=True), "seed must be an integer"),
    (lambda: ml.start_run(project_id=""), "project_id must be the id or the name of a project, found ''"),
    (lambda: ml.start_run(project_id=5), "project_id must be the id or the name of a project, found 5"),
    (lambda: ml.start_run(project_id="proj_nothere"), "no project goes by 'proj_nothere'"),
    (lambda: ml.start_run(params=[1]), "params must be a mapping"),
    (lambda: ml.start_run(params={"": 1}), "params must have texts as keys"),
    (lambda: ml.start_run(tags=3), "tags must be texts"),
    (lambda: ml.start_run(baseline="yes"), "baseline must be true or false, found 'yes'"),
    (lambda: ml.start_run(dataset="nowhere.parquet"), "data must be a frame, a file or a dataset of the store"),
    (lambda: ml.start_run(dataset=pd.DataFrame({"a": [1]}), params={1: 1}), "params must have texts as keys"),
    (lambda: ml.start_run(resume="run_nothere"), "no run goes by 'run_nothere'"),
    (lambda: ml.start_run(resume=3), "run must be given by id or name, found 3"),
    (lambda: ml.start_run(resume="r"), "resume must be a run that has ended, found 'r', which is being recorded"),
    (lambda: ml.start_run(resume="ended", params={"x": 2}), "param 'x' is 1 in run 'ended' already, found 2"),
    (lambda: ml.start_run(resume="ended", project_id="other"), "project_id and baseline cannot be given with resume"),
    (lambda: ml.runs.get("no such"), "no run goes by 'no such'"),
    (lambda: ml.runs.get("ende"), "no run goes by 'ende'; did you mean 'ended'?"),
    (lambda: ml.runs.get("run_06"), "is a part of"),
    (lambda: ml.runs.get(None), "run must be given by id or name, found None"),
    (lambda: ml.runs.list(sort="nothing"), "sort must be a column, found 'nothing'"),
    (lambda: ml.runs.list(limit=-1), "limit must be a whole number of at least 0, found -1"),
    (lambda: ml.runs.list(project_id="no such"), "no project goes by 'no such'"),
    (lambda: ml.runs.metrics("ended", "los"), "has no metric 'los'; did you mean 'loss'?"),
    (lambda: ml.runs.diff("ended"), "ids must name at least two runs, found 1"),
    (lambda: ml.runs.update("ended", nam="x"), "field 'nam' of a run cannot be set; did you mean 'name'?"),
    (lambda: ml.runs.update("ended", name=""), "name must be a text that is not empty, found ''"),
    (lambda: ml.runs.update("ended", baseline="yes"), "baseline must be true or false, found 'yes'"),
    (lambda: ml.runs.update("ended", tags=[3]), "tags must be texts that are not empty, found 3"),
    (lambda: ml.projects.create("proj_mine"), "name must not begin with 'proj_'"),
    (lambda: ml.projects.create(""), "name must be a text that is not empty, found ''"),
    (lambda: ml.projects.create("x", description=3), "description must be a text, found 3"),
    (lambda: ml.datasets.add(pd.DataFrame({"a": [1]}), "x", description=3), "description must be a text, found 3"),
    (lambda: ml.datasets.preview("d", rows=-1), "rows must be a whole number of at least 0, found -1"),
    (lambda: ml.datasets.preview("d", version=7), "dataset 'd' has no version 7; it has version 1 only"),
    (lambda: ml.datasets.verify("d"), "data must be given for 'd', which was registered from a frame"),
    (lambda: ml.datasets.update("d", project_id="no such"), "no project goes by 'no such'"),
    (lambda: ml.artifacts.open("folder"), "is a folder; copy it out with ml.artifacts.download"),
    (lambda: ml.artifacts.download("folder", "empty.csv"), "exists already; give a path that does not"),
    (lambda: ml.artifacts.add("no such", b"x"), "no run goes by 'no such'"),
]


@pytest.mark.parametrize("first", [0, 30, 60, 90])
def test_bad_input_is_one_sentence_and_leaves_nothing(
    first: int, files: Callable[[], dict[str, bytes]], tmp_path: Path
) -> None:
    """Wrong input is refused before any work: the message says what was found, and no file or row changes."""
    (tmp_path / "empty.csv").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("a")
    with ml.start_run("ended", params={"x": 1}):
        ml.log_metrics({"loss": 1})
        ml.log_artifact("sub", "folder")
        ml.log_dataset(pd.DataFrame({"a": [1]}), "d")
    with ml.start_run("r", params={"known": 1}) as run:
        run._ending.set()
        session.current().found()
        session.current().reads.stop()  # what a refused file holds was read all the same
        ml.runs.list()
        before = files(), content(tmp_path)
        for call, says in BAD[first : first + 30]:
            with pytest.raises((ml.InputError, ml.NotFoundError), match=re.escape(says)) as caught:
                call()
            assert "\n" not in str(caught.value)
            assert len(str(caught.value)) < 500
            assert files() == before[0], says
            assert ml.active_run() is run
        ml.runs.list()
        assert (files(), content(tmp_path)) == before


def test_logging_without_a_run_says_what_to_type() -> None:
    """No verb logs into nothing."""
    for call in (
        lambda: ml.log_metrics({"a": 1}), lambda: ml.log_param("a", 1),
        lambda: ml.log_latency(1), lambda: ml.set_note("a"),
        lambda: ml.log_artifact(b"a"), lambda: ml.log_dataset("a"), lambda: ml.set_tags("a"), ml.end_run,
    ):  # fmt: skip
        with pytest.raises(ml.NoActiveRunError, match="no run is active; start one with"):
            call()
    assert ml.active_run() is None
    assert not any(Path.cwd().iterdir())


@pytest.mark.parametrize(
    ("store", "says"),
    [
        ("postgres://host/db", "must be a path, quack:HOST:PORT, or ducklake:postgres:CONNINFO"),
        ("notes.csv", "must be a path that ends in .duckdb, found 'notes.csv'; try 'notes.duckdb'"),
        ("plain", "try 'plain.duckdb'"),
        (3, "must be the path of a DuckDB file, found 3"),
        ("a\0.duckdb", "must be the path of a DuckDB file"),
    ],
)
def test_a_store_must_be_the_path_of_a_duckdb_file(store: Any, says: str) -> None:
    """What cannot be a store is refused before anything is made."""
    with pytest.raises(ml.InputError, match=re.escape(says)):
        ml.configure(store=store)
    assert not any(Path.cwd().iterdir())


def test_where_is_logged_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Given beats the variable, the variable beats the nearest file, which beats a new one here."""
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert ml.configure().store == below / "modellab.duckdb"
    (tmp_path / "modellab.duckdb").touch()
    assert ml.configure().store == tmp_path / "modellab.duckdb"
    monkeypatch.setenv("MODELLAB_STORE", str(tmp_path / "other.duckdb"))
    monkeypatch.setenv("MODELLAB_PROJECT", "mine")
    assert (ml.configure().store.name, ml.configure().project) == ("other.duckdb", "mine")
    assert ml.configure(store=below, project="p").store == below / "modellab.duckdb"
    assert ml.configure(store="x.duckdb").files == below / "x.files"


# -- life --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "finished"), (ValueError("bad"), "failed"), (KeyboardInterrupt(), "interrupted"),
        (SystemExit(0), "finished"),
        (SystemExit(3), "failed"),
    ],
)  # fmt: skip
def test_a_with_block_ends_its_run_as_it_ended(error: BaseException | None, status: str) -> None:
    """The outcome of the block is the status of the run, and what was raised goes on."""
    run = ml.start_run("a")
    with nullcontext() if error is None else pytest.raises(type(error)), run:
        ml.log_metrics({"m": 1})
        if error is not None:
            raise error
    record = ml.runs.get(run.id)
    assert (record.status, run.status) == (status, status)
    assert record.error == (None if status == "finished" else f"{type(error).__name__}: {error}")
    assert record.metrics == {"m": 1.0}


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", "finished"),
        ("raise SystemExit(0)", "finished"),
        ("1 / 0", "failed"),
        ("raise KeyboardInterrupt", "interrupted"),
    ],
)
def test_a_process_that_ends_ends_its_runs(end: str, status: str) -> None:
    """A run that a script left open ends with it, as the script did."""
    from tests.conftest import python

    python(f"import modellab_jupyter as ml\nml.start_run('a'); ml.log_metrics({{'m': 1}})\n{end}").communicate(
        timeout=60
    )
    assert ml.runs.list()[["status", "metrics.m"]].values.tolist() == [[status, 1.0]]


def test_runs_nest() -> None:
    """Verbs go to the innermost run; ending it gives them back to the outer one."""
    with ml.start_run("outer") as outer:
        ml.log_metrics({"m": 1})
        with ml.start_run("inner") as inner:
            assert ml.active_run() is inner
            ml.log_metrics({"m": 2})
        assert ml.active_run() is outer
        ml.log_metrics({"m": 3})
    assert ml.runs.metrics(outer.id, "m")["value"].tolist() == [1, 3]
    assert ml.runs.metrics(inner.id, "m")["value"].tolist() == [2]
    assert set(ml.runs.list()["status"]) == {"finished"}


def test_a_run_that_ended_stays_ended() -> None:
    """A second end changes nothing."""
    run = ml.start_run("a")
    run.end("failed", "why")
    run.end()
    assert (ml.runs.get(run.id).status, ml.runs.get(run.id).error) == ("failed", "why")


def test_each_of_many_short_runs_has_a_heartbeat() -> None:
    """A run that starts right after another ended keeps its own heartbeat."""
    for _ in range(8):
        owner = session.current()
        run = ml.start_run("a")
        beat = owner._beating[-1]
        assert not owner._stop.is_set()
        assert beat.is_alive()
        owner.leave(run)
        assert owner._stop.is_set()
        run.end()


def test_a_run_goes_on_where_it_stopped() -> None:
    """A resumed run keeps its params and id, its series go on after the last step, and its durations add up."""
    with ml.start_run("a", params={"x": 1}) as first:
        ml.log_metrics({"m": 1}, step=7)
    before = ml.runs.get(first.id).duration
    with ml.start_run(resume="a", params={"x": 1, "y": 2}) as again:
        assert again.id == first.id
        ml.log_metrics({"m": 2})
        assert ml.runs.get("a").status == "running"
    record = ml.runs.get("a")
    assert (record.params, record.last_steps, record.status) == ({"x": 1, "y": 2}, {"m": 8}, "finished")
    assert record.duration > before
    assert len(ml.runs.list()) == 1


def test_a_run_that_goes_on_with_another_seed_says_so() -> None:
    """The record names the seed that was set last and what it seeded; without one the run keeps its own."""
    ml.start_run("r", seed=1).end()
    ml.start_run(resume="r", seed=99).end()
    ml.start_run(resume="r").end()
    record = ml.runs.get("r")
    assert (record.seed, record.seeded[:2]) == (99, ["random", "numpy"])
    assert ml.sql("SELECT seed FROM runs")["seed"].tolist() == [99]


def test_a_dataset_is_first_looked_for_in_the_runs_project() -> None:
    """Of two datasets of one name that of the run's project is used; where it has none, that of another."""
    mine = ml.datasets.add(pd.DataFrame({"a": [1]}), "data", project_id="mine")
    other = ml.datasets.add(pd.DataFrame({"a": [2]}), "data", project_id="other")
    elsewhere = ml.datasets.add(pd.DataFrame({"a": [3]}), "only", project_id="other")
    for known in (True, False):  # also where this process has proposed an id of its own for the name
        if not known:
            session.reset()
        with ml.start_run("r", project_id="mine", dataset="data") as run:
            assert run.log_dataset("data") == mine.digest
            assert run.log_dataset("only") == elsewhere.digest
        assert {used["dataset_id"] for used in ml.runs.get(run.id).datasets} == {mine.dataset_id, elsewhere.dataset_id}
    with ml.start_run("r", project_id="third") as run:
        assert run.log_dataset("data") == other.digest


def test_a_seed_seeds_once_and_nothing_else_is_touched() -> None:
    """With a seed, random and NumPy repeat and the run's generator too; without, no global state changes."""
    drawn = []
    for _ in range(2):
        with ml.start_run(seed=7) as run:
            drawn.append((random.random(), np.random.rand(), run.rng.random()))  # noqa: NPY002
    assert drawn[0] == drawn[1]
    state, legacy = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with ml.start_run() as run:
        run.rng.random()
        ml.log_metrics({"a": 1})
        ml.log_dataset(pd.DataFrame({"a": [1]}))
    ml.runs.list()
    assert random.getstate() == state
    assert np.random.get_state()[1].tolist() == legacy  # noqa: NPY002


def test_input_is_not_changed() -> None:
    """What is given to a verb is as it was afterwards."""
    params, metrics, tags = {"a": [1]}, {"m": 1}, {"t": None}
    frame = pd.DataFrame({"a": pd.Categorical(["x", None]), "b": [1, 2]}, index=[5, 3])
    copy = frame.copy(deep=True)
    with ml.start_run(params=params, tags=tags, dataset=frame):
        ml.log_metrics(metrics)
        ml.log_artifact(frame, "f.parquet")
    assert (params, metrics, tags) == ({"a": [1]}, {"m": 1}, {"t": None})
    pd.testing.assert_frame_equal(frame, copy)


def test_tags_come_and_go() -> None:
    """Tags are added, given other values and taken off; updating replaces all of them."""
    with ml.start_run(tags="one") as run:
        run.set_tags({"two": "2", "three": 3})
        run.set_tags({"two": "22"}, remove=["one"])
    assert ml.runs.get(run.id).tags == {"two": "22", "three": "3"}
    assert ml.runs.update(run.id, tags=["new"], note="n").tags == {"new": None}
    assert ml.runs.update(run.id, tags=[]).tags == {}
    assert ml.runs.get(run.id).note == "n"


def test_threads_log_side_by_side() -> None:
    """What several threads log is all there."""
    import threading

    with ml.start_run() as run:

        def work(name: str) -> None:
            for step in range(200):
                run.log_metrics({name: step})

        threads = [threading.Thread(target=work, args=(f"m{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = ml.runs.metrics(run.id)
    assert all(part["value"].tolist() == list(range(200)) for _, part in found.groupby("key"))
    assert len(found) == 800


def test_a_project_name_that_was_renamed_is_free_again() -> None:
    """A project is what its name says now, not what it said when this process first saw it."""
    with ml.start_run("a", project_id="one"):
        pass
    ml.projects.update("one", name="two")
    with ml.start_run("b", project_id="one"):
        pass
    assert ml.runs.list(project_id="one")["name"].tolist() == ["b"]
    assert ml.runs.list(project_id="two")["name"].tolist() == ["a"]


def test_git_is_recorded(tmp_path: Path) -> None:
    """The commit that is checked out and whether it was changed are found in the background."""
    import subprocess

    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    (tmp_path / "a.txt").write_text("a")
    for command in (["init", "-q"], ["add", "a.txt"], ["commit", "-qm", "first"]):
        subprocess.run([*git, *command], check=True, cwd=tmp_path)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout.strip()
    with ml.start_run("clean") as clean:
        pass
    (tmp_path / "a.txt").write_text("b")
    with ml.start_run("dirty") as dirty:
        pass
    assert [(r.git_commit, r.git_dirty) for r in map(ml.runs.get, (clean.id, dirty.id))] == [
        (head, False),
        (head, True),
    ]


def test_no_secret_leaves_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment variables only those on the list are recorded."""
    monkeypatch.setenv("MY_API_TOKEN", "s3cr3t-value")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with ml.start_run("a") as run:
        pass
    recorded = json.dumps(ml.runs.get(run.id).environment)
    assert "s3cr3t-value" not in recorded
    assert json.loads(recorded)["variables"]["OMP_NUM_THREADS"] == "1"


# -- what it costs -----------------------------------------------------------------------------------

HEAVY = [
    "numpy",
    "pandas",
    "duckdb",
    "pyarrow",
    "matplotlib",
    "plotly",
    "sklearn",
    "scipy",
    "xgboost",
    "IPython",
    "jupyter_server",
    "ipywidgets",
    "anywidget",
]


@pytest.mark.parametrize(
    "code",
    [
        "",
        "ml.start_run('a', params={'x': 1}, tags=['t']); ml.log_metrics({'a': 1.0, 'b': float('nan')})",
    ],
)
def test_importing_and_logging_load_nothing_heavy(code: str) -> None:
    """Importing the package, and starting a run and logging to it, load no heavy package."""
    out = answer(f"import sys, modellab_jupyter as ml\n{code}\nprint(sorted(set({HEAVY}) & set(sys.modules)))")
    assert out.splitlines()[0] == "[]"


def test_ending_a_run_does_not_load_pandas() -> None:
    """Taking records in needs DuckDB and Arrow only; DuckDB 1 itself loads pandas for an Arrow table."""
    out = answer(
        "import sys, duckdb, modellab_jupyter as ml\n"
        "with ml.start_run('a', params={'x': 1}): ml.log_metrics({'a': 1.0})\n"
        "own = {'pandas'} if duckdb.__version__ < '2' else set()\n"
        "print(sorted({'pandas', 'scipy', 'IPython'} & set(sys.modules) - own))"
    )
    assert out.strip() == "[]"


def test_nothing_warns() -> None:
    """A whole life of a run gives no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with ml.start_run("a", seed=1, params={"x": np.float32(1)}, dataset=pd.DataFrame({"a": [1]})):
            ml.log_metrics({"m": np.float64(1)})
            ml.log_latency(np.array([0.1, 0.2]))
        ml.runs.list()


def test_a_run_that_cannot_be_recorded_fails_at_its_start(tmp_path: Path) -> None:
    """Where nothing can be written the start says so, once and loudly; no run seems to record."""
    ml.configure(tmp_path / "modellab.duckdb")
    (tmp_path / "modellab.files").write_text("a file where the folder should be")

    with pytest.raises(ml.StoreError, match="nothing can be recorded in"):
        ml.start_run("a")

    assert ml.active_run() is None


def test_at_once_is_all_or_nothing() -> None:
    """What a block logged is there when it ends, and none of it when it raises; steps go on as if it had not been."""
    with ml.start_run("a") as run:
        with run.at_once():
            run.log_metrics({"m": 1.0})
            run.log_params({"p": 1})
        with pytest.raises(ml.InputError), run.at_once():  # noqa: PT012 - the block is what is tested
            run.log_metrics({"m": 2.0})
            run.log_params({"p": 2})
        run.log_metrics({"m": 3.0})

    assert ml.runs.metrics("a", "m")[["step", "value"]].values.tolist() == [[0, 1.0], [1, 3.0]]


class Hostile:
    """Something whose methods raise what nobody expects."""

    def __iter__(self) -> Any:
        raise KeyError("no items")

    def __index__(self) -> int:
        raise KeyError("no index")

    def __str__(self) -> str:
        raise KeyError("no text")

    def __repr__(self) -> str:
        raise KeyError("no repr")

    def __float__(self) -> float:
        raise KeyError("no float")


class HostileDict(dict[str, Any]):
    """A mapping that cannot be read through."""

    def items(self) -> Any:
        raise KeyError("no items")


def test_what_raises_when_it_is_looked_at_is_refused_in_a_sentence() -> None:
    """Wherever something is given whose own methods raise, the error is ours, and nothing is recorded of it."""
    bad, items = Hostile(), HostileDict(a=1.0)
    for start in ({"name": bad}, {"project_id": bad}, {"seed": bad}, {"tags": bad}, {"tags": items}, {"params": items},
                  {"baseline": bad}, {"resume": bad}):  # fmt: skip
        with pytest.raises(ml.InputError):
            ml.start_run(**start)
    with ml.start_run("r") as run:
        calls: list[Callable[[], Any]] = [
            lambda: run.log_metric("m", 1.0, step=bad), lambda: run.log_metrics(items),
            lambda: run.log_metrics({bad: 1}),
            lambda: run.log_latency(bad), lambda: run.log_latency([bad]), lambda: run.log_latency(1.0, bad),
            lambda: run.log_latency(1.0, warmup=bad), lambda: run.set_note(bad), lambda: run.set_tags(bad),
            lambda: run.set_tags(items), lambda: run.set_tags([bad]), lambda: run.set_tags({"t": bad}),
            lambda: run.set_tags([], remove=bad), lambda: run.log_params(items), lambda: run.log_artifact(b"x", bad),
            lambda: run.log_dataset(pd.DataFrame({"a": [1]}), split=bad), lambda: run.end(bad), lambda: run.end([]),
            lambda: run.end(error=bad), lambda: ml.runs.update("r", note=bad), lambda: ml.runs.get(bad),
        ]  # fmt: skip
        for call in calls:
            with pytest.raises(ml.InputError):
                call()

    class MuteError(Exception):
        def __str__(self) -> str:
            raise KeyError("no text")

    with pytest.raises(MuteError), ml.start_run("failed"):
        raise MuteError
    assert ml.runs.get("failed").error == "MuteError: <MuteError>"
    assert len(ml.sql("FROM metrics")) == len(ml.sql("FROM tags")) == len(ml.sql("FROM unreadable")) == 0


def test_a_value_whose_methods_raise_is_told_or_kept_by_its_type() -> None:
    """A param is kept as the name of its type; a metric or a duration is refused in a sentence that names it."""
    with ml.start_run("a", params={"h": Hostile(), "l": [Hostile()]}) as run:
        with pytest.raises(ml.InputError, match="metric 'm' must be a number, found <Hostile>"):
            run.log_metrics({"m": Hostile()})
        with pytest.raises(ml.InputError, match="latency 'predict' must be a number, found 'abc'"):
            run.log_latency(["abc"], "predict")
    assert ml.runs.get("a").params["h"] == "<Hostile>"


def test_what_a_run_lost_stays_with_it_and_is_no_other_runs(tmp_path: Path) -> None:
    """Losses of a run add up over its resumptions, count for no other run, and stand in lists that have any."""
    out = answer("""
import errno, warnings
import modellab_jupyter as ml
from modellab_jupyter import journal, session
warnings.simplefilter("ignore")
journal.KEPT_RECORDS = 3
class Full(journal.Journal):
    full = False
    def _write(self, line):
        if self.full:
            raise OSError(errno.ENOSPC, "no space")
        super()._write(line)
session.current().journal.__class__ = Full
def lose(run, count):
    if run._describing is not None:
        run._ending.set()
        run._describing.join()
    session.current().journal.full = True
    for step in range(count + 3):
        run.log_metrics({"m": step})
    session.current().journal.full = False
ml.start_run("whole").end()
print("lost" in ml.runs.list().columns)
with ml.start_run("outer") as outer:
    with ml.start_run("inner") as inner:
        lose(inner, 2)
with ml.start_run("later"):
    pass
for _ in range(2):
    with ml.start_run(resume="inner") as inner:
        lose(inner, 1)
ml.start_run(resume="inner").end()
print(ml.runs.list(order_by="name")[["name", "lost"]].values.tolist())
print(ml.runs.list(where="lost > 0")["name"].tolist(), ml.runs.get("inner").lost)
""")
    assert out.splitlines() == [
        "False",
        "[['inner', 4], ['later', 0], ['outer', 0], ['whole', 0]]",
        "['inner'] 4",
    ]


def test_where_warnings_are_errors_tracking_still_raises_nothing() -> None:
    """What ModelLab has to say goes to stderr then, and the records arrive."""
    out = answer("""
import warnings, pathlib
import modellab_jupyter as ml
from modellab_jupyter import journal
journal.LOOK_EVERY = 0
warnings.simplefilter("error")
run = ml.start_run("a")
for path in journal.segments(pathlib.Path("modellab.files/journal")):
    path.unlink()
run.log_metrics({"m": 1.0})
run.log_metrics({"m": 2.0})
run.end()
print(len(ml.runs.metrics("a", "m")))
""")
    assert out.split() == ["2"]


def test_where_warnings_are_errors_damaged_journals_and_held_stores_stop_no_run() -> None:
    """A line that cannot be read, and a store of which a copy is shown, raise nothing in what is logged or ended."""
    out = answer("""
import sys, subprocess, warnings, pathlib
import modellab_jupyter as ml
warnings.simplefilter("error")
import pandas as pd
ml.datasets.add(pd.DataFrame({"a": [1]}), "known")
hold = "import duckdb, sys; c = duckdb.connect('modellab.duckdb'); print(1, flush=True); sys.stdin.readline()"
run = ml.start_run("a")
folder = pathlib.Path("modellab.files/journal")
(folder / "seg_0.jsonl").write_bytes(b"rubbish\\n")
run.log_dataset("known")
(folder / "seg_1.jsonl").write_bytes(b"rubbish\\n")
holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
holder.stdout.readline()
run.log_dataset("known", split="test")
run.log_metrics({"m": 1.0})
holder.communicate(b"\\n")
run.end()
print(len(ml.sql("FROM unreadable")), ml.runs.get("a").status, len(ml.runs.get("a").datasets), ml.runs.get("a").lost)
""")
    assert out.split() == ["2", "finished", "2", "0"]
