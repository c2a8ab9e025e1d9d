from __future__ import annotations

import numpy as np
import pytest

from evalharness import evaluate


def report(n=400, seed=0, **settings):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    scores = np.clip(0.5 + 0.25 * (labels - 0.5) + 0.2 * rng.standard_normal(n), 0, 1)
    return evaluate(task_type="classification", labels=labels, predictions=scores, config={"plots": False}, **settings)


def test_the_area_under_the_curve_is_the_metric():
    """The ROC columns enclose roc_auc up to the width of their grid, and run from corner to corner."""
    found = report()
    roc = found.curves()["roc"]

    assert np.trapezoid(roc["tpr"], roc["fpr"]) == pytest.approx(found.metrics["roc_auc"], abs=0.01)
    assert (np.diff(roc["tpr"]) >= 0).all()
    assert roc["tpr"][-1] == 1


def test_bands_hold_their_curve():
    """Pointwise bands lie around the curve nearly everywhere."""
    curves = report().curves()

    for name, y in (("roc", "tpr"), ("pr", "precision")):
        inside = (curves[name]["low"] <= curves[name][y] + 1e-12) & (curves[name][y] <= curves[name]["high"] + 1e-12)
        assert inside.mean() > 0.9


def test_bins_of_calibration_hold_all_rows():
    """The bins' counts sum to n and their frequencies to the share of positives."""
    found = report()
    bins = found.curves()["calibration"]

    assert bins["n"].sum() == found.n
    assert np.average(bins["observed"], weights=bins["n"]) == pytest.approx(found.sample.labels.mean())
    assert (bins["low"] <= bins["observed"]).all()


def test_without_scores_there_are_no_curves():
    """Predicted labels alone, one class alone and regression give none."""
    labels = [0, 1] * 20
    assert evaluate(task_type="classification", labels=labels, predictions=labels).curves() == {}
    assert evaluate(task_type="regression", labels=[1.5, 2.0, 3.0] * 9, predictions=[1.0, 2.5, 3.0] * 9).curves() == {}
