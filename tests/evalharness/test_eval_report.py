"""Print, folder and figures of a report."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from evalharness import InputError, evaluate
from evalharness.writer import PLOTS, check
from tests.evalharness.support import QUICK

ROOT = Path(__file__).resolve().parents[2]


# Print --------------------------------------------------------------------------------------------


def test_a_printed_report_is_a_table_of_its_metrics():
    """One line for each metric: its estimate and interval, or the reason why there is none."""
    y = ["no\nway"] * 20 + ["yes"] * 20
    report = evaluate(task_type="classification", labels=y, predictions=["yes"] * 2 + y[2:])
    head, titles, *lines = str(report).split("\n")
    assert head == "binary, 40 rows, positive class 'yes'"
    assert titles.split() == ["metric", "estimate", "95", "%", "interval"]
    assert [line.split()[0] for line in lines] == list(report.metrics)
    assert lines[0].split() == ["accuracy", "0.95", "0.835", "to", "0.991"]
    bare = evaluate(task_type="regression", labels=[1], predictions=[2], config={"compute_cis": False})
    assert "r2                                  none      all labels are equal (1)" in str(bare)
    assert "mean_bias_error                     1         none: compute_cis was off" in str(bare)
    assert repr(bare) == "<Report: regression, 1 rows, root_mean_squared_error 1.0>"


# Folder -------------------------------------------------------------------------------------------


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def refuse(constant):
    raise AssertionError(constant)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_folder_holds_exactly_the_standard_files(task, tmp_path):
    target = tmp_path / "deep" / "eval"
    report = evaluate(
        task_type=task,
        labels=[0, 1, 1, 0] * 10,
        predictions=[0, 1, 0, 0] * 10,
        data={"x": [1.0, 2, None, np.inf] * 10},
        predict=lambda d: [0] * len(d),
        config={"run_stress_tests": True},
        output_dir=target,
    )
    files = contents(target)
    assert set(files) == {
        "metrics.json",
        "confidence_intervals.json",
        "slices.json",
        "failure_examples.json",
        "stress.json",
        "takeaway.txt",
        *(f"plots/{name}.png" for name in PLOTS[task]),
    }
    for name, content in files.items():
        if name.endswith(".json"):
            assert json.loads(content, parse_constant=refuse) == json.loads(json.dumps(report.documents()[name]))
    assert files["takeaway.txt"].decode() == report.get_takeaway() + "\n"
    found = json.loads(files["metrics.json"])
    assert {name for name, value in found["metrics"].items() if value is None} == set(found["undefined"])
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["eval"]


def test_hostile_names_are_text(tmp_path):
    data = {"<script>alert(1)</script>": ["a\x00\n", "b"] * 40, "$x_1$": range(80)}
    y = ["<img src=x>", "$y^2$ \ud800 \n 日本 \x00"] * 40
    evaluate(task_type="classification", labels=y, predictions=y[::-1], data=data, output_dir=tmp_path / "e")
    json.loads((tmp_path / "e" / "failure_examples.json").read_bytes())


def test_an_old_report_is_replaced_whole(tmp_path):
    evaluate(task_type="classification", labels=[0, 1] * 9, predictions=[0, 1] * 9, output_dir=tmp_path / "e")
    evaluate(
        task_type="regression",
        labels=[1, 2, 3],
        predictions=[1, 2, 4],
        output_dir=tmp_path / "e",
        config={"plots": False},
    )
    assert set(contents(tmp_path / "e")) == {
        "metrics.json",
        "confidence_intervals.json",
        "slices.json",
        "failure_examples.json",
        "takeaway.txt",
    }
    assert [p.name for p in (tmp_path).iterdir()] == ["e"]


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    evaluate(
        task_type="regression",
        labels=[1, 2, 3],
        predictions=[1, 2, 4],
        output_dir=tmp_path / "e",
        config={"plots": False},
    )
    before = contents(tmp_path / "e")
    monkeypatch.setattr("evalharness.plots._STYLE", {"no such key": 1})
    with pytest.raises(KeyError):
        evaluate(task_type="regression", labels=[1, 2, 3], predictions=[9, 9, 9], output_dir=tmp_path / "e")
    assert contents(tmp_path / "e") == before
    assert [p.name for p in (tmp_path).iterdir()] == ["e"]


def test_a_crash_between_the_renames_loses_no_report(tmp_path):
    """Killed after the old report was moved aside, it is back before the next write, whether or not that succeeds."""
    code = (
        "import os, sys, pathlib, evalharness as e\n"
        "given = dict(task_type='regression', labels=[1, 2], predictions=[1, 2], config={'plots': False})\n"
        "e.evaluate(**given, output_dir=sys.argv[1])\n"
        "move = pathlib.Path.rename\n"
        "pathlib.Path.rename = lambda self, to: (move(self, to), os._exit(9))\n"
        "e.evaluate(**given, output_dir=sys.argv[1])\n"
    )
    target = tmp_path / "a[b]"
    done = subprocess.run([sys.executable, "-c", code, str(target)], env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert (done.returncode, target.exists()) == (9, False)
    check(target)
    assert json.loads((target / "metrics.json").read_bytes())["n"] == 2
    evaluate(task_type="regression", labels=[1, 2, 3], predictions=[1, 2, 3], output_dir=target)
    assert json.loads((target / "metrics.json").read_bytes())["n"] == 3
    assert not [p for p in tmp_path.iterdir() if ".old-" in p.name]


def test_half_written_folders_go_with_the_next_write(tmp_path):
    """Killed while it wrote, a process leaves a hidden folder; the next write removes it, but none in use."""
    code = (
        "import os, sys, evalharness as e, evalharness.writer as w\n"
        "given = dict(task_type='regression', labels=[1, 2], predictions=[1, 2], config={'plots': False})\n"
        "def stop(*_):\n"
        "    print('written', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    os._exit(9)\n"
        "w._swap = stop\n"
        "e.evaluate(**given, output_dir=sys.argv[1])\n"
    )
    target = tmp_path / "e"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(target)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as writing:  # fmt: skip
        assert writing.stdout.readline() == "written\n"
        evaluate(task_type="regression", labels=[1, 2], predictions=[1, 2], output_dir=target, config={"plots": False})
        assert sum(".new-" in p.name for p in tmp_path.iterdir()) == 1
        writing.communicate("\n")
    evaluate(task_type="regression", labels=[1, 2], predictions=[1, 2], output_dir=target, config={"plots": False})
    assert [p.name for p in tmp_path.iterdir()] == ["e"]


def test_what_was_being_removed_is_not_put_back(tmp_path):
    """Half of an old report is no report."""
    (tmp_path / f".e.old-{'0' * 32}" / "plots").mkdir(parents=True)
    assert not check(tmp_path / "e").exists()


def test_the_folder_has_the_mode_of_new_folders(tmp_path, monkeypatch):
    """The process-wide umask is never changed, for other threads may be writing."""
    monkeypatch.delattr(os, "umask")
    (tmp_path / "plain").mkdir()
    evaluate(task_type="regression", labels=[1, 2], predictions=[1, 2], output_dir=tmp_path / "e", config=QUICK)
    assert (tmp_path / "e").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("name", ["notes.txt", "plots/mine.png", "metrics.json", ".git"])
def test_a_folder_with_other_content_is_never_replaced(tmp_path, name):
    target = tmp_path / "e"
    (target / name).parent.mkdir(parents=True)
    (target / name).write_text('{"kind": "something else"}')
    with pytest.raises(InputError) as caught:
        evaluate(task_type="regression", labels=[1, 2], predictions=[1, 2], output_dir=target)
    assert str(caught.value) == (
        f"output_dir {str(target)!r} holds {name!r}, which is not from an earlier report; give a new "
        "folder, or empty this one."
    )
    assert (target / name).exists()


def test_unwritable_folders_are_refused_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setattr("evalharness.evaluators._compose", refuse)
    for target, sentence in (
        (tmp_path / "file", f"output_dir {str(tmp_path / 'file')!r} is a file; give the path of a folder."),
        (
            tmp_path / "file" / "e",
            (
                f"output_dir {str(tmp_path / 'file' / 'e')!r} cannot be written (Not a directory); give a "
                "folder that can."
            ),
        ),
    ):
        with pytest.raises(InputError) as caught:
            evaluate(task_type="regression", labels=[1, 2], predictions=[1, 2], output_dir=target)
        assert str(caught.value) == sentence


SCRIPT = """
import sys
import numpy as np, pandas as pd
from evalharness import evaluate
rng = np.random.default_rng(0)
n = 700
data = pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y", None], n)})
p = rng.dirichlet([1, 1, 1], n)
evaluate(
    task_type="classification", labels=rng.choice(["u", "v", "w"], n), predictions=p, data=data,
    sample_weight=rng.random(n), predict=lambda d: np.full((len(d), 3), 1 / 3),
    config={"run_stress_tests": True, "n_resamples": 200}, output_dir=sys.argv[1] + "/c",
)
y, guess = rng.normal(size=(2, n))
evaluate(task_type="regression", labels=y, predictions=guess, data=data, output_dir=sys.argv[1] + "/r")
y, *models = rng.normal(size=(3, 60_000))  # so many that cells are drawn in place of rows
few = {"n_resamples": 100, "max_slice_features": 0}
one, other = (evaluate(task_type="regression", labels=y, predictions=p, config=few) for p in models)
one.write(sys.argv[1] + "/l")
text = one.compare(other).table.to_csv(float_format="%.17g")
with open(sys.argv[1] + "/l/compared.csv", "w", encoding="utf-8") as file:
    file.write(text)
"""


def test_two_processes_thread_counts_and_kernels_write_identical_bytes(tmp_path):
    found = []
    for number, threads in enumerate(("1", "2")):
        kernels = {"OPENBLAS_CORETYPE": "Prescott"} if number else {}
        env = {
            **os.environ,
            **kernels,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": str(number),
            "PYTHONPATH": str(ROOT),
        }
        target = tmp_path / threads
        subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT, str(target)], check=True, env=env)
        found.append(contents(target))
    assert len(found[0]) == 32
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []


# Figures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        "binary",
        "many classes",
        "labels only",
        "one class",
        "constant",
        "regression",
        "constant regression",
        "one row",
    ],
)
def test_every_case_gives_every_figure(case, tmp_path):
    """PNG files of one size, nothing stamped into them, pyplot not imported and rcParams as before."""
    import matplotlib as mpl

    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 60)
    given = {
        "binary": {"labels": y, "predictions": rng.random(60)},
        "many classes": {"labels": rng.integers(0, 40, 300), "predictions": rng.integers(0, 40, 300)},
        "labels only": {"labels": y, "predictions": 1 - y},
        "one class": {"labels": [1] * 9, "predictions": np.linspace(0.1, 0.9, 9)},
        "constant": {"labels": y, "predictions": [0.3] * 60},
        "regression": {"labels": rng.normal(size=60), "predictions": rng.normal(size=60)},
        "constant regression": {"labels": rng.normal(size=60), "predictions": [1.0] * 60},
        "one row": {"labels": [2.0], "predictions": [2.0]},
    }[case]
    task = "regression" if "regression" in case or case == "one row" else "classification"
    before = dict(mpl.rcParams)
    evaluate(task_type=task, output_dir=tmp_path / "e", config={"n_resamples": 100}, **given)
    assert dict(mpl.rcParams) == before
    assert sorted(p.stem for p in (tmp_path / "e" / "plots").iterdir()) == sorted(PLOTS[task])
    for path in (tmp_path / "e" / "plots").iterdir():
        content = path.read_bytes()
        assert content[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", content[16:24]) == (768, 576)
        assert b"tEXt" not in content


def test_import_is_light():
    """Importing costs no pandas, scipy or matplotlib."""
    code = (
        "import sys, evalharness; print([m for m in ('pandas', 'scipy', 'sklearn', 'matplotlib', "
        "'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.strip() == "[]"


def test_drawing_needs_no_pyplot():
    code = (
        "import sys, evalharness as e; e.evaluate(task_type='regression', labels=[1, 2], "
        "predictions=[1, 2], output_dir=sys.argv[1]); "
        "print('matplotlib.pyplot' in sys.modules)"
    )
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code, folder + "/e"],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    assert done.stdout.strip() == "False"


def test_public_names():
    import evalharness

    assert evalharness.__all__ == [
        "METRICS",
        "Comparison",
        "Comparisons",
        "Config",
        "DataSetComparison",
        "FoldComparison",
        "InputError",
        "Interval",
        "MetricSpec",
        "Report",
        "adjusted",
        "comparable",
        "compare_data_sets",
        "compare_folds",
        "compare_models",
        "evaluate",
    ]
    assert all(hasattr(evalharness, name) for name in evalharness.__all__)
