from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import modellab_jupyter as ml
from modellab_jupyter import cli


def run(capsys, *words):
    """Run the command line in this process; return exit code, output and errors."""
    try:
        code = cli.main(words)
    except SystemExit as stop:
        code = stop.code
    done = capsys.readouterr()
    return code, done.out, done.err


@pytest.fixture
def table(tmp_path):
    """A small table with two classes, as a CSV file."""
    lines = ["size,kind,label"] + [f"{i % 17},{'ab'[i % 2]},{'yes' if i % 17 > 8 else 'no'}" for i in range(120)]
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_train_prints_three_models_and_the_best(capsys, table):
    """Without a project, train prints the scores with intervals and leaves nothing behind."""
    code, out, _ = run(capsys, "train", "classification", str(table), "--target", "label")

    assert code == 0
    for title in ("Dummy", "Logistic regression", "XGBoost"):
        assert re.search(rf"^{title}.*\d\.\d+ +\d\.\d+ \[\d\.\d+, \d\.\d+\]", out, re.MULTILINE)
    assert re.search(r"^Best: ", out, re.MULTILINE)
    assert not list(table.parent.glob("modellab*"))


def test_train_with_a_project_logs_three_runs(capsys, table):
    """With a project the three runs are there, the dummy as baseline."""
    code, _, _ = run(
        capsys, "train", "classification", str(table), "--target", "label", "--project-id", "p", "--seed", "1"
    )

    runs = ml.runs.list("p")

    assert code == 0
    assert runs["name"].tolist() == ["xgboost", "linear", "dummy"]
    assert runs["baseline"].tolist() == [False, False, True]
    assert runs["metrics.accuracy.low"].notna().all()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["tran"], 2, "there is no command 'tran'; did you mean 'train'?"),
        (["train", "classification", "no.csv", "--target", "y"], 1, "no.csv"),
        (["runs", "nope"], 1, "no run goes by 'nope'"),
        (["runs", "--project-id", "nope"], 1, "no project goes by 'nope'"),
        (["runs", "--summary", "mean"], 1, "summary must be one of last, min, max, best"),
        (["evaluate", "no.csv", "--labels", "a", "--predictions", "b"], 1, "no.csv"),
        (["--store", "s3://bucket/x", "runs"], 1, "store must be a path, quack:HOST:PORT"),
        (["lab", "nowhere"], 1, "folder must be there, found 'nowhere'"),
    ],
)
def test_a_slip_is_one_line_and_an_exit_code(capsys, words, code, said):
    """A wrong call says what was wrong in one line on stderr, without a traceback."""
    found, out, err = run(capsys, *words)

    assert found == code
    assert said in err
    assert err.count("\n") == 1
    assert out == ""


def test_wrong_target_names_the_nearest_column(capsys, table):
    """A mistyped target is answered with the column that was meant."""
    code, _, err = run(capsys, "train", "classification", str(table), "--target", "labl")

    assert code == 1
    assert "label" in err


def test_evaluate_writes_the_standard_folder(capsys, table, tmp_path):
    """Predictions in a file are judged and the folder is written."""
    path = tmp_path / "predicted.csv"
    path.write_text("x,y,p\n" + "".join(f"{i},{i % 2},{(i % 2) if i % 5 else 1 - i % 2}\n" for i in range(100)))

    code, out, _ = run(
        capsys, "evaluate", str(path), "--labels", "y", "--predictions", "p", "--output", str(tmp_path / "out")
    )

    assert code == 0
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["metrics"]["accuracy"] == 0.8
    assert (tmp_path / "out" / "takeaway.txt").read_text().strip() in out


def test_lists_print_what_is_there(capsys, table):
    """runs, projects and datasets print tables, and say so where there is nothing."""
    assert run(capsys, "runs")[1] == "none yet\n"
    run(capsys, "train", "classification", str(table), "--target", "label", "--project-id", "p")

    assert "xgboost" in run(capsys, "runs")[1]
    chosen = run(capsys, "runs", "--where", "name != 'xgboost'", "--order-by", "name desc")[1]
    assert "dummy" in chosen
    assert "xgboost" not in chosen
    assert re.search(r"\bp\b.*\b3\b", run(capsys, "projects")[1])
    assert "table" in run(capsys, "datasets")[1]
    assert "size" in run(capsys, "datasets", "table")[1]
    assert "finished" in run(capsys, "runs", "dummy")[1]


def test_trash_destroys_only_when_told_so(capsys):
    """trash lists, restores, tells what emptying destroys, and does it with --yes alone where nobody can be asked."""
    for name in ("a", "b"):
        with ml.start_run(name):
            ml.log_artifact(b"bytes", "x.bin")
    ml.runs.delete("a", "b")
    assert cli.main(["trash"]) == 0
    assert cli.main(["trash", "--restore", "b"]) == 0
    assert cli.main(["trash", "--empty"]) == 1
    out, err = capsys.readouterr()
    assert "restored 'b'" in out
    assert "this destroys 1 run, 1 artifact for good" in out
    assert "--yes must be given where nobody can be asked" in err
    assert len(ml.trash.list()) == 1
    assert cli.main(["trash", "--empty", "--yes"]) == 0
    assert "destroyed 2 objects" in capsys.readouterr().out
    assert len(ml.trash.list()) == 0


def test_demo_says_where_everything_is(tmp_path):
    """The demo as a program: store, artifact folder, report and notebook are where it says they are."""
    done = subprocess.run(
        [sys.executable, "-m", "modellab_jupyter.cli", "demo"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    places = dict(
        re.findall(r"^  (store|artifact folder|report \(offline\)|notebook) +(\S+)$", done.stdout, re.MULTILINE)
    )

    assert len(places) == 4
    assert all((tmp_path / place).exists() for place in places.values())
    assert (tmp_path / places["artifact folder"] / "plots" / "roc_curve.png").exists()
    page = (tmp_path / places["report (offline)"]).read_text("utf-8")
    assert "http" not in re.sub(r'http://www\.w3\.org/[^\s"<]*|http%3A//www\.w3\.org/\S*', "", page)
    assert done.stderr == ""


def test_demo_refuses_a_folder_with_other_things(capsys, tmp_path):
    """The demo writes into no folder that is somebody else's."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("x")

    code, _, err = run(capsys, "demo", "mine")

    assert code == 1
    assert "folder must be new, empty or of an earlier demo" in err
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["thesis.tex"]
