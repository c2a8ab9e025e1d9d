"""Stress tests: what hurts is shown, and what cannot be run says why."""

import numpy as np
import pandas as pd
import pytest

from evalharness import evaluate, stress
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


def test_every_kind_of_change_comes_at_several_severities():
    """Eight perturbations, three severities each, each row with drop and paired interval or the reason."""
    report = churn(n=400, predict=steady, config=STRESS)
    table = report.stress
    kinds = table[table["perturbation"] != "none"].groupby("perturbation")["severity"].nunique()
    assert kinds.to_dict() == dict.fromkeys(
        (
            "noise", "scaling", "outliers", "truncation", "missing", "category swaps", "unseen categories",
            "shuffled features",
        ),
        3,
    )  # fmt: skip
    assert (table["drop_low"].isna() <= (table["error"].notna() | table["reason"].notna())).all()


def test_perturbations_do_what_they_say():
    """Shares of cells, standard deviations, quantiles and values from elsewhere; the clean rows stay as they are."""
    rng = np.random.default_rng(0)
    n = 4000
    frame = pd.DataFrame({"x": rng.normal(5, 2, n), "k": rng.integers(0, 9, n), "c": rng.choice(list("abc"), n)})
    before = frame.copy(deep=True)
    made = {(kind, severity): changed for kind, severity, changed in stress.perturbed(frame, 7)}
    pd.testing.assert_frame_equal(frame, before)
    x = frame["x"]
    assert (made["noise", 0.5]["x"] - x).std() == pytest.approx(0.5 * x.std(), rel=0.05)
    assert np.allclose(made["scaling", 10.0]["x"], 10 * x)
    assert (made["outliers", 0.05]["x"] != x).mean() == pytest.approx(0.05, abs=0.015)
    assert made["truncation", 0.1]["x"].max() == np.quantile(x, 0.9, method="inverted_cdf")
    assert made["missing", 0.2].isna().mean().to_numpy() == pytest.approx([0.2] * 3, abs=0.03)
    assert (made["category swaps", 0.5]["c"] != frame["c"]).mean() == pytest.approx(0.5 * 2 / 3, abs=0.04)
    assert set(made["category swaps", 0.5]["c"]) == set("abc")
    unseen = made["unseen categories", 0.2]["c"]
    assert (~unseen.isin(list("abc"))).mean() == pytest.approx(0.2, abs=0.03)
    shuffled = made["shuffled features", 1.0]
    for name in frame:
        assert sorted(shuffled[name]) == sorted(frame[name])
        assert (shuffled[name] != frame[name]).any()
    assert sum((made["shuffled features", 0.1][name] != frame[name]).any() for name in frame) == 1


def test_perturbations_have_random_numbers_of_their_own():
    """Another column changes nothing for those before it, and the first draws are fixed for good."""
    frame = pd.DataFrame({"x": np.arange(50.0)})
    wider = frame.assign(c=list("ab") * 25)
    one = {(k, s): f for k, s, f in stress.perturbed(frame, 0)}
    other = {(k, s): f for k, s, f in stress.perturbed(wider, 0)}
    for key in one:
        if key[0] != "shuffled features":
            pd.testing.assert_series_equal(one[key]["x"], other[key]["x"])
    again = {(k, s): f for k, s, f in stress.perturbed(frame, 0)}
    assert all(again[key].equals(one[key]) for key in one)
    assert not one["noise", 0.1].equals({(k, s): f for k, s, f in stress.perturbed(frame, 1)}["noise", 0.1])


def test_given_answers_are_judged_like_those_of_a_model():
    """The rows of stress.json are a function of the predictions on changed rows: with or without a model to call."""
    report = churn(n=300, predict=steady, config=STRESS)
    frame = report.sample.frame.reset_index(drop=True)
    answers = {(kind, severity): steady(changed) for kind, severity, changed in stress.perturbed(frame, report.seed)}
    found = stress.run(report.sample, report.config, {("none", 0.0): steady(frame), **answers}, report.seed)
    assert found.rows == report.stress_found.rows


def test_rows_in_a_container_come_back_in_it():
    """A mapping of columns stays one; what a model writes into its rows touches nothing."""
    x = np.random.default_rng(0).normal(size=60)

    def predict(rows):
        assert isinstance(rows, dict)
        rows["x"][:] = np.nan_to_num(rows["x"])
        return rows["x"]

    data = {"x": x.copy()}
    report = evaluate(task_type="regression", labels=x, predictions=x, data=data, predict=predict, config=STRESS)
    assert report.stress["error"].isna().all()
    assert np.array_equal(data["x"], x)


def test_drops_that_are_chance_are_rarely_called():
    """Of two equally good models in place of clean and changed rows, about one drop in twenty leaves 0 out."""
    called = tried = 0
    for run in range(150):
        rng = np.random.default_rng(run)
        y = rng.normal(size=60)
        clean, changed = y + 0.5 * rng.normal(size=(2, 60))
        report = evaluate(
            task_type="regression", labels=y, predictions=clean, data=pd.DataFrame({"x": y}),
            predict={("none", 0): clean, ("noise", 1): changed}, config=STRESS,
        )  # fmt: skip
        drops = report.stress[report.stress["perturbation"] == "noise"]
        called += int(((drops["drop_low"] > 0) | (drops["drop_high"] < 0)).sum())
        tried += len(drops)
    assert tried == 300
    assert 0.01 <= called / tried <= 0.08
