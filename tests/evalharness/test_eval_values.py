"""Agreement with published or hand-worked values; none was computed by scikit-learn."""

import math

import numpy as np
import pytest

from evalharness import evaluate
from evalharness.compare import adjusted
from evalharness.intervals import bca, wilson
from evalharness.paired import corrected_t, delong, jackknife, mcnemar, melded, score, signed_rank
from evalharness.resample import Plan

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


def test_exact_mcnemar_of_bentur_2009():
    """Fagerland et al. 2013, BMC Med. Res. Methodol. 13:91, Table 1: 1 against 7 of 21 children, exact p 0.070."""
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)


def test_score_interval_of_tango():
    """Fagerland et al. 2014, Stat. Med. 33(16), the same children: Tango's interval is -0.517 to -0.026."""
    found = score(1, 7, 21, 0.95)
    assert (found.low, found.high) == (pytest.approx(-0.517, abs=5e-4), pytest.approx(-0.026, abs=5e-4))


def test_melded_interval_without_discordant_rows_is_that_of_clopper_and_pearson():
    """Newcombe 1998, Stat. Med. 17, Table I, method 5: 0 of 20 gives 0 to 0.1684."""
    found = melded(0, 0, 20, 0.95)
    assert (found.low, found.high) == (pytest.approx(-0.1684, abs=5e-5), pytest.approx(0.1684, abs=5e-5))


def test_delong_error_of_hanley_and_mcneil():
    """Stata Base Reference Manual, roctab, hanley.dta: area .8932, error .0307, interval .83295 to .95339.

    Against a model that gives all rows one score, whose area is 1/2 without error.
    """
    ratings = np.arange(1, 6)
    s = np.r_[np.repeat(ratings, [33, 6, 6, 11, 2]), np.repeat(ratings, [3, 2, 2, 11, 33])].astype(float)
    found = delong(np.repeat([False, True], [58, 51]), s, np.zeros(109))
    assert found is not None
    assert found.first == pytest.approx(0.8932, abs=5e-5)
    assert found.standard_error == pytest.approx(0.0307, abs=5e-5)
    ends = found.first + np.array([-1, 1]) * 1.959963984540054 * found.standard_error
    assert ends == pytest.approx([0.83295, 0.95339], abs=5e-6)


def test_area_of_hollander_and_wolfe():
    """Permeability of amnion (1973, p. 69; R's help of wilcox.test): W = 35 of 10 * 5 pairs."""
    term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    early = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = classified(labels=[1] * 10 + [0] * 5, predictions=np.array(term + early) / 2)
    assert found["roc_auc"] == pytest.approx(35 / 50)


def test_fawcett_2006_figure_3():
    """Pattern Recognit. Lett. 27(8): at 0.54 the curve is at (0.1, 0.5), its highest accuracy, 70 %."""
    p = [
        0.9,
        0.8,
        0.7,
        0.6,
        0.55,
        0.54,
        0.53,
        0.52,
        0.51,
        0.505,
        0.4,
        0.39,
        0.38,
        0.37,
        0.36,
        0.35,
        0.34,
        0.33,
        0.3,
        0.1,
    ]
    y = [c == "p" for c in "ppnpppnnpnpnpnnnpnpn"]
    found = classified(labels=y, predictions=p, threshold=0.54)
    assert (found["accuracy"], found["recall"], found["specificity"]) == (0.7, 0.5, 0.9)


def test_average_precision_of_manning_2008():
    """Introduction to Information Retrieval, exercise 8.8: RRNNNNNNRNRNNNRNNNNR, all six relevant: 0.555."""
    y = [int(c == "R") for c in "RRNNNNNNRNRNNNRNNNNR"]
    found = classified(labels=y, predictions=np.linspace(0.95, 0.05, 20))
    assert found["average_precision"] == pytest.approx(0.555, abs=5e-4)


def test_brier_1950_table_1():
    """Monthly Weather Review 78(1): ten forecasts of rain score 0.19, over both classes, so half of it over one."""
    rain = [0.7, 0.9, 0.8, 0.4, 0.2, 0, 0, 0, 0, 0.1]
    found = classified(labels=[0, 1, 1, 1, 0, 0, 0, 0, 0, 0], predictions=rain)
    assert 2 * found["brier_score"] == pytest.approx(0.19)


def counted(table, classes):
    """Labels and predictions of a table of counts: actual by predicted."""
    pairs = [
        (a, b)
        for a, row in zip(classes, table, strict=True)
        for b, k in zip(classes, row, strict=True)
        for _ in range(k)
    ]
    return {"labels": [a for a, _ in pairs], "predictions": [b for _, b in pairs]}


def test_finley_tornadoes():
    """Murphy 1996, Weather and Forecasting 11(1): 28 hits, 23 misses, 72 false alarms in 2,803 forecasts of 1884.

    Share correct 0.966 (0.982 by forecasting none), hits 0.549, false alarm ratio 0.720, Heidke's skill (which is
    kappa) 0.355, Peirce's skill (twice the balanced accuracy less one) 0.523.
    """
    found = classified(**counted([[2680, 72], [23, 28]], [0, 1]))
    assert found["accuracy"] == pytest.approx(0.966, abs=5e-4)
    assert found["recall"] == pytest.approx(0.549, abs=5e-4)
    assert 1 - found["precision"] == pytest.approx(0.720, abs=5e-4)
    assert found["cohen_kappa"] == pytest.approx(0.355, abs=5e-4)
    assert 2 * found["balanced_accuracy"] - 1 == pytest.approx(0.523, abs=5e-4)


def test_liver_scans_of_altman_and_bland():
    """BMJ 1994, 308:1552 and 309:102: 231 and 32 abnormal scans of 258 abnormal and 86 normal livers: .90, .63, .88."""
    found = classified(**counted([[54, 32], [27, 231]], ["normal", "sick"]))
    assert found["recall"] == pytest.approx(0.90, abs=0.005)
    assert found["specificity"] == pytest.approx(0.63, abs=0.005)
    assert found["precision"] == pytest.approx(0.88, abs=0.005)


def test_kappa_of_cohen_1960():
    """Educ. Psychol. Meas. 20(1), 200 cases, as in the help of psych::cohen.kappa: 0.492."""
    found = classified(**counted([[88, 14, 18], [10, 40, 10], [2, 6, 12]], "abc"))
    assert found["cohen_kappa"] == pytest.approx(0.492, abs=5e-4)


def test_kappa_of_fleiss():
    """Statistical Methods for Rates and Proportions, 1981, Table 13.1: 0.68."""
    found = classified(**counted([[75, 1, 4], [5, 4, 1], [0, 0, 10]], ["organic", "neurotic", "psychotic"]))
    assert found["cohen_kappa"] == pytest.approx(0.68, abs=0.005)


def test_matthews_of_chicco_2017():
    """BioData Mining 10:35, tip 8: TP 90, FP 4, TN 1, FN 5: accuracy 91 %, F1 95.24 %, MCC 0.14.

    With all 100 called positive, 95 rightly: F1 97.44 %, MCC undefined.
    """
    found = classified(**counted([[1, 4], [5, 90]], [0, 1]))
    assert found["accuracy"] == pytest.approx(0.91)
    assert found["f1"] == pytest.approx(0.9524, abs=5e-5)
    assert found["matthews_corrcoef"] == pytest.approx(0.14, abs=0.005)
    found = classified(**counted([[0, 5], [0, 95]], [0, 1]))
    assert found["f1"] == pytest.approx(0.9744, abs=5e-5)
    assert found["matthews_corrcoef"] is None


def test_nist_wampler_4_and_5():
    """NIST StRD, Wampler4 and Wampler5: the certified fit is 1 + x + ... + x^5; noise in 5 is a hundred times that."""
    y = """75901 -204794 204863 -204436 253665 -200894 214131 -185192 221249 -138370 315911 -27644 455253 197434 783995
    608816 1370781 1303798 2205519 2408860 3444321"""
    four = np.array(y.split(), dtype=float)
    fit = sum(np.arange(21.0) ** j for j in range(6))
    for labels, r2, deviation in (
        (four, 0.957478440825662, 236014.502379268),
        (fit + 100 * (four - fit), 0.224668921574940e-2, 23601450.2379268),
    ):
        found = regressed(labels=labels, predictions=fit)
        assert found["r2"] == pytest.approx(r2, abs=1e-14)
        assert found["root_mean_squared_error"] == pytest.approx(deviation * math.sqrt(15 / 21), rel=1e-13)


def test_nist_numerical_accuracy_4():
    """NIST StRD, NumAcc4: 1,001 values, mean 10000000.2 and standard deviation 0.1; the mean predicts nothing."""
    y = np.r_[10000000.2, np.tile([10000000.1, 10000000.3], 500)]
    found = regressed(labels=y, predictions=np.full(1001, 10000000.2))
    assert found["root_mean_squared_error"] == pytest.approx(0.1 * math.sqrt(1000 / 1001), rel=1e-7)
    assert found["r2"] == pytest.approx(0, abs=1e-7)
    assert found["mean_bias_error"] == pytest.approx(0, abs=1e-9)


def test_jackknife_of_the_law_schools():
    """Efron & Tibshirani 1993, Table 3.1 and R package bootstrap: correlation 0.776, jackknife error 0.1425."""
    lsat = np.array([576, 635, 558, 578, 666, 580, 555, 661, 651, 605, 653, 575, 545, 572, 594])
    gpa = np.array([3.39, 3.30, 2.81, 3.03, 3.44, 3.07, 3.00, 3.43, 3.36, 3.13, 3.12, 2.74, 2.76, 2.88, 2.96])
    left = [np.corrcoef(np.delete(lsat, i), np.delete(gpa, i))[0, 1] for i in range(15)]
    estimate = np.corrcoef(lsat, gpa)[0, 1]
    found = jackknife(estimate, np.array(left), 0.95)
    assert found is not None
    assert found.statistic is not None
    assert estimate == pytest.approx(0.776, abs=5e-4)
    assert estimate / found.statistic == pytest.approx(0.1425, abs=5e-5)
    assert found.df == 14


def test_bca_of_the_spatial_data():
    """Efron & Tibshirani 1993, Table 14.2: the variance of test A has the 90 % BCa interval 115.8 to 259.6.

    Theirs is of 2,000 resamples, so that its ends are known to a few units.
    """
    a = [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41]
    x = np.array(a, dtype=float)

    def variance(weights):
        mean = weights @ x / weights.sum(axis=1)
        return weights @ x**2 / weights.sum(axis=1) - mean**2

    plan = Plan(26, 20_000, 0)
    drawn, left = (np.vstack(list(w)).astype(float) for w in (plan.draws(), plan.leave_one_out()))
    ends = bca(float(x.var()), variance(drawn), variance(left), 0.90)
    assert ends == (pytest.approx(115.8, abs=3), pytest.approx(259.6, abs=4))


def test_paired_t_of_student_is_the_uncorrected_one():
    """Student's sleep data, R's help of t.test: t = -4.0621, df 9, p 0.002833, interval -2.4598858 to -0.7001142."""
    one = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    two = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    found = corrected_t(one - two, 0, 0.95)
    assert found.statistic == pytest.approx(-4.0621, abs=5e-5)
    assert found.p_value == pytest.approx(0.002833, abs=5e-7)
    assert (found.low, found.high) == (pytest.approx(-2.4598858, abs=5e-8), pytest.approx(-0.7001142, abs=5e-8))
    corrected = corrected_t(one - two, 1 / 9, 0.95)
    assert corrected.statistic == pytest.approx(found.statistic / math.sqrt(1 + 10 / 9))


def test_signed_ranks_of_hollander_and_wolfe():
    """Depression data (1973, p. 29; R's help of wilcox.test): V = 40, two-sided p 0.03906, .46 from .010 to .786."""
    x = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    y = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    found = signed_rank(x - y, 0.96)
    assert (found.plus, found.minus, found.exact) == (40, 5, True)
    assert found.p_value == pytest.approx(0.03906, abs=5e-6)
    assert (found.difference, found.low, found.high) == pytest.approx((0.46, 0.010, 0.786))


def test_signed_ranks_of_darwins_maize():
    """Cross- and self-fertilised Zea mays (1876), eighths of an inch: T = 24, exact p 0.0413 (R: V = 96, 0.04126)."""
    found = signed_rank(np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48.0]), 0.95)
    assert (found.plus, found.minus) == (96, 24)
    assert found.p_value == pytest.approx(0.04126, abs=5e-6)
