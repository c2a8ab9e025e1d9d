"""Laws that hold for all inputs."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalharness import METRICS, evaluate

QUICK = {"compute_cis": False}
modest = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def binary():
    return st.integers(4, 40).flatmap(
        lambda n: st.tuples(
            st.lists(st.integers(0, 1), min_size=n, max_size=n),
            st.lists(st.integers(1, 15).map(lambda v: v / 16), min_size=n, max_size=n),
            st.lists(st.integers(1, 3), min_size=n, max_size=n),
        )
    )


def metrics(task="classification", **given):
    return dict(evaluate(task_type=task, config=QUICK, **given).metrics)


def same(a, b, tolerance=1e-12):
    assert a.keys() == b.keys()
    for name in a:
        if a[name] is None or b[name] is None:
            assert a[name] is b[name], name
        else:
            assert a[name] == pytest.approx(b[name], rel=1e-9, abs=tolerance), name


@modest
@given(binary())
def test_order_of_rows_does_not_matter(case):
    y, p, _ = map(np.array, case)
    turned = np.arange(len(y))[::-1]
    same(
        metrics(labels=y, predictions=p, classes=[0, 1]),
        metrics(labels=y[turned], predictions=p[turned], classes=[0, 1]),
    )


@modest
@given(binary())
def test_weights_are_repetition(case):
    """A row of weight 3 counts like three rows, for every metric but those that know the number of rows."""
    y, p, w = map(np.array, case)
    weighted = metrics(labels=y, predictions=p, sample_weight=w, classes=[0, 1])
    repeated = metrics(labels=np.repeat(y, w), predictions=np.repeat(p, w), classes=[0, 1])
    for found in (weighted, repeated):
        found.pop("debiased_calibration_error")
        found.pop("expected_calibration_error_equal_mass")
    same(weighted, repeated)


@modest
@given(binary(), st.floats(1e-3, 1e3))
def test_scale_of_weights_does_not_matter(case, scale):
    y, p, w = map(np.array, case)
    same(
        metrics(labels=y, predictions=p, sample_weight=w, classes=[0, 1]),
        metrics(labels=y, predictions=p, sample_weight=w * scale, classes=[0, 1]),
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_equal_weights_are_no_weights(task):
    """One weight for all rows, or for all that have any, changes neither a value nor an interval; a note says so."""
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 40), rng.random(40)
    held = np.arange(40) > 3
    plain = evaluate(task_type=task, labels=y, predictions=p)
    equal = evaluate(task_type=task, labels=y, predictions=p, sample_weight=np.full(40, 3.0))
    assert (equal.metrics, equal.intervals) == (plain.metrics, plain.intervals)
    assert "sample_weight is the same in every row that counts, which is to give none." in equal.notes
    some = evaluate(task_type=task, labels=y, predictions=p, sample_weight=7.0 * held)
    part = evaluate(task_type=task, labels=y[held], predictions=p[held])
    assert (some.metrics, some.intervals) == (part.metrics, part.intervals)


@modest
@given(binary())
def test_names_of_classes_do_not_matter(case):
    y, p, _ = map(np.array, case)
    named = np.array(["zebra", "ant"])[y]
    same(
        metrics(labels=y, predictions=p, classes=[0, 1]),
        metrics(labels=named, predictions=p, classes=["zebra", "ant"]),
    )


@modest
@given(binary())
def test_ranking_knows_order_only(case):
    """A growing transform of the scores changes neither the area nor the average precision."""
    y, p, _ = map(np.array, case)
    a = metrics(labels=y, predictions=p, classes=[0, 1])
    b = metrics(labels=y, predictions=p**3, classes=[0, 1])
    assert (a["roc_auc"], a["average_precision"]) == (b["roc_auc"], b["average_precision"])


@modest
@given(binary())
def test_turning_the_classes_round_mirrors_the_area(case):
    """The area of the other class with probability 1 - p is the same; ties count one half on both sides."""
    y, p, _ = map(np.array, case)
    a = metrics(labels=y, predictions=p, classes=[0, 1], positive=1)
    b = metrics(labels=y, predictions=1 - p, classes=[0, 1], positive=0)
    assert a["roc_auc"] == (None if b["roc_auc"] is None else pytest.approx(b["roc_auc"], abs=1e-12))
    assert a["matthews_corrcoef"] == b["matthews_corrcoef"] or np.any(p == 0.5)


@pytest.mark.parametrize("classes", [2, 4])
def test_perfect_prediction(classes):
    """Every metric of a perfect model takes the best value it can have; no line is fitted to certainty."""
    y = np.arange(40) % classes
    found = metrics(labels=y, predictions=np.eye(classes)[y])
    for name, value in found.items():
        if name in ("calibration_slope", "calibration_intercept"):
            assert value is None
            continue
        assert value == pytest.approx(1 if METRICS[name].greater_is_better else 0, abs=1e-12), name


def test_perfect_regression():
    y = np.arange(1, 31) ** 1.5
    found = metrics("regression", labels=y, predictions=y)
    for name, value in found.items():
        assert value == (1 if METRICS[name].greater_is_better else 0), name


@modest
@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50), st.integers(1, 3)), min_size=3, max_size=40))
def test_weights_are_repetition_in_regression(rows):
    y, p, w = np.array(rows).T
    same(
        metrics("regression", labels=y, predictions=p, sample_weight=w),
        metrics("regression", labels=np.repeat(y, w), predictions=np.repeat(p, w)),
    )


@modest
@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=40),
    st.integers(-5, 5),
)
def test_shift_and_scale_of_targets(rows, shift):
    """A shift of both changes no error; a factor of two doubles those in the unit of the target."""
    y, p = np.array(rows, dtype=float).T
    a, b = (
        metrics("regression", labels=y, predictions=p),
        metrics("regression", labels=2 * y + shift, predictions=2 * p + shift),
    )
    for name, value in a.items():
        factor = {"target": 2, "squared target": 4}.get(METRICS[name].unit)
        if factor and value is not None:
            assert b[name] == pytest.approx(factor * value, abs=1e-9), name
    if a["r2"] is not None:
        assert b["r2"] == pytest.approx(a["r2"], abs=1e-9)


def test_two_classes_as_column_or_table():
    """One column of positive probabilities and the table of both say the same."""
    rng = np.random.default_rng(3)
    p, y = rng.random(60), rng.integers(0, 2, 60)
    assert metrics(labels=y, predictions=p) == metrics(labels=y, predictions=np.column_stack([1 - p, p]))


def test_every_metric_says_what_it_is():
    for name, spec in METRICS.items():
        assert spec.name == name
        assert spec.title
        assert spec.source
        assert spec.formula
        assert spec.interval != "none" or spec.no_interval


def test_no_pair_won_is_an_area_of_exactly_zero():
    """Rounding of weights leaves nothing below 0, and no interval that holds one value."""
    y = np.arange(30) % 2
    for seed in range(5):
        w = np.random.default_rng(seed).random(30)
        report = evaluate(task_type="classification", labels=y, predictions=0.2 + 0.5 * (1 - y), sample_weight=w)
        assert report.metrics["roc_auc"] == 0
        assert report.intervals["roc_auc"].low is None or report.intervals["roc_auc"].low >= 0
