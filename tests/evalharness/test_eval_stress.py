"""Stress tests: what hurts is shown, and what cannot be run says why."""

import numpy as np
import pandas as pd
import pytest

from evalharness import evaluate
from tests.evalharness.support import churn

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
