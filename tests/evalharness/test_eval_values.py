"""Agreement with published or hand-worked values; none was computed by scikit-learn."""

import math

import numpy as np
import pytest

from evalharness import evaluate
from evalharness.compare import adjusted
from evalharness.intervals import wilson
from evalharness.paired import delong, mcnemar

QUICK = {"compute_cis": False}


def classified(**given):
    return evaluate(task_type="classification", config=QUICK, **given).metrics


def regressed(**given):
    return evaluate(task_type="regression", config=QUICK, **given).metrics


# Newcombe 1998, Stat. Med. 17, Table I, method 3 (score interval)
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_score_interval_of_newcombe(successes, trials, low, high):
    assert wilson(successes, trials, 0.95) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_benjamini_hochberg_1995_section_3_2():
    """The 15 p-values of the paper; at 5 % the first four hypotheses are rejected."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    q = adjusted(p)
    assert [x <= 0.05 for x in q] == [True] * 4 + [False] * 11
    assert q[:5] == pytest.approx([0.0015, 0.003, 0.0095, 0.035625, 0.0603])


def test_entries_without_p_value_are_not_counted():
    assert adjusted([0.01, None, 0.04]) == [0.02, None, 0.04]


def test_hanley_mcneil_1982_table_1():
    """Ratings of 58 normal and 51 abnormal images: the area is 0.893."""
    ratings = np.array([1, 2, 3, 4, 5])
    score = np.concatenate([np.repeat(ratings, [33, 6, 6, 11, 2]), np.repeat(ratings, [3, 2, 2, 11, 33])])
    found = classified(labels=np.repeat([0, 1], [58, 51]), predictions=score / 6)
    assert found["roc_auc"] == pytest.approx(0.893, abs=5e-4)


def test_matthews_of_six_one_two_three():
    """TP 6, FP 1, FN 2, TN 3: (6*3 - 1*2) / sqrt(7*8*4*5) = 16 / sqrt(1120)."""
    y = [1] * 8 + [0] * 4
    guess = [1] * 6 + [0] * 2 + [1] + [0] * 3
    found = classified(labels=y, predictions=guess)
    assert found["matthews_corrcoef"] == pytest.approx(16 / math.sqrt(1120), abs=1e-15)
    assert found["precision"] == pytest.approx(6 / 7)
    assert found["recall"] == pytest.approx(6 / 8)
    assert found["specificity"] == pytest.approx(3 / 4)
    assert found["f1"] == pytest.approx(12 / 15)
    assert found["balanced_accuracy"] == pytest.approx((6 / 8 + 3 / 4) / 2)


def test_kappa_of_twenty_five_ten_fifteen():
    """Agreement 35/50 = 0.7, by chance 0.5*0.6 + 0.5*0.4 = 0.5: kappa = 0.2 / 0.5."""
    y = ["yes"] * 25 + ["no"] * 25
    guess = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert classified(labels=y, predictions=guess)["cohen_kappa"] == pytest.approx(0.4)


def test_average_precision_is_the_step_sum():
    """Ranks + - + -: precision 1 at recall 1/2 and 2/3 at recall 1, so (1 + 2/3) / 2; no trapezium."""
    found = classified(labels=[1, 0, 1, 0], predictions=[0.9, 0.8, 0.7, 0.1])
    assert found["average_precision"] == pytest.approx(5 / 6)


def test_average_precision_takes_ties_together():
    """Both scores tie: one step of precision 1/2 over the whole recall."""
    assert classified(labels=[1, 0], predictions=[0.5, 0.5])["average_precision"] == pytest.approx(0.5)


def test_log_loss_and_brier_by_hand():
    """-(ln .9 + ln .8 + ln .7) / 3 and (.01 + .04 + .09) / 3."""
    found = classified(labels=[1, 0, 1], predictions=[0.9, 0.2, 0.7])
    assert found["log_loss"] == pytest.approx(-(math.log(0.9) + math.log(0.8) + math.log(0.7)) / 3)
    assert found["brier_score"] == pytest.approx(0.14 / 3)


def test_brier_of_many_classes_sums_over_classes():
    """.5^2 + .3^2 + .2^2 = .38, then .1^2 + .2^2 + .1^2 = .06 and .4^2 + .4^2 + .8^2 = .96."""
    p = [[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.4, 0.4, 0.2]]
    assert classified(labels=["a", "b", "c"], predictions=p)["brier_score"] == pytest.approx((0.38 + 0.06 + 0.96) / 3)


def test_plug_in_calibration_error_by_hand():
    """Bins of width 1/15: .10, .12 share one, .90 is alone: 2/3 |.5 - .11| + 1/3 |1 - .9|."""
    found = classified(labels=[0, 1, 1], predictions=[0.10, 0.12, 0.90])
    assert found["expected_calibration_error"] == pytest.approx(2 / 3 * 0.39 + 1 / 3 * 0.1)
    assert found["maximum_calibration_error"] == pytest.approx(0.39)


def test_debiased_calibration_error_by_hand():
    """Kumar et al. 2019: two bins of p = .2 and .8 with 1 of 4 and 2 of 4 events.

    gaps .05 and -.3; noise .25*.75/3 = .0625 and .5*.5/3: (.0025 - .0625 + .09 - .25/3) / 2 < 0 gives 0; with
    0 of 4 and 2 of 4 the noise of the first is 0: (.04 + .09 - .25/3) / 2.
    """
    p = [0.2] * 4 + [0.8] * 4
    assert classified(labels=[1, 0, 0, 0, 1, 1, 0, 0], predictions=p)["debiased_calibration_error"] == 0
    found = classified(labels=[0, 0, 0, 0, 1, 1, 0, 0], predictions=p)["debiased_calibration_error"]
    assert found == pytest.approx(math.sqrt((0.13 - 0.25 / 3) / 2))


def test_hand_till_and_one_vs_rest_by_hand():
    """Three classes, one pair of rows each; areas counted by hand.

    Class a: scores .6 .4 (a) | .3 .2 (b) | .1 .5 (c). a|b: 4/4; a|c: pairs (.6,.1)(.6,.5)(.4,.1) = 3/4.
    Class b: .3 .6 (b) | .3 .2 (a) | .6 .2 (c). b|a: (.3=.3) .5 + 1 + 1 + 1 = 3.5/4; b|c: 0 + 1 + .5 + 1 =
    2.5/4. Class c: .3 .3 (c) | .1 .4 (a) | .4 .2 (b). c|a: (1 + 0) * 2 = 2/4; c|b: (0 + 1) * 2 = 2/4.
    """
    p = [[0.6, 0.3, 0.1], [0.4, 0.2, 0.4], [0.3, 0.3, 0.4], [0.2, 0.6, 0.2], [0.1, 0.6, 0.3], [0.5, 0.2, 0.3]]
    found = classified(labels=["a", "a", "b", "b", "c", "c"], predictions=p)
    assert found["roc_auc_ovo"] == pytest.approx(((1 + 3.5 / 4) / 2 + (3 / 4 + 2 / 4) / 2 + (2.5 / 4 + 2 / 4) / 2) / 3)
    assert found["roc_auc_ovr"] == pytest.approx((7 / 8 + 6 / 8 + 4 / 8) / 3)


def test_macro_averages_by_hand():
    """Class a: 2 of 3 right, b: 1 of 2, c: 0 of 1; a is predicted 3 times (2 right), b 3 times (1 right)."""
    found = classified(labels=list("aaabbc"), predictions=list("aabbab"))
    assert found["precision_macro"] == pytest.approx((2 / 3 + 1 / 3 + 0) / 3)
    assert found["recall_macro"] == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert found["recall_weighted"] == pytest.approx(3 / 6)
    assert found["f1_macro"] == pytest.approx((4 / 6 + 2 / 5 + 0) / 3)
    assert found["precision_weighted"] == pytest.approx((3 * 2 / 3 + 2 * 1 / 3 + 0) / 6)


NORRIS = """
0.2 0.1 337.4 338.8 118.2 118.1 884.6 888.0 10.1 9.2 226.5 228.1 666.3 668.5 996.3 998.5 448.6 449.1
777.0 778.9 558.2 559.2 0.4 0.3 0.6 0.1 775.5 778.1 666.9 668.8 338.0 339.3 447.5 448.9 11.6 10.8
556.0 557.7 228.1 228.3 995.8 998.0 887.6 888.8 120.2 119.6 0.3 0.3 0.3 0.6 556.8 557.6 339.1 339.3
887.2 888.0 999.0 998.5 779.0 778.9 11.1 10.2 118.3 117.6 229.2 228.9 669.1 668.4 448.9 449.2 0.5
0.2
"""


def test_nist_norris():
    """NIST StRD, data set Norris: certified R squared and residual standard deviation of the fitted line."""
    x, y = np.array(NORRIS.split(), dtype=float).reshape(-1, 2).T
    found = regressed(labels=y, predictions=-0.262323073774029 + 1.00211681802045 * x)
    assert len(y) == 36
    assert found["r2"] == pytest.approx(0.999993745883712, abs=1e-14)
    assert found["root_mean_squared_error"] == pytest.approx(0.884796396144373 * math.sqrt(34 / 36), rel=1e-10)
    assert found["mean_bias_error"] == pytest.approx(0, abs=1e-10)


def test_kvalseth_1985_table_2():
    """Labels 15 37 52 59 83 92 against the fitted line over 0 ... 5: R squared 0.9808."""
    y = np.array([15.0, 37, 52, 59, 83, 92])
    slope, start = np.polyfit(np.arange(6), y, 1)
    assert regressed(labels=y, predictions=start + slope * np.arange(6))["r2"] == pytest.approx(0.9808, abs=5e-5)


def test_regression_by_hand():
    """Errors -1, 0, 2, 3 on labels 2, 4, 4, 10."""
    found = regressed(labels=[2, 4, 4, 10], predictions=[1, 4, 6, 13])
    assert found["mean_squared_error"] == 14 / 4
    assert found["root_mean_squared_error"] == pytest.approx(math.sqrt(3.5))
    assert found["mean_absolute_error"] == 6 / 4
    assert found["median_absolute_error"] == 1.5
    assert found["max_error"] == 3
    assert found["mean_bias_error"] == 1
    assert found["r2"] == pytest.approx(1 - 14 / 36)
    assert found["explained_variance"] == pytest.approx(1 - (3.5 - 1) / 9)
    assert found["mean_absolute_percentage_error"] == pytest.approx((1 / 2 + 0 + 2 / 4 + 3 / 10) / 4)
    assert found["weighted_absolute_percentage_error"] == pytest.approx(6 / 20)


def test_mcnemar_published_and_exact():
    """Agresti, Categorical Data Analysis, section 10.1: 86 and 150 give 17.36; 1 of 10 gives 22/1024."""
    assert mcnemar(86, 150) == pytest.approx(math.erfc(math.sqrt(64**2 / 236 / 2)))
    assert mcnemar(86, 150) == pytest.approx(3.1e-5, abs=5e-7)
    assert mcnemar(1, 9) == pytest.approx(22 / 1024)
    assert mcnemar(0, 0) == 1


def test_delong_by_hand():
    """Two positives, two negatives: model one orders all, model two has one pair wrong; placements by hand.

    V10 of the difference: 1 - 1 = 0 and 1 - 1/2; V01: 1 - 1/2 and 1 - 1; each variance (n - 1) = 1/8, so
    1/8/2 + 1/8/2 = 1/8.
    """
    y = np.array([True, True, False, False])
    found = delong(y, np.array([0.9, 0.8, 0.2, 0.1]), np.array([0.9, 0.3, 0.4, 0.1]))
    assert found is not None
    assert (found.first, found.second) == (1.0, 0.75)
    assert found.standard_error == pytest.approx(math.sqrt(1 / 8))
    assert found.p_value == pytest.approx(math.erfc(0.25 / math.sqrt(1 / 8) / math.sqrt(2)))
