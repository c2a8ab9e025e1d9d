"""Slices, failures, stress tests, takeaway, folder and figures of a report."""

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalharness import InputError, evaluate
from evalharness.writer import PLOTS, check

ROOT = Path(__file__).resolve().parents[2]


def churn(n=1500, seed=0, weak=None, **given):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "age": rng.normal(40, 12, n).round(1),
            "city": rng.choice(["Oslo", "Rome", "Bern <b>"], n),
            "customer_id": np.arange(n),
            "since": pd.date_range("2020-01-01", periods=n, freq="D").to_numpy(),
            "paid": rng.random(n) < 0.4,
            "plan": "basic",
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(size=n)),
        }
    )
    p = 1 / (1 + np.exp(-(data["age"].to_numpy() - 40) / 8))
    true = np.where(weak(data), 0.5, p) if weak is not None else p
    labels = np.where(rng.random(n) < true, "yes", "no")
    return evaluate(task_type="classification", labels=labels, predictions=p, data=data, **given)


QUICK = {"compute_cis": False, "plots": False}


# Slices -------------------------------------------------------------------------------------------


def test_planted_slice_is_found():
    """Labels are coin flips in Rome: the slice is significant, and nothing about other columns is."""
    report = churn(weak=lambda d: d["city"] == "Rome", config=QUICK)
    found = report.slices[report.slices["significant"]]
    rome = found[found["slice"] == "city = 'Rome'"].iloc[0]
    assert rome["estimate"] < report.metrics["accuracy"]
    assert rome["low"] < rome["estimate"] < rome["high"]
    assert not any("income" in feature or "since" in feature for feature in found["feature"])
    assert list(report.slices.columns) == [
        "slice",
        "feature",
        "condition",
        "support",
        "metric",
        "estimate",
        "low",
        "high",
        "p_value",
        "q_value",
        "significant",
    ]


def test_planted_pair_is_found_as_a_pair():
    report = churn(n=4000, weak=lambda d: (d["city"] == "Rome") & d["paid"], config=QUICK)
    best = report.slices.iloc[0]
    assert set(best["feature"].split(" & ")) == {"city", "paid"}
    assert "city = 'Rome'" in best["slice"]
    assert "paid = True" in best["slice"]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_noise_is_not_found(task):
    """With features that say nothing about errors at most 7.5 % of runs flag any (80 runs, error 2.4)."""
    flagged = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        data = pd.DataFrame({f"x{j}": rng.normal(size=400) for j in range(4)} | {"c": rng.choice(list("abc"), 400)})
        y = rng.integers(0, 2, 400) if task == "classification" else rng.standard_t(4, 400)
        p = rng.integers(0, 2, 400) if task == "classification" else rng.standard_t(4, 400)
        flagged += bool(
            evaluate(task_type=task, labels=y, predictions=p, data=data, config=QUICK).slices["significant"].any()
        )
    assert flagged <= 8


def test_columns_that_cannot_be_sliced_say_why():
    report = churn(config=QUICK)
    assert dict(report.slices_found.skipped) == {
        "customer_id": "identifier-like: every row has its own whole number",
        "plan": "constant",
    }
    data = pd.DataFrame({"lists": [[1]] * 100, "empty": [None] * 100, "names": [f"n{i}" for i in range(100)]})
    found = evaluate(
        task_type="classification", labels=[0, 1] * 50, predictions=[0, 1] * 50, data=data, config=QUICK
    ).slices_found
    assert dict(found.skipped) == {
        "lists": "values of type list are not supported",
        "empty": "all values are missing",
        "names": "identifier-like: 100 different values in 100 rows",
    }


def test_one_feature_conditions_part_the_rows():
    """Bins of a number, with its missing rows, cover every row once."""
    report = churn(config={**QUICK, "max_slice_features": 1, "min_support": 2})
    for feature, n in (("age", 1500), ("income", 1500), ("since", 1500), ("city", 1500), ("paid", 1500)):
        assert report.slices.loc[report.slices["feature"] == feature, "support"].sum() == n
    assert (report.slices["support"] >= 2).all()


def test_min_support_holds():
    report = churn(config={**QUICK, "min_support": 200})
    assert (report.slices["support"] >= 200).all()


def test_slices_of_weights_and_groups_use_the_linearised_test():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.choice(["a", "b"], 600)})
    y = rng.integers(0, 2, 600)
    p = np.where((data["x"] == "b") & (rng.random(600) < 0.4), 1 - y, y)
    for extra in ({"sample_weight": rng.random(600)}, {"groups": rng.integers(0, 60, 600)}):
        found = evaluate(task_type="classification", labels=y, predictions=p, data=data, config=QUICK, **extra).slices
        assert found["significant"].all()
        assert (found["p_value"] < 1e-6).all()


def test_many_columns_take_bounded_time():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(200, 600)))
    found = evaluate(
        task_type="classification", labels=[0, 1] * 100, predictions=[0, 1] * 100, data=data, config=QUICK
    ).slices_found
    assert found.notes == ("Two-feature slices were left out: 2,400 conditions are more than 400.",)


def test_without_data_there_are_no_slices_and_a_reason():
    report = evaluate(task_type="classification", labels=[0, 1], predictions=[0, 1])
    assert len(report.slices) == 0
    assert report.slices_found.reason == "no data was given, so there are no features to slice by"


# Failures -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_six_categories_sum_to_the_errors(task):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": np.where(rng.random(500) < 0.2, np.nan, rng.standard_t(2, 500))})
    if task == "classification":
        y = rng.choice(list("abcd"), 500, p=[0.5, 0.3, 0.17, 0.03])
        report = evaluate(task_type=task, labels=y, predictions=rng.dirichlet([0.5] * 4, 500), data=data, config=QUICK)
        errors = round((1 - report.metrics["accuracy"]) * 500)
    else:
        y = rng.normal(size=500)
        error = rng.standard_t(2, 500)
        report = evaluate(task_type=task, labels=y, predictions=y + error, data=data, config=QUICK)
        errors = int(np.sum(np.abs(error) > 3 * np.median(np.abs(error))))
    found = report.failures_found
    assert len(found.categories) == 6
    assert found.errors == errors == sum(c.count for c in found.categories)
    assert sum(c.share for c in found.categories) == pytest.approx(1)
    assert all(c.count > 0 for c in found.categories), found.counts
    rows = [e.row for c in found.categories for e in c.examples]
    assert len(rows) == len(set(rows)) == len(report.failures)
    for c in found.categories:
        assert c.low <= c.share <= c.high
        assert len(c.examples) == min(10, c.count)


def test_failures_name_rows_of_the_input():
    """After dropping row 0 the failed row is still called by its place in what was given."""
    report = evaluate(
        task_type="classification",
        labels=[None, "a", "b", "b"],
        predictions=["a", "a", "a", "b"],
        data={"x": [1, 2, 3, 4]},
        on_missing="drop",
        config=QUICK,
    )
    example = next(c for c in report.failures_found.categories if c.count).examples[0]
    assert (example.row, example.label, example.prediction, dict(example.values)) == (2, "b", "a", {"x": 3})
    assert example.reason == "predicted 'a', but it is 'b'"


def test_no_errors_is_no_failure():
    report = evaluate(task_type="regression", labels=[1, 2, 3], predictions=[1, 2, 3])
    assert report.failures_found.errors == 0
    assert len(report.failures) == 0


# Stress -------------------------------------------------------------------------------------------

STRESS = {"run_stress_tests": True, "plots": False, "n_resamples": 200}


def steady(d):
    assert isinstance(d, pd.DataFrame)
    return (1 / (1 + np.exp(-(d["age"].fillna(40) - 40) / 8))).to_numpy()


def test_stress_shows_what_hurts():
    report = churn(predict=steady, config=STRESS)
    table = report.stress.set_index(["perturbation", "severity", "metric"])
    clean = table.loc[("none", 0.0, "roc_auc")]
    assert clean["drop"] == 0
    assert clean["estimate"] == report.metrics["roc_auc"]
    hurt = table.loc[("noise", 1.0, "roc_auc")]
    assert 0 < hurt["drop_low"] < hurt["drop"] < hurt["drop_high"]
    swaps = table.loc[("category swaps", 0.5, "roc_auc")]
    assert (swaps["drop"], swaps["drop_low"], swaps["drop_high"]) == (0, 0, 0)
    assert report.stress_reason is None


def test_a_model_that_raises_is_recorded():
    def picky(d):
        if d["city"].isna().any():
            raise KeyError("no city")
        return steady(d)

    report = churn(predict=picky, config=STRESS)
    failed = report.stress[report.stress["error"].notna()]
    assert set(failed["perturbation"]) == {"missing"}
    assert set(failed["error"]) == {"KeyError: 'no city'"}


def test_a_model_that_answers_nonsense_is_recorded():
    report = churn(predict=lambda d: np.full(len(d), 7.5), config=STRESS)
    assert report.stress is None
    assert report.stress_reason.startswith(
        "predict failed on the unchanged rows: InputError: what predict returned cannot be read"
    )


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"config": STRESS}, "predict= was not given, and stress tests need a model to call"),
        ({"predict": len}, "run_stress_tests was off"),
        (
            {"predict": len, "config": STRESS, "data": None},
            "data was not given, and stress tests need rows to change",
        ),
    ],
)
def test_no_stress_test_without_a_reason(given, reason):
    data = pd.DataFrame({"x": [1, 2, 3]})
    report = evaluate(
        **{"task_type": "regression", "labels": [1, 2, 3], "predictions": [1, 2, 4], "data": data, **given}
    )
    assert report.stress is None
    assert report.stress_reason == reason


def test_numpy_rows_reach_the_model_as_numpy():
    x = np.random.default_rng(0).normal(size=(60, 2))

    def predict(rows):
        assert isinstance(rows, np.ndarray)
        return np.nan_to_num(rows[:, 0])

    report = evaluate(
        task_type="regression", labels=x[:, 0], predictions=x[:, 0], data=x, predict=predict, config=STRESS
    )
    assert report.stress["error"].isna().all()


# Takeaway -----------------------------------------------------------------------------------------


def takes():
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=300), rng.random(300)
    yield churn(config={"plots": False})
    yield churn(weak=lambda d: d["city"] == "Rome", config={"plots": False})
    yield evaluate(task_type="regression", labels=1e6 * y, predictions=1e6 * (y + 0.2))
    yield evaluate(task_type="regression", labels=y, predictions=-y, data={"x": rng.normal(size=300)})
    yield evaluate(task_type="classification", labels=rng.random(300) < 0.9, predictions=0.5 + p / 2)
    yield evaluate(task_type="classification", labels=["1.5"] * 30, predictions=["1.5"] * 30)
    yield evaluate(
        task_type="classification",
        labels=rng.integers(0, 3, 90),
        predictions=rng.integers(0, 3, 90),
        config=QUICK,
    )


@pytest.mark.parametrize("number", range(7))
def test_takeaway_is_five_sentences_of_known_numbers(number):
    """Every number that is printed is in metrics.json, in the same digits."""
    report = list(takes())[number]
    lines = report.get_takeaway().split("\n")
    assert len(lines) == 5
    assert all(line.endswith(".") and line[0].isupper() for line in lines)
    for claim in report.documents()["metrics.json"]["takeaway"]:
        text = claim["sentence"]
        for name in claim["names"].values():
            text = text.replace(name, "")
        printed = re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text)
        assert set(printed) <= {json.dumps(value) for value in claim["numbers"].values()}, text


def test_majority_in_the_interval_keeps_accuracy_from_the_headline():
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.9
    report = evaluate(
        task_type="classification", labels=y, predictions=np.clip(0.9 + 0.05 * rng.normal(size=300), 0, 1)
    )
    first, second = report.get_takeaway().split("\n")[:2]
    assert first.startswith("ROC AUC is ")
    assert second.startswith("There is no evidence that accuracy")


def test_judging_words_need_a_passing_test():
    """A model of pure noise is called neither better nor well calibrated, and no slice worse."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        report = evaluate(
            task_type="classification",
            labels=rng.integers(0, 2, 200),
            predictions=rng.integers(0, 2, 200),
            data={"x": rng.normal(size=200)},
        )
        text = report.get_takeaway()
        assert "better" not in text
        assert "well calibrated" not in text


def test_good_calibration_is_said_where_shown():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 1, 8000)
    text = evaluate(
        task_type="classification", labels=rng.random(8000) < p, predictions=p, config={"n_resamples": 100}
    ).get_takeaway()
    assert "The probabilities are well calibrated: " in text


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
"""


def test_two_processes_and_thread_counts_write_identical_bytes(tmp_path):
    found = []
    for number, threads in enumerate(("1", "2")):
        env = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": str(number),
            "PYTHONPATH": str(ROOT),
        }
        target = tmp_path / threads
        subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT, str(target)], check=True, env=env)
        found.append(contents(target))
    assert len(found[0]) == 21
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
