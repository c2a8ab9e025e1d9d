"""Tests of residuals, and conformal prediction intervals."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness import evaluate
from evalharness.diagnostics import half_width, normal_scores, prediction_intervals, residual_tests
from tests.benchmarks import uncertainty

QUICK = {"compute_cis": False}
NAMES = ("residual_normality", "residual_autocorrelation", "residual_heteroscedasticity")


def judged(labels, predictions, **given):
    return evaluate(task_type="regression", labels=labels, predictions=predictions, **{"config": QUICK, **given})


def columns(text, width):
    return np.array(text.split(), dtype=float).reshape(-1, width).T


def line(x, y):
    """Predictions of the least squares line."""
    slope, start = np.polyfit(x, y, 1)
    return start + slope * x


# Published values ---------------------------------------------------------------------------------


def test_normal_scores_of_dagostino_1990():
    """Cholesterol of 62 men: sqrt(b1) = 1.02, b2 = 4.58 give Z = 3.14 and 2.21, K squared 14.75.

    D'Agostino, Belanger & D'Agostino 1990, The American Statistician 44(4); the moments are rounded as printed.
    """
    ends = [normal_scores(1.02 + e, 4.58 + e, 62) for e in (-0.005, 0.005)]
    assert ends[0][0] < 3.14 < ends[1][0]
    assert normal_scores(1.02, 4.58, 62)[1] == pytest.approx(2.21, abs=5e-3)
    assert sum(z * z for z in ends[0]) < 14.75 < sum(z * z for z in ends[1])


# Food expenditure (dollars a week) and income (100 dollars a week) of 40 households: Hill, Griffiths & Lim 2011,
# Principles of Econometrics, 4th ed., table 2.1
FOOD = """
    115.22 3.69 135.98 4.39 119.34 4.75 114.96 6.03 187.05 12.47 243.92 12.98 267.43 14.20 238.71 14.76 295.94 15.32
    317.78 16.39 216.00 17.35 240.35 17.77 386.57 17.93 261.53 18.43 249.34 18.55 309.87 18.80 345.89 18.81 165.54 19.04
    196.98 19.22 395.26 19.93 406.34 20.13 171.92 20.33 303.23 20.37 377.04 20.43 194.35 21.45 213.48 22.52 293.87 22.55
    259.61 22.86 323.71 24.20 275.02 24.39 109.71 24.42 359.19 25.20 201.51 25.50 460.36 26.61 447.76 26.70 482.55 27.14
    438.29 27.16 587.66 28.62 257.95 29.40 375.73 33.40
"""


def test_breusch_pagan_of_food_expenditure():
    """R squared .385 (chapter 4); N R squared of squared residuals 7.38442, p = .00657911 (Adkins 2014, chapter 8).

    Adkins 2014, Using gretl for Principles of Econometrics, 4th ed.
    """
    y, x = columns(FOOD, 2)
    report = judged(y, line(x, y))
    found = report.tests["residual_heteroscedasticity"]
    assert report.metrics["r2"] == pytest.approx(0.385, abs=5e-4)
    assert found["statistic"] == pytest.approx(7.38442, abs=5e-6)
    assert found["p_value"] == pytest.approx(0.00657911, abs=5e-9)
    assert found["sentence"] == "The residuals spread more where predictions are higher (p = 0.007)."


# Quarterly sales of the industry and of the company: Kutner et al. 2005, Applied Linear Statistical Models, table 12.2
BLAISDELL = """
    127.3 20.96 130.0 21.40 132.7 21.96 129.4 21.52 135.0 22.39 137.1 22.76 141.2 23.48 142.8 23.66
    145.5 24.10 145.3 24.01 148.3 24.54 146.4 24.30 150.2 25.00 153.1 25.64 157.3 26.36 160.7 26.98
    164.2 27.52 165.6 27.78 168.7 28.24 171.7 28.78
"""


def test_durbin_watson_of_the_blaisdell_company():
    """Kutner et al. 2005, section 12.3: D = .735; table 12.4: the products of neighbours sum to .0834478."""
    x, y = columns(BLAISDELL, 2)
    report = judged(y, line(x, y))
    details = report.tests["residual_autocorrelation"]["details"]
    assert details["durbin_watson"] == pytest.approx(0.735, abs=5e-4)
    assert details["lag_1_correlation"] * 20 * report.metrics["mean_squared_error"] == pytest.approx(
        0.0834478, abs=5e-5
    )


LONGLEY = """
    60323 83.0 234289 2356 1590 107608 1947 61122 88.5 259426 2325 1456 108632 1948
    60171 88.2 258054 3682 1616 109773 1949 61187 89.5 284599 3351 1650 110929 1950
    63221 96.2 328975 2099 3099 112075 1951 63639 98.1 346999 1932 3594 113270 1952
    64989 99.0 365385 1870 3547 115094 1953 63761 100.0 363112 3578 3350 116219 1954
    66019 101.2 397469 2904 3048 117388 1955 67857 104.6 419180 2822 2857 118734 1956
    68169 108.4 442769 2936 2798 120445 1957 66513 110.8 444546 4681 2637 121950 1958
    68655 112.6 482704 3813 2552 123366 1959 69564 114.2 502601 3931 2514 125368 1960
    69331 115.7 518173 4806 2572 127852 1961 70551 116.9 554894 4007 2827 130081 1962
"""


def test_longley_of_nist_and_its_durbin_watson():
    """NIST StRD, Longley: certified coefficients, R squared, residual deviation; D = 2.559 (statsmodels' OLS page)."""
    b = [
        15.0618722713733,
        -0.0358191792925910,
        -2.02022980381683,
        -1.03322686717359,
        -0.0511041056535807,
        1829.15146461355,
    ]
    y, *x = columns(LONGLEY, 7)
    report = judged(y, -3482258.63459582 + sum(c * column for c, column in zip(b, x, strict=True)))
    assert report.metrics["r2"] == pytest.approx(0.995479004577296, abs=1e-12)
    assert report.metrics["root_mean_squared_error"] * np.sqrt(16 / 9) == pytest.approx(304.854073561965, rel=1e-10)
    assert report.tests["residual_autocorrelation"]["details"]["durbin_watson"] == pytest.approx(2.559, abs=5e-4)


# Tests of residuals -------------------------------------------------------------------------------


def test_ljung_box_by_hand():
    """Residuals 1 -1 1 ... of ten rows: r1 = -9/10, r2 = 8/10: 10 * 12 (.81/9 + .64/8) = 20.4."""
    sign = np.where(np.arange(10) % 2 == 0, 1.0, -1.0)
    found = judged(np.zeros(10), sign).tests["residual_autocorrelation"]
    assert found["statistic"] == pytest.approx(20.4)
    assert found["details"] == pytest.approx({"durbin_watson": 3.6, "lag_1_correlation": -0.9, "lags": 2})


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.floats(-100, 100), st.sampled_from([0.25, 0.5, 2.0, 1024.0]))
def test_bias_and_unit_change_no_test(bias, unit):
    """Residuals less their mean are tested, whatever the unit."""
    rng = np.random.default_rng(0)
    guess = rng.normal(size=80)
    y = guess + rng.standard_t(4, 80)
    one, other = judged(y, guess).tests, judged(unit * y, unit * (guess + bias)).tests
    for name in NAMES:
        assert other[name]["statistic"] == pytest.approx(one[name]["statistic"], rel=1e-6, abs=1e-9)


def test_what_is_wrong_is_found():
    """Skewed, related and unequal residuals: each test finds its own."""
    rng = np.random.default_rng(0)
    guess = rng.uniform(1, 3, 400)
    walk = np.convolve(rng.normal(size=401), [1, 0.6])[1:401]
    for name, error in zip(NAMES, (rng.exponential(size=400), walk, guess**2 * rng.normal(size=400)), strict=True):
        found = judged(guess - error, guess).tests[name]
        assert found["p_value"] < 0.001
        assert "no evidence" not in found["sentence"]


@pytest.mark.parametrize("n", [20, 200])
def test_residual_tests_keep_their_level(n):
    """Of 400 runs in which nothing is wrong about 5 % reject (standard error 1.1 points)."""
    found = uncertainty.residual_tests(400, n)
    assert all(0.015 <= share <= 0.09 for share in found.values()), found


@pytest.mark.parametrize(
    ("given_", "name", "reason"),
    [
        (
            {"sample_weight": np.arange(30) + 1.0},
            NAMES[0],
            "the test needs independent rows of one weight, and weights were given",
        ),
        (
            {"groups": np.arange(30) // 3},
            NAMES[1],
            "the test needs independent rows of one weight, and groups were given",
        ),
        ({"predictions": np.zeros(30)}, NAMES[2], "all predictions are equal"),
        ({"predictions": np.arange(30.0) + 2}, NAMES[0], "all residuals are equal"),
        ({"labels": np.arange(9.0), "predictions": np.zeros(9)}, NAMES[1], "9 rows are too few; the test needs 10"),
        ({"labels": [1.0], "predictions": [2.0]}, NAMES[0], "1 row is too few; the test needs 20"),
    ],
)
def test_a_test_that_cannot_be_made_says_why(given_, name, reason):
    rng = np.random.default_rng(0)
    found = judged(**{"labels": np.arange(30.0), "predictions": rng.normal(size=30), **given_}).tests[name]
    assert (found["p_value"], found["statistic"], found["reason"]) == (None, None, reason)
    assert found["sentence"] == f"There is no test: {reason}."


# Prediction intervals -----------------------------------------------------------------------------


def test_half_width_is_a_quantile_of_the_sample_and_one_row_more():
    """ceil((m + 1) level)-th smallest (Lei et al. 2018, algorithm 2): of 19 rows the 19th holds 95 %, of 18 none."""
    size = np.random.default_rng(0).permutation(np.arange(1.0, 20.0))
    assert half_width(size, 0.95) == 19
    assert half_width(size, 0.9) == 18
    assert half_width(size, 0.8) == 16
    assert half_width(size[:18], 0.95) is None
    for level in (0.8, 0.9, 0.95):
        assert half_width(size, level, np.arange(19)) == half_width(size, level)
    # nine groups of two: the mean share of 10/9 * 0.8 needs 16 of 18 rows
    assert half_width(np.arange(1.0, 19.0), 0.8, np.arange(18) % 9) == 16


def test_prediction_intervals_hold_what_they_promise():
    """Skewed errors that grow with the prediction: new rows are inside as often as the level, over 100 runs.

    So are rows of new groups whose rows err together.
    """
    for found in (uncertainty.conformal(100, 120), uncertainty.conformal(100, 5 * 120, 5)):
        for level, share in found.items():
            assert float(level) - 0.015 <= share <= float(level) + 0.035


def test_coverage_is_of_the_other_half():
    """Rows are parted by the seed; the width is of one part and its coverage, with Wilson's interval, of the other."""
    rng = np.random.default_rng(0)
    y, guess = rng.normal(size=(2, 201))
    report = judged(y, guess)
    rows = report.prediction_intervals
    assert [row.level for row in rows] == [0.8, 0.9, 0.95]
    assert [(row.calibration_rows, row.test_rows) for row in rows] == [(101, 100)] * 3
    assert all(row.low < row.coverage < row.high for row in rows)
    assert rows[0].half_width < rows[1].half_width < rows[2].half_width
    assert rows == judged(y, guess).prediction_intervals
    assert rows != judged(y, guess, seed=1).prediction_intervals
    document = json.loads(json.dumps(report.documents()["metrics.json"], allow_nan=False))
    assert document["prediction_intervals"][2]["half_width"] == rows[2].half_width
    assert set(document["tests"]) == set(NAMES)


def test_groups_are_parted_whole():
    """Each group lies in one part: groups of equal errors give a width that one of them has."""
    groups = np.repeat(np.arange(41), 5)
    found = judged(np.zeros(205), groups + 1.0, groups=groups).prediction_intervals[0]
    assert (found.calibration_rows, found.test_rows) == (105, 100)
    assert found.coverage * 100 % 5 == pytest.approx(0, abs=1e-9)
    assert (found.low, found.reason) == (
        None,
        "the interval of the coverage needs independent rows, and groups were given",
    )


def test_prediction_intervals_that_cannot_be_had_say_why():
    few = judged(np.arange(20.0), np.zeros(20)).prediction_intervals
    assert few[0].half_width is not None
    assert few[2].reason == "10 rows are too few for 95 %; the width needs 19"
    weighted = judged(np.arange(20.0), np.zeros(20), sample_weight=1 + np.arange(20) % 2).prediction_intervals
    assert weighted[0].reason == "prediction intervals need rows of one weight, and weights were given"
    labels = np.arange(40) % 2
    assert evaluate(task_type="classification", labels=labels, predictions=labels).prediction_intervals == ()
    level = judged(np.arange(99.0), np.zeros(99), config={"confidence_level": 0.9}).prediction_intervals
    assert [row.level for row in level] == [0.8, 0.9]


def test_inputs_are_not_changed():
    y, guess = np.random.default_rng(0).normal(size=(2, 60))
    kept = y.copy(), guess.copy()
    sample = judged(y, guess).sample
    residual_tests(sample, 0.95)
    prediction_intervals(sample, 0, 0.95)
    assert np.array_equal(sample.labels, kept[0])
    assert np.array_equal(sample.predictions, kept[1])
