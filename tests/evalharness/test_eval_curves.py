from __future__ import annotations

import numpy as np
import pytest

from evalharness import curves, evaluate


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


@pytest.mark.parametrize("given", [{"sample_weight": 0.5 + np.arange(400) % 3}, {"groups": np.arange(400) // 4}])
def test_bins_have_intervals_only_where_rows_stand_for_themselves(given):
    """Wilson's interval takes rows as alike and independent: with weights or groups bins have none."""
    bins = report(**given).curves()["calibration"]
    assert np.isnan(bins["low"]).all()
    assert np.isnan(bins["high"]).all()


def test_without_scores_there_are_no_curves():
    """Predicted labels alone, one class alone and regression give none."""
    labels = [0, 1] * 20
    assert evaluate(task_type="classification", labels=labels, predictions=labels).curves() == {}
    assert evaluate(task_type="regression", labels=[1.5, 2.0, 3.0] * 9, predictions=[1.0, 2.5, 3.0] * 9).curves() == {}


@pytest.mark.filterwarnings("error")
def test_a_class_without_weight_has_no_curve():
    """Rows of weight 0 are no rows: there is neither a table nor a line, and the figure says so."""
    from evalharness.plots import draw

    y = np.arange(40) % 2
    p = np.random.default_rng(0).random(40)
    given = {"task_type": "classification", "labels": y, "predictions": p, "config": {"n_resamples": 100}}
    report = evaluate(**given, sample_weight=y.astype(float))
    assert report.metrics["roc_auc"] is None
    assert set(report.curves()) == {"calibration"}
    assert draw(report)["roc_curve"] != draw(evaluate(**given))["roc_curve"]


def test_a_curve_is_that_of_repeated_rows():
    """Rows weighted by whole numbers draw the curve of rows that come as often, ties as one step."""
    from evalharness.curves import KINDS, Ranking

    rng = np.random.default_rng(0)
    score, positive, often = rng.integers(0, 9, 60) / 8, rng.random(60) < 0.4, rng.integers(0, 4, 60)
    weighted = Ranking(score, positive).counted(often.astype(float))
    repeated = Ranking(np.repeat(score, often), np.repeat(positive, often)).counted(np.ones(often.sum()))
    for kind in KINDS.values():
        assert kind.read(*weighted, kind.grid) == pytest.approx(kind.read(*repeated, kind.grid))
        x, y = kind.points(*repeated)
        assert ((np.diff(x) >= 0).all(), x[0], x[-1]) == (True, 0, 1)
        assert ((y >= 0) & (y <= 1)).all()
    assert Ranking(score, positive).counted(np.ones(60))[0].shape == (10,)


def test_names_and_numbers_in_figures_stay_readable():
    """Long names keep their ends, numbers have no exponents where they can be helped, zero has no sign."""
    from evalharness.plots import _compact, _number, _short

    assert _short("a very long class name of number 11") == "a very l…number 11"
    assert len(_short("x" * 40)) == len(_short("x" * 18)) == 18
    assert [_number(v) for v in (19213.852, 123.45, -0.0002, 0.12345, 3e-5, -1e-4 / 1e4)] == [
        "19,214", "123.5", "-0.0002", "0.123", "3e-05", "-1e-08",
    ]  # fmt: skip
    assert _number(-0.0) == "0.000"
    assert [_compact(v) for v in (84512.0, 2e6, -1500, 0.0123)] == ["84.5k", "2M", "-1.5k", "0.0123"]


def test_thresholds_count_as_an_evaluation_at_each_of_them_does():
    """At every kept score the counts are those of the confusion matrix, also with weights; fewer are kept if asked."""
    rng = np.random.default_rng(4)
    y, p, w = rng.integers(0, 2, 60), np.round(rng.uniform(0.05, 0.95, 60), 2), rng.uniform(0.5, 2, 60)
    for weight in (None, w):
        given = {"task_type": "classification", "labels": y, "predictions": p, "sample_weight": weight}
        found = evaluate(**given).thresholds()
        own = np.ones(60) if weight is None else evaluate(**given).sample.weights
        for score, tp, fp, total in zip(*(found[c] for c in ("score", "tp", "fp", "sum")), strict=True):
            said = p >= score
            assert tp == pytest.approx(own[said & (y == 1)].sum())
            assert fp == pytest.approx(own[said & (y == 0)].sum())
            assert total == pytest.approx((own * p)[said].sum())
    few = evaluate(task_type="classification", labels=y, predictions=p).thresholds(most=10)
    assert len(few["score"]) == 10
    exact = curves.thresholds(evaluate(task_type="classification", labels=y, predictions=p), 10, 0, [0.5, 0.123])
    assert exact["score"][-1] == np.min(1 - p)
    for cut in (0.5, 0.123):
        last = np.sum(exact["score"] >= cut) - 1
        assert (exact["tp"][last], exact["fp"][last]) == (
            np.sum((1 - p >= cut) & (y == 0)),
            np.sum((1 - p >= cut) & (y == 1)),
        )
    assert few["tp"][-1] + few["fp"][-1] == 60
    assert evaluate(task_type="regression", labels=y, predictions=p).thresholds() is None
