"""Comparisons are paired, corrected, and refuse rows that are not the same."""

import json

import numpy as np
import pandas as pd
import pytest

from evalharness import InputError, Report, comparable, evaluate
from evalharness.compare import WHATEVER_CLASSES


def reports(n=400, seed=0, noise=0.0, **given):
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    y = rng.random(n) < p
    other = np.clip(p + noise * rng.normal(size=n), 0, 1)
    a = evaluate(task_type="classification", labels=y, predictions=p, **given)
    return a, evaluate(task_type="classification", labels=y, predictions=other, **given)


def test_worse_model_is_called_worse():
    good, bad = reports(noise=0.5)
    found = good.compare(bad)
    assert found.evidence("log_loss") == found.evidence("roc_auc") == "better"
    assert bad.compare(good).evidence("roc_auc") == "worse"
    table = found.table.set_index("metric")
    assert list(found.table.columns[:11]) == [
        "metric",
        "estimate",
        "other",
        "difference",
        "low",
        "high",
        "p_value",
        "q_value",
        "confidence_level",
        "n",
        "method",
    ]
    assert table.loc["roc_auc", "method"] == "DeLong"
    assert table.loc["roc_auc", "low"] < table.loc["roc_auc", "difference"] < table.loc["roc_auc", "high"]
    assert table.loc["brier_score", "q_value"] >= table.loc["brier_score", "p_value"]


def test_same_predictions_show_no_difference():
    a, b = reports(noise=0)
    found = a.compare(b)
    assert {found.evidence(row.metric) for row in found.rows} == {"no evidence of a difference"}
    row = next(r for r in found.rows if r.metric == "accuracy")
    assert (row.difference, row.low, row.high, row.p_value) == (0, 0, 0, 1)


def test_turning_the_comparison_round_changes_signs_only():
    a, b = reports(noise=0.3)
    for here, there in zip(a.compare(b).rows, b.compare(a).rows, strict=True):
        if here.difference is None:
            assert here.reason == there.reason == "the metric is undefined for one of the two"
            continue
        assert here.difference == pytest.approx(-there.difference)
        if here.low is not None:
            assert here.low == pytest.approx(-there.high, abs=2e-3)
            assert here.p_value == pytest.approx(there.p_value, abs=0.02)


def test_two_equal_models_are_rarely_told_apart():
    """Of comparisons of two models of one skill about 5 % have p below 0.05 (standard error 1.8)."""
    called = {}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        signal = rng.normal(size=200)
        y = signal + rng.normal(size=200) > 0
        scores = [1 / (1 + np.exp(-(signal + rng.normal(size=200)))) for _ in range(2)]
        a, b = (
            evaluate(task_type="classification", labels=y, predictions=s, config={"n_resamples": 300}) for s in scores
        )
        for row in a.compare(b).rows:
            if row.p_value is not None:
                called[row.metric] = called.get(row.metric, 0) + (row.p_value <= 0.05)
    assert all(count / 150 <= 0.11 for count in called.values()), called


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda y: y[:-1],
            "the other report has 99 rows, this one 100; evaluate both models on the same rows.",
        ),
        (
            lambda y: y[::-1],
            (
                "the two reports have different labels (their digests differ); evaluate both "
                "models on the same rows in the same order."
            ),
        ),
    ],
)
def test_other_rows_are_refused(change, sentence):
    y = np.random.default_rng(0).integers(0, 2, 100)
    a = evaluate(task_type="classification", labels=y, predictions=y)
    b = evaluate(task_type="classification", labels=change(y), predictions=change(y))
    with pytest.raises(InputError) as caught:
        a.compare(b)
    assert str(caught.value) == sentence


def test_same_columns_with_other_data_are_refused_but_other_columns_are_not():
    y = [0, 1] * 20
    a, b, c = (
        evaluate(task_type="classification", labels=y, predictions=y, data=data, config={"compute_cis": False})
        for data in (
            pd.DataFrame({"x": range(40)}),
            pd.DataFrame({"x": range(1, 41)}),
            pd.DataFrame({"z": range(40)}),
        )
    )
    assert a.compare(c).n == 40
    with pytest.raises(InputError, match="same columns with different data"):
        a.compare(b)


def test_other_tasks_and_things_are_refused():
    a = evaluate(task_type="classification", labels=[0, 1], predictions=[0, 1])
    b = evaluate(task_type="regression", labels=[0, 1], predictions=[0, 1])
    with pytest.raises(InputError, match="the other report is about regression, this one about classification"):
        a.compare(b)
    with pytest.raises(InputError, match="other is a int; give a report"):
        a.compare(3)


def test_unknown_metric_names_the_nearest():
    a, b = reports(n=50)
    with pytest.raises(InputError, match=r"the comparison has no metric 'acuracy'; did you mean 'accuracy'\?"):
        a.compare(b).evidence("acuracy")


def test_reports_of_different_seeds_are_put_on_one_plan():
    rng = np.random.default_rng(0)
    y, p, q = rng.normal(size=(3, 120))
    first = evaluate(task_type="regression", labels=y, predictions=p, seed=1)
    one = evaluate(task_type="regression", labels=y, predictions=q, seed=1)
    two = evaluate(task_type="regression", labels=y, predictions=q, seed=2)
    assert first.compare(one).rows == first.compare(two).rows


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_report_comes_back_from_its_stored_predictions(task, tmp_path):
    """Through Parquet and JSON: the same documents, digests and comparison."""
    rng = np.random.default_rng(1)
    n = 120
    data = pd.DataFrame({"x": rng.normal(size=n), "c": rng.choice(["u", "v"], n)})
    given = {"data": data, "sample_weight": rng.random(n), "groups": rng.integers(0, 15, n).astype(str)}
    if task == "regression":
        y = rng.normal(size=n)
        report = evaluate(task_type="regression", labels=y, predictions=y + rng.normal(size=n), **given)
    else:
        k = 2 if task == "binary" else 3
        labels = np.array(["a", "b", "c"])[rng.integers(0, k, n)]
        report = evaluate(
            task_type="classification",
            labels=labels,
            predictions=rng.dirichlet(np.ones(k), n),
            threshold=0.4,
            on_missing="drop",
            **given,
        )
    report.predictions_frame().to_parquet(tmp_path / "p.parquet")
    settings = json.loads(json.dumps(report.settings))
    back = Report.from_predictions(pd.read_parquet(tmp_path / "p.parquet"), settings, data=data)
    assert back == report
    assert (back.labels_digest, back.rows_digest) == (report.labels_digest, report.rows_digest)
    assert {row.p_value for row in back.compare(report).rows} <= {1.0, None}


@pytest.mark.parametrize("n", [80, 2500])
def test_interval_leaves_zero_out_where_the_p_value_is_small(n):
    """A p-value of 0.05 or less and a 95 % interval without 0 are one statement, for BCa and percentiles."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        y = rng.gamma(1, 1, n)
        a, b = (
            evaluate(
                task_type="regression",
                labels=y,
                predictions=y + (1 + 0.1 * k) * rng.normal(size=n),
                seed=seed,
            )
            for k in (0, seed / 6)
        )
        for row in a.compare(b).rows:
            if row.low is not None and abs(row.p_value - 0.05) > 0.006:
                assert (row.p_value <= 0.05) == (row.low > 0 or row.high < 0), row


def test_an_extra_predicted_class_leaves_what_means_the_same():
    """Metrics of two classes and of three are compared where they mean one thing, and a note names the others."""
    y = ["a", "b"] * 40
    two, three = (
        evaluate(task_type="classification", labels=y, predictions=["a", "b"] * 30 + end)
        for end in (["a", "a"] * 10, ["a", "c"] * 10)
    )
    assert comparable(two, three) is None
    found = two.compare(three)
    names = ["accuracy", "balanced_accuracy", "matthews_corrcoef", "cohen_kappa"]
    assert [row.metric for row in found.rows] == names
    assert [-row.difference for row in three.compare(two).rows] == [row.difference for row in found.rows]
    assert "'f1'" not in found.notes[0]
    assert "f1" in found.notes[0]


def test_two_class_sets_of_many_classes_share_all_their_metrics():
    """Both are macro means over the classes met, so one class more changes nothing of what they mean."""
    y = ["a", "b", "c"] * 30
    one, other = (evaluate(task_type="classification", labels=y, predictions=[*y[1:], end]) for end in "ad")
    assert [row.metric for row in one.compare(other).rows] == list(one.metrics)


def test_another_positive_class_leaves_its_metrics_out():
    """Recall of one class is not compared with recall of the other."""
    y = [0, 1] * 40
    p = np.random.default_rng(0).random(80)
    one, other = (evaluate(task_type="classification", labels=y, predictions=p, positive=c) for c in (0, 1))
    found = one.compare(other)
    assert {row.metric for row in found.rows} == set(WHATEVER_CLASSES)
    assert "recall" in found.notes[0]
    turned = evaluate(task_type="classification", labels=y, predictions=p, classes=[1, 0], positive=1)
    assert {(row.difference, row.p_value) for row in other.compare(turned).rows} <= {(0, 1), (0, None)}


def test_a_report_without_its_data_still_knows_its_rows():
    """Columns and digest are in the settings, so stored predictions obey the rule of the reports they are from."""
    y = [0, 1] * 20
    frames = pd.DataFrame({"x": range(40)}), pd.DataFrame({"x": range(1, 41)}), pd.DataFrame({"z": range(40)})
    reports = [evaluate(task_type="classification", labels=y, predictions=y, data=frame) for frame in frames]
    a, b, c = (Report.from_predictions(r.predictions_frame(), json.loads(json.dumps(r.settings))) for r in reports)
    assert (a.rows_digest, a.columns, a.settings) == (reports[0].rows_digest, ("x",), reports[0].settings)
    for one in (a, reports[0]):
        assert comparable(one, a) is comparable(one, c) is None
        assert comparable(one, b).startswith("the two reports have the same columns with different data")
    old = {key: value for key, value in a.settings.items() if key not in ("columns", "rows_digest")}
    assert Report.from_predictions(a.predictions_frame(), old).compare(b).n == 40


def test_a_report_that_is_only_compared_makes_nothing_else(monkeypatch):
    """Stored predictions are compared without slices, failures, intervals or a takeaway; asked for, they are there."""
    a, b = reports(n=60, noise=0.2)
    whole = a.documents()
    back = Report.from_predictions(a.predictions_frame(), a.settings)
    with monkeypatch.context() as patch:
        for part in ("slices.find", "failures.find", "takeaway.write", "intervals.for_metric"):
            patch.delattr(f"evalharness.{part}")
        assert back.compare(b).rows == a.compare(b).rows
    assert back.documents() == whole


def test_data_changed_after_an_evaluation_does_not_change_the_report():
    """Nothing of a report is read from the user's table later."""
    data = pd.DataFrame({"x": np.arange(200.0)})
    y = np.arange(200) % 2
    given = {"task_type": "classification", "labels": y, "predictions": (np.arange(200) // 3) % 2}
    whole = evaluate(**given, data=data.copy()).documents()
    report = evaluate(**given, data=data)
    data["x"] = 0.0
    data.iloc[:, 0] = 1.0
    given["predictions"][:] = 0
    assert report.documents() == whole


def test_interval_and_p_value_of_accuracy_agree():
    """A 95 % interval of a difference in accuracy leaves 0 out exactly where its p-value is at most 0.05."""
    y = np.zeros(60, dtype=int)
    for only in range(1, 12):
        one, other = y.copy(), y.copy()
        one[:2], other[2 : 2 + only] = 1, 1
        a, b = (
            evaluate(task_type="classification", labels=y, predictions=p, classes=[0, 1], config={"n_resamples": 100})
            for p in (one, other)
        )
        row = next(row for row in a.compare(b).rows if row.metric == "accuracy")
        assert row.method == "score test (McNemar)"
        assert row.low < row.difference < row.high
        assert (row.p_value <= 0.05) == (row.low > 0 or row.high < 0)
