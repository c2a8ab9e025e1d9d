"""Calibration errors, slope and intercept, and the intervals of areas, precisions and shares."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special

from evalharness import METRICS, calibration, evaluate
from evalharness.intervals import area, compared, share
from tests.benchmarks import uncertainty

QUICK = {"compute_cis": False}


def judged(labels, p, **given):
    return evaluate(task_type="classification", labels=labels, predictions=p, **given)


# Published values ---------------------------------------------------------------------------------

# Temperatures (F) of 23 space shuttle flights and whether an O-ring suffered: Agresti 2002, Categorical Data
# Analysis, 2nd ed., table 5.10 (first in Dalal, Fowlkes & Hoadley 1989, JASA 84(408))
TEMPERATURE = [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58]
SUFFERED = [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1]


def test_slope_of_the_space_shuttle():
    """Agresti 2002: logit = 15.043 - 0.232 temperature, standard error 0.108.

    A model that says logit p = (69.5 - temperature) / 10 has the slope 2.32, standard error 1.08.
    """
    report = judged(SUFFERED, special.expit((69.5 - np.array(TEMPERATURE)) / 10))
    fitted = calibration.slope(report.sample)
    assert report.metrics["calibration_slope"] == pytest.approx(2.32, abs=5e-3)
    assert fitted.error == pytest.approx(1.08, abs=5e-3)
    # the line goes through 0 at 15.0429 / 0.2322 = 64.8 degrees, so that the best one of slope 1 lies below 69.5
    assert report.intervals["calibration_slope"].contains(1.0)


def test_brier_1950_table_1():
    """Ten forecasts of rain, P = 0.19; Brier sums over both classes, which is twice ours."""
    said = [0.7, 0.9, 0.8, 0.4, 0.2, 0.0, 0.0, 0.0, 0.0, 0.1]
    rained = [0, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert 2 * judged(rained, said, config=QUICK).metrics["brier_score"] == pytest.approx(0.19, abs=1e-12)


def test_delong_interval_of_the_stata_manual():
    """Stata Base Reference Manual, roctab, ratings of Hanley & McNeil 1982: 0.8932, 0.0307, 0.83295 to 0.95339."""
    ratings = np.arange(1, 6)
    score = np.r_[np.repeat(ratings, [33, 6, 6, 11, 2]), np.repeat(ratings, [3, 2, 2, 11, 33])] / 6
    report = judged(np.repeat([0, 1], [58, 51]), score)
    found = report.intervals["roc_auc"]
    (delong,) = found.also
    assert report.metrics["roc_auc"] == pytest.approx(0.8932, abs=5e-5)
    assert delong.method == "delong"
    assert (delong.low, delong.high) == (pytest.approx(0.83295, abs=5e-6), pytest.approx(0.95339, abs=5e-6))
    assert (delong.high - delong.low) / 2 / 1.959964 == pytest.approx(0.0307, abs=5e-5)
    assert found.method == "bca"
    assert found.low < delong.low
    document = report.documents()["confidence_intervals.json"]
    assert document["roc_auc"]["also"] == [{"low": delong.low, "high": delong.high, "method": "delong"}]
    assert document["accuracy"]["also"] == []


# Pearson & Hartley 1966, Biometrika Tables for Statisticians I, Table 40, lower limits 0.05 for c = 1, 2, 3
@pytest.mark.parametrize(("successes", "limit"), [(1, 0.0513), (2, 0.355), (3, 0.818)])
def test_shares_next_to_the_edge_have_the_poisson_limit(successes, limit):
    found = share(successes, 2000, 0.95)
    assert found.method == "wilson, edge"
    assert 2000 * found.low == pytest.approx(limit, abs=5e-4)
    turned = share(2000 - successes, 2000, 0.95)
    assert (turned.low, turned.high) == (pytest.approx(1 - found.high), pytest.approx(1 - found.low))


# By hand ------------------------------------------------------------------------------------------


def test_slope_and_intercept_by_hand():
    """Said .2 and .8, seen 1 of 4 and 2 of 4: two points fix the line; in the large three of eight for four of eight.

    slope = (logit 1/2 - logit 1/4) / (logit .8 - logit .2) = ln 3 / (2 ln 4); the intercept solves
    4 expit(a + ln 4) + 4 expit(a - ln 4) = 3.
    """
    found = judged([1, 0, 0, 0, 1, 1, 0, 0], [0.2] * 4 + [0.8] * 4, config=QUICK).metrics
    a = found["calibration_intercept"]
    assert found["calibration_slope"] == pytest.approx(math.log(3) / (2 * math.log(4)), abs=1e-12)
    assert 4 * special.expit(a + math.log(4)) + 4 * special.expit(a - math.log(4)) == pytest.approx(3, abs=1e-12)


def test_equal_mass_bins_by_hand():
    """Four rows in two bins: (.1 .2), (.3 .9): 1/2 |.15 - 1/2| + 1/2 |.6 - 1/2|."""
    found = judged([0, 1, 0, 1], [0.1, 0.2, 0.3, 0.9], config=QUICK).metrics
    assert found["expected_calibration_error_equal_mass"] == pytest.approx(0.35 / 2 + 0.1 / 2)


def test_class_wise_error_by_hand():
    """Three rows, each of its class: the probabilities of a class in bins of width 1/15.

    a: .7 (yes) .2 .1: |1 - .7| + .2 + .1 = .6 over 3; b: .2 .7 (yes) .2, the two .2 in one bin: .3 + .4; c: .1 .1
    .7 (yes), the two .1 in one bin: .3 + .2.
    """
    found = judged(list("abc"), [[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.1, 0.2, 0.7]], config=QUICK).metrics
    assert found["expected_calibration_error_classwise"] == pytest.approx((0.6 / 3 + 0.7 / 3 + 0.5 / 3) / 3)
    assert found["expected_calibration_error"] == pytest.approx(0.3)


# Laws ---------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(0.2, 4), st.floats(-2, 2))
def test_probabilities_moved_along_a_line_have_its_slope(b, a):
    """Stretching logits by b divides the slope by b; and what the line gives has slope 1 and intercept 0."""
    rng = np.random.default_rng(0)
    p = rng.beta(2, 3, 200)
    y = rng.random(200) < p
    one = judged(y, p, config=QUICK).sample
    moved = judged(y, special.expit(a + b * special.logit(p)), config=QUICK).sample
    slope = calibration.slope(one).value
    assert calibration.slope(moved).value == pytest.approx(slope / b, rel=1e-9)
    best = special.expit(slope * special.logit(p))
    again = judged(y, special.expit(special.logit(best) + calibration.intercept(judged(y, best).sample).value))
    assert again.metrics["calibration_slope"] == pytest.approx(1, abs=1e-9)
    assert again.metrics["calibration_intercept"] == pytest.approx(0, abs=1e-9)


def test_a_row_in_each_group_is_no_group():
    """Groups of one row, and weights that are equal, leave slope and intercept and their errors as they are."""
    rng = np.random.default_rng(0)
    p = rng.beta(2, 3, 400)
    y = rng.random(400) < p
    plain = calibration.slope(judged(y, p, config=QUICK).sample)
    for given_ in ({"groups": np.arange(400)}, {"sample_weight": np.full(400, 3.0)}):
        other = calibration.slope(judged(y, p, config=QUICK, **given_).sample)
        assert other.value == pytest.approx(plain.value, rel=1e-12)
        assert other.error == pytest.approx(plain.error, rel=5e-3)


def test_certain_rows_that_came_true_change_no_line():
    rng = np.random.default_rng(0)
    p = rng.beta(2, 3, 100)
    y = rng.random(100) < p
    plain = judged(y, p, config=QUICK).metrics
    more = judged(np.r_[y, True, False], np.r_[p, 1.0, 0.0], config=QUICK).metrics
    for name in ("calibration_slope", "calibration_intercept"):
        assert more[name] == plain[name]


@pytest.mark.parametrize(
    ("labels", "p", "slope", "intercept"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9], "the probabilities part the rows with and without the event", None),
        ([0, 1, 1, 0], [0.3, 0.3, 0.3, 0.3], "all probabilities are equal", None),
        (
            [1, 1, 1, 1],
            [0.1, 0.2, 0.6, 0.9],
            "each of 4 rows with a probability between 0 and 1 has the event",
            "each of 4",
        ),
        ([0, 1, 1, 0], [1.0, 0.3, 0.4, 0.2], "1 row has probability 0 or 1 and did not come true", "1 row has"),
        ([1, 0, 1, 0], [1.0, 0.0, 1.0, 0.0], "every probability is 0 or 1", "every probability is 0 or 1"),
    ],
)
def test_a_line_that_cannot_be_fitted_says_why(labels, p, slope, intercept):
    report = judged(labels, np.column_stack([1 - np.array(p), p]), classes=[0, 1])
    assert report.metrics["calibration_slope"] is None
    assert report.undefined["calibration_slope"].startswith(slope)
    assert (
        report.intervals["calibration_slope"].reason
        == f"the metric is undefined: {report.undefined['calibration_slope']}"
    )
    if intercept is None:
        assert report.metrics["calibration_intercept"] is not None
    else:
        assert report.undefined["calibration_intercept"].startswith(intercept)


def test_a_few_groups_give_no_interval_of_the_slope():
    rng = np.random.default_rng(0)
    p = rng.beta(2, 3, 100)
    found = judged(rng.random(100) < p, p, groups=np.arange(100) // 20).intervals["calibration_slope"]
    assert found.reason == "5 groups are too few for a standard error; it needs 10"


def test_plug_in_calibration_errors_have_no_interval_but_a_reason():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 300)
    two, three = judged(rng.random(300) < p[:, 0], p[:, 0]), judged(rng.integers(0, 3, 300), p)
    names = [name for name in METRICS if name.startswith(("expected_calibration", "maximum_calibration"))]
    for report in (two, three):
        for name in set(names) & set(report.metrics):
            assert report.metrics[name] is not None
            assert (report.intervals[name].low, report.intervals[name].high) == (None, None)
            assert "biased upwards" in report.intervals[name].reason
        assert report.intervals["debiased_calibration_error"].method == "test inversion"
    assert set(names) - set(two.metrics) == {"expected_calibration_error_classwise"}


@pytest.mark.parametrize("odd", [0, 1, 4])
def test_tied_probabilities_have_a_calibration_error(odd):
    """Rows that ties leave alone join their neighbours: a thousand rows always have an error with an interval."""
    rng = np.random.default_rng(0)
    p = np.r_[np.full(1000 - odd, 0.5), np.full(odd, 0.9)]
    report = judged(rng.random(1000) < p - 0.2, p, classes=[0, 1])
    found = report.intervals["debiased_calibration_error"]
    assert report.metrics["debiased_calibration_error"] == pytest.approx(0.2, abs=0.05)
    assert found.low < 0.2 < found.high


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(2, 60), st.integers(2, 60), st.floats(0, 1), st.floats(0, 0.05), st.floats(0.5, 0.99))
def test_score_interval_of_an_area(positives, negatives, estimate, variance, level):
    """It holds the estimate, stays within 0 and 1, mirrors with the classes and grows with the variance."""
    areas = compared("roc_auc", np.array([positives, negatives]))
    low, high = area(estimate, variance, areas, level)
    assert 0 <= low <= estimate <= high <= 1
    assert low < high
    assert area(1 - estimate, variance, areas, level) == (pytest.approx(1 - high), pytest.approx(1 - low))
    wide = area(estimate, 2 * variance, areas, level)
    assert wide[0] <= low + 1e-12
    assert wide[1] >= high - 1e-12


def test_rare_classes_get_score_intervals_and_common_ones_resamples():
    rng = np.random.default_rng(0)
    for rare, methods in ((10, ("score", "score")), (29, ("score", "bca")), (30, ("bca", "bca"))):
        y = np.r_[np.ones(rare, dtype=int), np.zeros(300, dtype=int)]
        p = np.clip(0.4 + 0.1 * y + 0.1 * rng.normal(size=len(y)), 0.01, 0.99)
        found = judged(y, p, config={"n_resamples": 200}).intervals
        assert (found["roc_auc"].method, found["average_precision"].method) == methods
        weighted = judged(y, p, sample_weight=1 + np.arange(len(y)) % 2, config={"n_resamples": 200}).intervals[
            "roc_auc"
        ]
        assert (weighted.method, weighted.also) == ("bca", ())


def test_perfect_ranking_of_few_rows_has_an_interval():
    """Ten against ten, all in order: neither DeLong's variance nor resamples know any error, the score does."""
    report = judged([0] * 10 + [1] * 10, np.linspace(0.1, 0.9, 20))
    assert report.metrics["roc_auc"] == report.metrics["average_precision"] == 1
    assert report.intervals["roc_auc"].also == ()
    for name in ("roc_auc", "average_precision"):
        assert 0.5 < report.intervals[name].low < 0.9
        assert report.intervals[name].high == 1


def test_a_class_in_few_groups_leaves_rankings_without_an_interval():
    rng = np.random.default_rng(0)
    groups = np.arange(200) // 10
    found = judged((groups < 3).astype(int), rng.random(200), groups=groups).intervals["roc_auc"]
    assert found.reason == "only 3 groups have rows labelled 1; an interval needs 5"


# Simulation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trials", [20, 100, 300])
def test_shares_cover_wherever_they_are(trials):
    """Exact coverage over true shares of .0005 to .5; Wilson's own falls to 84 % there."""
    found = uncertainty.shares(trials)
    assert found["least"] >= 0.926
    assert 0.95 <= found["mean"] <= 0.97


@pytest.mark.parametrize(("positives", "negatives"), [(5, 95), (10, 290)])
def test_areas_over_few_rows_cover(positives, negatives):
    """Nominal 95 %, 300 runs (standard error 1.3 points); BCa holds the worst of these in 67 to 75 %."""
    found = uncertainty.areas(300, positives, negatives)
    assert min(found.values()) >= 0.88, found
    assert np.mean(list(found.values())) >= 0.93


def test_areas_of_several_classes_cover():
    """Nominal 95 %, 60 runs of 150 rows, 15 of them of one class: also where nearly all pairs are in order."""
    found = uncertainty.class_areas(60, 150)
    assert min(found.values()) >= 0.88, found


@pytest.mark.parametrize("n", [100, 400])
def test_intervals_of_calibration_errors_cover(n):
    """Nominal 95 %: calibrated, over- and under-confident, rare events, four classes; 60 runs each."""
    found = uncertainty.calibration_errors(60, n) | {f"{k}, 4": v for k, v in uncertainty.softmax_errors(60, n).items()}
    assert min(found.values()) >= 0.88, found


@pytest.mark.parametrize("n", [10, 24])
def test_interval_of_the_calibration_error_covers_in_small_samples(n):
    """Two bins of five rows are enough: the interval of a calibrated model holds 0 in 95 % of samples."""
    assert uncertainty.calibration_errors(100, n, ("calibrated",))["calibrated"] >= 0.9
    few = judged(np.arange(9) % 2, np.linspace(0.1, 0.8, 9))
    assert few.intervals["debiased_calibration_error"].reason == "9 rows are too few for two bins of 5"


def test_slopes_and_intercepts_cover():
    """Nominal 95 %: right and wrong lines, rare events, weights, groups; 100 runs each (standard error 2.2)."""
    found = uncertainty.recalibrations(100, 150)
    found |= {
        f"{k}, weights": v for k, v in uncertainty.recalibrations(100, 150, ("calibrated",), weights=True).items()
    }
    found |= {f"{k}, groups": v for k, v in uncertainty.recalibrations(100, 300, ("calibrated",), groups=True).items()}
    assert min(found.values()) >= 0.88, found
