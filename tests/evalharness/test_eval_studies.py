"""Models over folds and over data sets: published values, laws, and input that is refused."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalharness import InputError, compare_data_sets, compare_folds
from evalharness.paired import signed_rank
from evalharness.studies import holm

modest = settings(max_examples=40, deadline=None, derandomize=True)
scores = st.lists(st.integers(-20, 20).map(lambda v: v / 16), min_size=3, max_size=60)

# Demsar 2006, JMLR 7, Table 6: areas of C4.5 with and without tuned m and cf on 14 data sets; where two of the
# printed values agree but their ranks do not (voting), the last figure is moved by less than is printed.
DEMSAR = pd.DataFrame(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.975, 0.9749], [0.957, 0.978, 0.946, 0.970],
    ],
    columns=["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"],
)  # fmt: skip

HOLED = pd.DataFrame({"a": [1, None], "b": [1, 2]}, index=["iris", "wine"])


def test_friedman_of_demsar():
    """Section 3.2.2: average ranks 3.143, 2.000, 2.893, 1.964; without correction for ties 9.28 and F 3.69."""
    found = compare_data_sets(DEMSAR)
    assert list(found.average_ranks.values()) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    plain = found.friedman.chi_squared * found.friedman.tie_correction
    assert plain == pytest.approx(9.28, abs=5e-3)
    assert 13 * plain / (14 * 3 - plain) == pytest.approx(3.69, abs=5e-3)
    assert (found.friedman.df, found.friedman.df_within) == (3, 39)
    assert found.friedman.p_value < 0.05


def test_signed_ranks_of_demsar():
    """Section 3.1.3: C4.5 against C4.5+m has the sums 12 and 93, two zeros split between them."""
    found = signed_rank(np.round((DEMSAR["C4.5+m"] - DEMSAR["C4.5"]).to_numpy(), 3), 0.95)
    assert (found.plus, found.minus, found.zeros) == (93, 12, 2)
    pair = compare_data_sets(DEMSAR[["C4.5+m", "C4.5"]]).pairs[0]
    assert (pair.wins, pair.ties, pair.losses) == (10, 2, 2)
    assert pair.p_value == found.p_value < 0.05


def test_holm_of_demsar():
    """Section 3.2.2: of p .016, .019 and .607 Holm's procedure rejects the first two at 5 %."""
    assert holm([0.016, 0.019, 0.607]) == pytest.approx([0.048, 0.048, 0.607])
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_friedman_of_hollander_and_wolfe():
    """Rounding first base (1973, p. 140; R's help of friedman.test): 11.143 with 2 degrees of freedom."""
    times = """5.40 5.50 5.55 5.85 5.70 5.75 5.20 5.60 5.50 5.55 5.50 5.40 5.90 5.85 5.70 5.45 5.55 5.60 5.40 5.40 5.35
    5.45 5.50 5.35 5.25 5.15 5.00 5.85 5.80 5.70 5.25 5.20 5.10 5.65 5.55 5.45 5.60 5.35 5.45 5.05 5.00 4.95
    5.50 5.50 5.40 5.45 5.55 5.50 5.55 5.55 5.35 5.45 5.50 5.55 5.50 5.45 5.25 5.65 5.60 5.40 5.70 5.65 5.55
    6.30 6.30 6.25"""
    found = compare_data_sets(np.array(times.split(), dtype=float).reshape(-1, 3), greater_is_better=False).friedman
    assert found.chi_squared == pytest.approx(11.143, abs=5e-4)
    assert math.exp(-found.chi_squared / 2) == pytest.approx(0.003805, abs=5e-7)  # chi-squared with 2 degrees


def test_only_pairs_that_differ_are_called():
    """Of Demsar's six pairs one survives Holm; against one baseline only three are tested."""
    found = compare_data_sets(DEMSAR)
    assert found.evidence("C4.5+m", "C4.5") == "better"
    assert found.evidence("C4.5", "C4.5+m") == "worse"
    assert found.evidence("C4.5+cf", "C4.5") == "no evidence of a difference"
    less = compare_data_sets(1 - DEMSAR, greater_is_better=False, baseline="C4.5")
    assert [p.against for p in less.pairs] == ["C4.5"] * 3
    assert less.evidence("C4.5+m+cf", "C4.5") == "better"
    assert list(less.table["p_value"]) == [p.p_value for p in less.pairs]
    with pytest.raises(InputError, match=r"'C4\.5\+cf' was not compared with 'C4\.5\+m'; leave"):
        less.evidence("C4.5+cf", "C4.5+m")


def test_too_few_data_sets_are_told():
    """Five data sets can never reach p 0.05, and the comparison says so."""
    found = compare_data_sets({"a": [0.9, 0.8, 0.95, 0.7, 0.9], "b": [0.5, 0.4, 0.3, 0.2, 0.1]})
    assert found.pairs[0].p_value == 2 / 32
    assert found.evidence("a", "b") == "no evidence of a difference"
    assert found.notes[0].startswith("With 5 data sets and 1 pair the smallest adjusted p-value is 0.0625")
    assert "too few" in found.pairs[0].reason


def test_one_order_everywhere_has_the_exact_chance():
    """Three models ranked alike on four data sets: (1 / 3!)^3."""
    found = compare_data_sets([[1, 2, 3]] * 4).friedman
    assert (found.f, found.p_value) == (None, pytest.approx(1 / 216))
    assert compare_data_sets([[1, 1, 1]] * 4).friedman.p_value == 1


@modest
@given(scores)
def test_signed_ranks_obey_their_laws(values):
    """Turning signs mirrors everything, order and unit do not matter, and the interval agrees with the p-value."""
    d = np.array(values)
    found, turned, other = (signed_rank(x, 0.95) for x in (d, -d, 8 * d[::-1]))
    assert found.p_value == turned.p_value == other.p_value
    assert (found.plus, found.minus, -found.difference) == (turned.minus, turned.plus, turned.difference)
    assert found.plus + found.minus == found.n * (found.n + 1) / 2
    if found.low is not None:
        assert found.low <= found.difference <= found.high
        assert (turned.low, turned.high) == (-found.high, -found.low)
        if found.low > 0 or found.high < 0:
            assert found.p_value <= 0.05
        elif found.low < 0 < found.high:
            assert found.p_value > 0.05


@modest
@given(st.lists(st.integers(-8, 8), min_size=1, max_size=9).filter(lambda v: sum(x == 0 for x in v) % 2 == 0))
def test_exact_signed_ranks_count_all_signs(values):
    """The p-value is twice the share of all assignments of signs that are as far out, here counted one by one."""
    d = np.array(values, dtype=float)
    found = signed_rank(d, 0.95)
    size = np.abs(d)
    ranks = np.array([(size < s).sum() + ((size == s).sum() + 1) / 2 for s in size])
    nonzero = ranks[d != 0]
    signs = (np.arange(2 ** len(nonzero))[:, None] >> np.arange(len(nonzero))) & 1
    sums = signs @ nonzero + ranks[d == 0].sum() / 2
    assert found.p_value == pytest.approx(min(1, 2 * np.mean(sums <= min(found.plus, found.minus))))


def test_normal_signed_ranks_join_the_exact_ones():
    """At 51 differences the normal p-value is within 2 % of what the exact one of 50 is nearby."""
    d = np.random.default_rng(3).normal(0.35, 1, 51)
    assert not signed_rank(d, 0.95).exact
    near = [signed_rank(np.delete(d, i), 0.95).p_value for i in range(51)]
    assert min(near) < signed_rank(d, 0.95).p_value < max(near)


def test_corrected_t_over_folds():
    """Two rounds of five folds: differences of mean 0.02 and variance 0.0002 / 9, ratio 1/4, by hand."""
    d = np.array([0.015, 0.025] * 5)
    base = np.linspace(0.7, 0.9, 10)
    found = compare_folds((base + d).reshape(2, 5), base.reshape(2, 5))
    variance = 10 * 0.005**2 / 9
    assert found.statistic == pytest.approx(0.02 / math.sqrt((1 / 10 + 1 / 4) * variance))
    assert (found.n, found.df, found.test_to_train) == (10, 9, 0.25)
    assert found.evidence == "better"
    assert found.low < 0.02 < found.high
    same = compare_folds(base + d, base, n_train=400, n_test=100, greater_is_better=False)
    assert (same.p_value, same.evidence) == (pytest.approx(found.p_value), "worse")
    assert compare_folds(base + d, base, folds=5, greater_is_better=None).evidence == "different"


@modest
@given(scores.filter(lambda v: len(v) % 2 == 0), st.floats(0.6, 0.99))
def test_folds_turned_round_change_signs_only(values, level):
    """The p-value stays, the interval is mirrored, and it leaves 0 out exactly where p is below the level."""
    d, zero = np.array(values), np.zeros(len(values))
    a, b = (compare_folds(*x, folds=2, confidence_level=level) for x in ((d, zero), (zero, d)))
    assert a.p_value == b.p_value
    if a.low is not None:
        assert (a.low, a.high) == (-b.high, -b.low)
        if a.statistic is not None and abs(a.p_value - (1 - level)) > 1e-9:
            assert (a.p_value < 1 - level) == (a.low > 0 or a.high < 0)


def test_folds_without_spread():
    """Equal scores are no evidence; one difference everywhere cannot be judged, and says why."""
    assert compare_folds([0.5, 0.6], [0.5, 0.6], folds=2).p_value == 1
    found = compare_folds([0.5, 0.75], [0.25, 0.5], folds=2)
    assert (found.p_value, found.low, found.evidence) == (None, None, "no evidence of a difference")
    assert found.reason == "all folds give the same difference, so they cannot show its error"


def test_corrected_t_keeps_its_level_where_the_plain_one_does_not():
    """Folds of one correlation 1/k: 5 % of null pairs are called (standard error 1), 20 % without correction."""
    rng = np.random.default_rng(0)
    k, called, plain = 10, 0, 0
    for _ in range(500):
        d = math.sqrt(1 / k) * rng.normal() + math.sqrt(1 - 1 / k) * rng.normal(size=k)
        called += compare_folds(d, np.zeros(k), folds=k).p_value <= 0.05
        plain += compare_folds(d, np.zeros(k), n_train=10**9, n_test=1).p_value <= 0.05
    assert 0.02 <= called / 500 <= 0.08
    assert plain / 500 > 0.1


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: compare_folds([1, 2], [1, 2, 3], folds=2), r"first has shape \(2,\) and second \(3,\); give both"),
        (lambda: compare_folds([1], [2], folds=2), "first has 1 score; give those of at least two folds"),
        (lambda: compare_folds([1, 2], [1, math.nan], folds=2), "1 missing or infinite score, the first in row 1"),
        (lambda: compare_folds([[1, 2]], [[1, None]]), "1 missing or infinite score, the first in row 0 column 1"),
        (lambda: compare_folds([1, 2], [1, 3]), "nothing says how large the test sets were; give folds"),
        (lambda: compare_folds([1, 2], [1, 3], n_train=3), "n_train and n_test go together"),
        (lambda: compare_folds([1, 2], [1, 3], n_train=3, n_test=1, folds=2), "were both given"),
        (lambda: compare_folds([1, 2], [1, 3], n_train=0, n_test=1), "n_train is 0; give a whole number, at least 1"),
        (lambda: compare_folds([1, 2, 3], [1, 3, 2], folds=2), r"first has shape \(3,\), not whole rounds of 2 folds"),
        (lambda: compare_folds([1, 2], [1, 3], folds=1), "folds is 1; give a whole number, at least 2"),
        (lambda: compare_folds(["a", "b"], [1, 2], folds=2), "first is not a table of numbers"),
        (lambda: compare_folds([[1, 2], [3]], [1, 2], folds=2), "first is not a table of numbers"),
        (lambda: compare_folds([1, 2], [1, 3], folds=2, confidence_level=95), "confidence_level is 95; give a number"),
        (lambda: compare_folds([1, 2], [1, 3], folds=2, greater_is_better="yes"), "greater_is_better is 'yes'"),
        (lambda: compare_data_sets([1, 2, 3]), "scores has 1 dimensions; give a table of data sets by models"),
        (lambda: compare_data_sets([[1], [2]]), "scores has 1 model; give at least two columns"),
        (lambda: compare_data_sets([[1, 2]]), "scores has 1 data set; give at least two rows"),
        (lambda: compare_data_sets([[1, 2], [3, math.inf]]), "the first of 'model 2' in row 1"),
        (lambda: compare_data_sets(HOLED), "the first of 'a' in row 'wine'"),
        (lambda: compare_data_sets([[1, 2], [3, 4]], ["a"]), "models has 1 names for 2 columns"),
        (lambda: compare_data_sets([[1, 2], [3, 4]], ["a", "a"]), "models has the name 'a' more than once"),
        (lambda: compare_data_sets(DEMSAR, baseline="C4.6"), "baseline 'C4.6' is not among the models; did you"),
        (lambda: compare_data_sets([[1, 2], [3, 4]], greater_is_better=None), "greater_is_better is None; give True"),
        (lambda: compare_data_sets([[True, False], [True, True]]), "scores is not a table of numbers"),
        (lambda: compare_data_sets([[1, 2], [3, 4]]).evidence("model 3", "model 1"), "there is no model 'model 3'"),
    ],
)  # fmt: skip
def test_wrong_input_is_refused_in_one_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
