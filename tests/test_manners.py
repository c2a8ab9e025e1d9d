"""What a user meets on the way: names that stand for two, choices that stay, slips that are told."""

from __future__ import annotations

import subprocess
import sys
import time

import pandas as pd
import pytest

import modellab_jupyter as ml
from modellab_jupyter import judge, session
from tests.conftest import answer, lacking, python

FRAME = pd.DataFrame({"a": [1.0, 2.0, 3.0]})


def test_a_killed_run_keeps_the_time_it_had_spent() -> None:
    """Of a run that was killed and goes on, the time until its last sign of life counts."""
    code = """
import time, modellab_jupyter as ml
run = ml.start_run("r")
for step in range(8):
    run.log_metric("x", step); time.sleep(0.1)
print(run.id, flush=True); time.sleep(60)
"""
    process = python(code)
    assert process.stdout is not None
    run_id = process.stdout.readline().strip()
    process.kill()
    process.communicate()
    spent = ml.runs.get(run_id).duration
    assert spent is not None
    assert spent > 0.5
    with ml.start_run(resume=run_id):
        time.sleep(0.1)
    assert (ml.runs.get(run_id).duration or 0) >= spent + 0.1


def test_the_pace_of_a_resumed_run_counts_from_its_resumption() -> None:
    """A run that goes on in the same process has the steps and the time since then, not those before."""
    with ml.start_run("r", total_steps=20) as run:
        for _ in range(5):
            run.log_metric("x", 1.0)
    time.sleep(0.4)
    with ml.start_run(resume=run.id) as again:
        again.log_metric("x", 1.0)
        session.current().store.ingest()
        shown = session.current().store.progress(None)[0]
    assert shown["first"] == 5
    assert shown["elapsed"] < 0.4


def test_what_was_chosen_stays_until_it_is_chosen_anew(tmp_path) -> None:
    """Store and project are chosen apart: one given alone leaves the other, none given is the default again."""
    other = tmp_path / "other.duckdb"
    ml.configure(store="other.duckdb")
    assert ml.configure(project="churn").store == other
    session.current().use_project("sales")
    found = ml.configure(store="third.duckdb")
    assert (found.project, found.store.name) == ("sales", "third.duckdb")
    found = ml.configure()
    assert (found.project, found.store.name) == ("default", "modellab.duckdb")


def test_a_dataset_belongs_to_the_project_that_was_chosen() -> None:
    """A dataset goes to the project of `configure`, to none where nobody chose one."""
    assert ml.datasets.add(FRAME, "free").project_id is None
    ml.configure(project="churn")
    assert ml.datasets.add(FRAME, "bound").project_id == ml.projects.get("churn").project_id


@pytest.mark.skipif(sys.platform != "linux", reason="mounts are Linux's")
def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path) -> None:
    """Datasets and exports say of a read-only folder what it is and what to do."""
    code = """
import modellab_jupyter as ml
for call in (lambda: ml.datasets.add("table.csv"), lambda: ml.export("out.zip")):
    try:
        call()
    except ml.ModelLabError as error:
        print(error)
"""
    ml.start_run("r").end()
    FRAME.to_csv("table.csv")
    inside = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,bind,ro {tmp_path} && cd {tmp_path} && exec "
    done = subprocess.run(
        ["unshare", "-m", "-r", "sh", "-c", inside + '"$0" -c "$1"', sys.executable, code],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": ":".join(p for p in sys.path if p), "HOME": "/tmp"},
    )  # fmt: skip
    if "Operation not permitted" in done.stderr and not done.stdout:
        lacking("machine", "this machine lets nobody mount")
    told = done.stdout.splitlines()
    assert len(told) == 2, done
    assert "nothing can be recorded in" in told[0]
    assert "path must be where a file can be written, found 'out.zip'" in told[1]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: ml.dashboard(view=3), "view must be a text that is not empty, found 3"),
        (lambda: ml.dashboard(live="yes"), "live must be true or false, found 'yes'"),
        (lambda: ml.datasets.preview("d", version=9), "dataset 'd' has no version 9; it has versions 1 to 2."),
        (lambda: ml.datasets.drift("d", 1, 9), "dataset 'd' has no version 9; it has versions 1 to 2."),
        (lambda: ml.datasets.preview("e", version=9), "dataset 'e' has no version 9; it has version 1 only."),
        (lambda: ml.runs.list(where="status = 'done'"), "status is one of running, finished, failed, interrupted"),
        (lambda: ml.runs.list(where="status = 'finnished'"), "did you mean 'finished'?"),
        (lambda: ml.runs.delete("twin"), "2 runs are named 'twin'"),
    ],
)
def test_slips_are_told(call, told: str) -> None:
    """What cannot be meant is refused in one sentence that says what can be."""
    for project in ("a", "b"):
        ml.start_run("twin", project).end()
    for frame in (FRAME, FRAME + 1, FRAME):
        ml.datasets.add(frame, "d")
    ml.datasets.add(FRAME, "e")
    with pytest.raises(ml.ModelLabError) as found:
        call()
    assert told in str(found.value)
    assert not str(found.value).endswith("?.")
    assert len(ml.runs.list()) == 2


def test_a_list_of_all_projects_names_them() -> None:
    """Runs of all projects say whose they are, runs of one project need not."""
    for project in ("a", "b"):
        ml.start_run("r", project).end()
    assert ml.runs.list()["project"].tolist() == ["b", "a"]
    assert "project" not in ml.runs.list("a").columns


def test_a_run_and_a_collection_print_on_a_screen() -> None:
    """A record leaves the packages out of what it prints; a collection says how to see what it holds."""
    with ml.start_run("r") as run:
        run.log_params({"depth": 3})
    text = repr(ml.runs.get("r"))
    assert len(text) < 1500
    assert "depth" in text
    assert "packages>" in text
    assert repr(ml.runs).endswith("modellab.duckdb; .list() shows them>")


def test_a_probability_above_one_is_no_regression() -> None:
    """Labels of 0 and 1 are classes, so a score of 1.0001 is told as a slip."""
    assert judge.infer_task([0.2, 1.0001], [0, 1], {}) == "classification"
    with ml.start_run("r") as run, pytest.raises(ValueError, match="predictions"):
        run.evaluate(predictions=[0.2, 1.0001], labels=[0, 1])


def test_an_empty_trash_destroys_nothing() -> None:
    """What emptying an empty trash would destroy is nothing, and no files of 0 bytes."""
    ml.start_run("r").end()
    assert str(ml.trash.contents()) == "nothing"


def test_the_command_line_takes_what_the_magics_take() -> None:
    """Projects by either name of the option, the smallest first, and the trash."""
    code = "import sys\nfrom modellab_jupyter.cli import main\nsys.exit(main(sys.argv[1:]))"
    for value in (1.0, 2.0):
        with ml.start_run(f"r{value:.0f}", "a") as run:
            run.log_metric("auc", value)
    ml.start_run("gone", "a").end()
    ml.runs.delete("gone")
    listed = answer(code, "runs", "--project", "a", "--sort", "auc", "--ascending")
    assert listed.index("r1") < listed.index("r2")
    assert "gone" in answer(code, "runs", "--project-id", "a", "--trash")
    done = python(code, "runs", "--projct", "a")
    assert "did you mean '--project'?" in done.communicate(timeout=60)[1]


def test_cells_stay_in_their_order_when_a_run_goes_on() -> None:
    """A run that goes on in its own process has lived there since it was started."""
    with ml.start_run("r") as run:
        pass
    with ml.start_run(resume=run.id):
        pass
    (row,) = ml.sql("SELECT started_at, resumed_at FROM run_sessions").to_dict("records")
    assert row["started_at"] < row["resumed_at"]
