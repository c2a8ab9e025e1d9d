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
