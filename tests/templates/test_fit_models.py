"""`fit_models`: dummy, linear and XGBoost on the same rows, the same again for the same plan."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score

from modellab_jupyter.templates import MODELS, Result, fit_models, plan
from modellab_jupyter.templates.fitting import _told

N = 400


def messy(seed: int = 0) -> pd.DataFrame:
    """Return a table with every kind of column; `kind` and `price` can be learnt from it."""
    rng = np.random.default_rng(seed)
    size, town = rng.normal(size=N), rng.integers(0, 40, N)
    colour = rng.choice(["red", "green", "blue"], N)
    frame = pd.DataFrame(
        {
            "[size] <cm>": np.where(rng.random(N) < 0.1, np.nan, size),
            "colour": np.where(rng.random(N) < 0.1, None, colour),
            "town": [f"town {i}" for i in town],
            "sold": pd.date_range("2023-01-01", periods=N, freq="13h").strftime("%d.%m.%Y"),
            "new": pd.array(rng.random(N) < 0.5, dtype="boolean"),
            "weight": [f"{value:,.1f}" for value in rng.gamma(2, 900, N)],
            7: rng.normal(size=N) * 1e30,
            "always": 1,
            "uuid": [f"{i:x}-{i * 7:x}" for i in rng.permutation(N)],
        }
    )
    score = size + (colour == "red") + town / 20 + rng.normal(scale=0.3, size=N)
    frame["price"] = score * 100
    frame["kind"] = np.where(score > 1.8, "high", np.where(score > 0.8, "middle", "low"))
    return frame


def fitted(target: str, task_type: str, seed: int = 0) -> list[Result]:
    other = "price" if target == "kind" else "kind"
    return list(fit_models(plan(messy().drop(columns=other), target, task_type, seed)))


@pytest.fixture(scope="module")
def classified() -> list[Result]:
    return fitted("kind", "classification")


@pytest.fixture(scope="module")
def regressed() -> list[Result]:
    return fitted("price", "regression")


def test_the_dummy_comes_first_and_the_others_beat_it(classified, regressed):
    """Order is fixed; what can be learnt is learnt."""
    decided = plan(messy().drop(columns="price"), "kind", "classification")
    accuracy = [accuracy_score(decided.rows_of("test")[1], result.test_predictions) for result in classified]
    decided = plan(messy().drop(columns="kind"), "price", "regression")
    r2 = [r2_score(decided.rows_of("test")[1], result.test_predictions) for result in regressed]

    assert tuple(result.name for result in classified) == tuple(result.name for result in regressed) == MODELS
    assert accuracy[0] < 0.45 < 0.55 < min(accuracy[1:])
    assert r2[0] < 0.01 < 0.6 < min(r2[1:])


def test_shapes_types_and_probabilities(classified, regressed):
    """Predictions are classes or floats; probabilities have a column per class and add up to one."""
    for result in classified:
        assert result.train_predictions.shape == (300,)
        assert result.test_predictions.shape == (100,)
        assert set(result.test_predictions) <= {"high", "low", "middle"}
        assert result.test_probabilities.shape == (100, 3)
        np.testing.assert_allclose(result.train_probabilities.sum(axis=1), 1, rtol=1e-12)
        assert result.fit_seconds > 0
    for result in regressed:
        assert result.test_predictions.dtype == np.float64
        assert result.test_probabilities is None
        assert result.probabilities(messy()) is None


def test_raw_rows_predict_like_cleaned_ones(classified):
    """`predict` takes rows as they came, in any column order, with levels never seen, one at a time."""
    frame = messy().drop(columns="price")
    decided = plan(frame, "kind", "classification")
    raw = frame.iloc[decided.test]
    for result in classified:
        np.testing.assert_array_equal(result.predict(raw[raw.columns[::-1]]), result.test_predictions)
        np.testing.assert_allclose(result.probabilities(raw), result.test_probabilities)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(result.predict(raw.head(1).assign(colour="violet", town="elsewhere", sold=None))) == 1


def test_the_same_seed_gives_the_same_numbers_and_global_state_is_left_alone():
    """Fitting twice agrees to the bit; neither the input nor anybody's random numbers change."""
    frame = messy().drop(columns="price")
    before = frame.copy(deep=True)
    np_state, py_state = np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    one, two = ([*fit_models(plan(frame, "kind", "classification", seed=3))] for _ in range(2))

    for left, right in zip(one, two, strict=True):
        np.testing.assert_array_equal(left.test_probabilities, right.test_probabilities)
        assert left.params == right.params
    pd.testing.assert_frame_equal(frame, before)
    assert (np.random.get_state()[1] == np_state).all()  # noqa: NPY002
    assert random.getstate() == py_state


def test_results_are_frozen_and_params_say_what_was_chosen(classified):
    """A result cannot be changed, and its params are plain values that a run can log."""
    dummy, linear, boosted = classified

    assert dummy.params == {"model": "DummyClassifier", "strategy": "prior"}
    assert linear.params["model"] == "LogisticRegression"
    assert linear.params["many_categories"] == "target encoded"
    assert 1 <= boosted.params["n_estimators"] <= 1000
    assert all(isinstance(value, str | int | float) for result in classified for value in result.params.values())
    with pytest.raises(TypeError):
        dummy.params["strategy"] = "x"
    with pytest.raises(AttributeError):
        dummy.name = "x"


def test_one_model_can_be_chosen():
    """Only the models asked for are fitted."""
    decided = plan(messy().drop(columns="kind"), "price", "regression")

    assert [result.name for result in fit_models(decided, ("linear",))] == ["linear"]


@pytest.mark.parametrize("counts", [(30, 1), (20, 2, 1), (300, 200, 3, 1, 1), (8, 2), (12, *[2] * 9)])
def test_rare_classes_never_stop_a_model(counts):
    """A class of one or two rows is known to every model, in each of its inner splits too."""
    labels = np.repeat([f"class {i}" for i in range(len(counts))], counts)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=len(labels)), "t": rng.integers(0, 40, len(labels)), "y": labels})
    frame["t"] = "t" + frame["t"].astype(str)
    frame = pd.concat([frame] * 1).sample(frac=1, random_state=0)
    for result in fit_models(plan(frame, "y", "classification")):
        assert result.test_probabilities.shape[1] == len(counts)


def test_a_column_without_values_in_the_training_rows_is_no_obstacle():
    """Whatever the split leaves in the training rows can be fitted without a warning."""
    frame = pd.DataFrame({"x": np.arange(40.0) ** 2, "y": [0, 1] * 20, "n": np.nan, "c": None, "d": pd.NaT})
    decided = plan(frame[["x", "y"]], "y", "classification")
    frame["c"] = frame["c"].astype(object)
    frame["d"] = frame["d"].astype("datetime64[us]")
    row = decided.test[:2]
    frame.loc[row, "n"], frame.loc[row, "d"] = (
        [1.0, 2.0],
        [pd.Timestamp("2024-01-01"), pd.Timestamp("2025-01-01")],
    )
    frame.loc[row, "c"] = ["a", "b"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = list(fit_models(plan(frame, "y", "classification")))

    assert [result.notes for result in results] == [(), (), ()]


def test_warnings_with_a_meaning_become_notes_and_others_are_shown():
    """A solver that did not converge is told in words; a warning nobody knows reaches the user."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.warn("lbfgs failed", ConvergenceWarning, stacklevel=1)
        warnings.warn("something new", UserWarning, stacklevel=1)

    with pytest.warns(UserWarning, match="something new"):
        notes = _told(caught, "Logistic regression")
    assert notes == ("Logistic regression did not converge: its score may be below what it could reach.",)
