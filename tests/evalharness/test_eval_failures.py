"""Failures: six categories that part the errors, with their lift."""

import numpy as np
import pandas as pd
import pytest

from evalharness import evaluate
from tests.evalharness.support import QUICK


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


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_lift_is_the_share_of_errors_over_the_base_rate(task):
    """All rows part among the six by the same rules; lift times base rate is the share, and the JSON says so."""
    rng = np.random.default_rng(1)
    n = 800
    data = pd.DataFrame({"x": np.where(rng.random(n) < 0.2, np.nan, rng.standard_t(2, n))})
    if task == "classification":
        given = {"labels": rng.choice(list("abc"), n), "predictions": rng.dirichlet([0.5] * 3, n)}
    else:
        given = {"labels": rng.normal(size=n), "predictions": rng.standard_t(2, n)}
    report = evaluate(task_type=task, data=data, config=QUICK, **given)
    found = report.documents()["failure_examples.json"]
    assert found["lift"].startswith("share of the errors over share of all rows")
    assert sum(c["rows"] for c in found["categories"]) == n
    for c in found["categories"]:
        assert c["base_rate"] == c["rows"] / n
        assert (c["lift_low"] is None) == (c["lift_reason"] is not None)
        if c["lift"] is not None:
            assert c["lift"] == pytest.approx(c["share"] / c["base_rate"])
            assert c["lift_low"] is None or c["lift_low"] < c["lift"] < c["lift_high"]
    assert [c["lift_reason"] for c in found["categories"] if c["category"] == "extreme"] == (
        ["its rule is part of what makes a row an error"] if task == "regression" else []
    )


@pytest.mark.parametrize("groups", [False, True])
def test_the_interval_of_the_lift_covers(groups):
    """Rows with a missing value err twice as often: the interval holds their true lift in 92 % to 98 % of samples."""
    held, noise = 0, 250
    true = 0.3 / (0.25 * 0.3 + 0.75 * 0.15)
    for seed in range(noise):
        rng = np.random.default_rng(seed)
        group = np.repeat(np.arange(100), 6)
        gone = (rng.random(100) < 0.25)[group] if groups else rng.random(600) < 0.25
        wrong = (rng.random(100)[group] if groups else rng.random(600)) < np.where(gone, 0.3, 0.15)
        y = rng.integers(0, 2, 600)
        report = evaluate(
            task_type="classification", labels=y, predictions=np.where(wrong, 1 - y, y),
            data={"x": np.where(gone, np.nan, 1.0)}, config={**QUICK, "max_slice_features": 0},
            **({"groups": group} if groups else {}),
        )  # fmt: skip
        c = next(c for c in report.failures_found.categories if c.category == "missing input")
        held += c.lift_low is not None and c.lift_low <= true <= c.lift_high
    assert 0.92 <= held / noise <= 0.98


def test_lift_has_the_variance_of_the_delta_method():
    """The interval is that of the delta method, written out by hand.

    With 10 errors in 100 rows inside and 20 in 400 outside, the lift is (10 / 30) / (100 / 500) = 5 / 3, and the
    variance of its logarithm is 1/10 - 1/30 - 1/100 + 1/500 + 2 (10 / (30 * 100) - 1 / 500).
    """
    y = np.zeros(500, dtype=int)
    wrong = np.zeros(500, dtype=bool)
    wrong[:10], wrong[100:120] = True, True
    report = evaluate(
        task_type="classification", labels=y, predictions=wrong.astype(int), classes=[0, 1],
        data={"x": np.where(np.arange(500) < 100, np.nan, 1.0)}, config=QUICK,
    )  # fmt: skip
    c = next(c for c in report.failures_found.categories if c.category == "missing input")
    half = 1.959963984540054 * np.sqrt((1 / 10 - 1 / 30 - 1 / 100 + 1 / 500 + 2 * (1 / 300 - 1 / 500)) * 500 / 499)
    assert c.lift == pytest.approx(5 / 3)
    assert (c.lift_low, c.lift_high) == pytest.approx((5 / 3 * np.exp(-half), 5 / 3 * np.exp(half)))
