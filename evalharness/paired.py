"""Tests for two models on the same rows, folds or data sets: closed forms, counts and the jackknife."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evalharness.schemas import Booleans, Floats

EXACT_BELOW = 25
"""With fewer discordant rows McNemar's test is exact."""

ENUMERATED = 50
"""Up to this many differences the signed-rank test goes through all assignments of signs."""

ALIKE = 1e-9
"""Differences this small, as a share of their spread, are what rounding leaves of 0."""


# Two shares ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shares:
    """An interval for the difference of two shares on the same rows, and the p-value of no difference."""

    low: float
    high: float
    p_value: float
    exact: bool = False


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the p-value that two models are right equally often, from the rows that only one gets right.

    Exact (binomial, two-sided) below 25 discordant rows, otherwise ``(b - c)**2 / (b + c)`` as chi-squared
    with one degree of freedom (McNemar 1947, Psychometrika 12(2); Fagerland et al. 2013, BMC Med. Res.
    Methodol. 13:91).
    """
    from scipy.special import bdtr, chdtrc

    total = only_first + only_second
    if total == 0:
        return 1.0
    if total < EXACT_BELOW:
        return float(min(1.0, 2 * bdtr(min(only_first, only_second), total, 0.5)))
    return float(chdtrc(1, (only_first - only_second) ** 2 / total))


def shares(only_first: int, only_second: int, n: int, level: float) -> Shares:
    """Compare how often two models are right: McNemar's test, and the interval that goes with it.

    Below 25 discordant rows both are exact (`melded`), otherwise both are of the score test (`score`), and the
    p-value is that of `mcnemar`; the interval leaves 0 out exactly where it is at most ``1 - level``.

    Parameters
    ----------
    only_first, only_second : int
        Rows, of `n`, that only the one or only the other gets right.
    n : int
    level : float
        Nominal coverage, for example 0.95.
    """
    if only_first + only_second < EXACT_BELOW:
        return melded(only_first, only_second, n, level)
    return score(only_first, only_second, n, level)


def melded(only_first: int, only_second: int, n: int, level: float) -> Shares:
    """Compare two shares by McNemar's exact test and the exact interval that is compatible with it.

    The difference is ``t (2 b - 1)``, t the share of discordant rows and b the part of them that is the
    first model's; the beta distributions behind the Clopper-Pearson intervals of t and b are combined so that
    each end errs on the safe side (Fay & Lumbard 2021, Stat. Med. 40(5)).
    """
    from scipy.special import bdtr

    low, high = _melded_low(only_first, only_second, n, level), -_melded_low(only_second, only_first, n, level)
    p_value = min(1.0, 2 * float(bdtr(min(only_first, only_second), only_first + only_second, 0.5)))
    return Shares(low, high, p_value, exact=True)


def _melded_low(x: int, other: int, n: int, level: float) -> float:
    from scipy.special import bdtrc, betainc, betaincinv, betaln

    m, tail = x + other, (1 - level) / 2
    if x == 0:  # the part is 0, so that the share of discordant rows is all there is
        return -1.0 if m == n else -float(betaincinv(m + 1, n - m, level + tail))
    positive = bdtrc(x - 1, m, 0.5) <= tail
    a, b = (m, n - m + 1) if positive else (m + 1, n - m)
    nodes, weights = np.polynomial.legendre.leggauss(200)

    def below(delta: float) -> float:
        """Return the probability that the difference is at most `delta`."""
        size = abs(delta)
        if b == 0:
            return float(betainc(x, other + 1, (1 + delta) / 2))
        if size == 0:
            return float(betainc(x, other + 1, 0.5))
        start = max(float(betaincinv(a, b, 1e-15)), size)
        width = 1 - start if b < 2 else float(betaincinv(a, b, 1 - 1e-15)) - start
        apart = float(betainc(a, b, size)) if delta > 0 else 0.0
        if width <= 0:
            return apart
        t = start + width * (nodes + 1) / 2
        density = np.exp((a - 1) * np.log(t) + (b - 1) * np.log1p(-t) - betaln(a, b))
        return apart + width / 2 * float(weights @ (density * betainc(x, other + 1, 0.5 + delta / (2 * t))))

    low, high = (0.0, 1.0) if positive else (-1.0, 0.0)
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) <= tail else (low, middle)
    return high if positive else low


def score(only_first: int, only_second: int, n: int, level: float) -> Shares:
    """Compare two shares by McNemar's chi-squared and the interval of all differences its score test lets stand.

    The interval leaves 0 out exactly where the test rejects (Tango 1998, Stat. Med. 17(8)).
    """
    from scipy.special import chdtrc, ndtri

    b, c = only_first, only_second
    z2 = float(ndtri((1 + level) / 2)) ** 2

    def rejected(delta: float) -> bool:
        """Judge a difference by the share of `only_second` rows that is likeliest with it."""
        linear = (2 * n - b + c) * delta - b - c
        likeliest = (np.sqrt(linear**2 + 8 * n * c * delta * (1 - delta)) - linear) / (4 * n)
        variance = n * (2 * likeliest + delta * (1 - delta))
        return bool((b - c - n * delta) ** 2 > z2 * variance)

    ends = []
    for end in (-1.0, 1.0):
        inner, outer = (b - c) / n, end
        for _ in range(60):
            middle = (inner + outer) / 2
            inner, outer = (inner, middle) if rejected(middle) else (middle, outer)
        ends.append(inner)
    return Shares(ends[0], ends[1], float(chdtrc(1, (b - c) ** 2 / (b + c))) if b + c else 1.0)


# Two areas ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Difference:
    """A difference of two AUCs, its standard error and two-sided p-value."""

    first: float
    second: float
    standard_error: float
    p_value: float


def delong(positive: Booleans, first: Floats, second: Floats) -> Difference | None:
    """Compare two areas under the ROC curve on the same rows.

    DeLong, DeLong & Clarke-Pearson 1988, Biometrics 44(3): the covariance of two AUCs from the placements of
    positives among negatives and of negatives among positives, computed from midranks (Sun & Xu 2014, IEEE
    Signal Process. Lett. 21(11)).

    Parameters
    ----------
    positive : ndarray of shape (n,), bool
    first, second : ndarray of shape (n,)
        Scores of the two models.

    Returns
    -------
    Difference or None
        None with fewer than two positives or negatives, or where the two rank all rows alike.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        return None
    areas, up, down = [], [], []
    for score in (first, second):
        x, y = score[positive], score[~positive]
        sorted_x, sorted_y = np.sort(x), np.sort(y)
        placed_x = (np.searchsorted(sorted_y, x, "left") + np.searchsorted(sorted_y, x, "right")) / (2 * n)
        placed_y = 1 - (np.searchsorted(sorted_x, y, "left") + np.searchsorted(sorted_x, y, "right")) / (2 * m)
        areas.append(float(placed_x.mean()))
        up.append(placed_x)
        down.append(placed_y)
    variance = float(np.var(up[0] - up[1], ddof=1)) / m + float(np.var(down[0] - down[1], ddof=1)) / n
    if variance <= 1e-24:
        return None
    from scipy.special import ndtr

    error = float(np.sqrt(variance))
    return Difference(areas[0], areas[1], error, float(2 * ndtr(-abs(areas[0] - areas[1]) / error)))


# Any metric ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mean:
    """A mean difference, its interval, t statistic and p-value; without spread there are none of these."""

    difference: float
    low: float | None
    high: float | None
    statistic: float | None
    df: int
    p_value: float | None


def _student(difference: float, error: float, df: int, level: float) -> Mean:
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(df, (1 + level) / 2)) * error
    p_value = float(2 * stdtr(df, -abs(difference) / error))
    return Mean(difference, difference - half, difference + half, difference / error, df, p_value)


def jackknife(difference: float, left_out: Floats, level: float) -> Mean | None:
    """Judge a difference of two estimates by the spread of its values with each row, or group, left out.

    ``se**2 = (g - 1) / g * sum (d_(i) - mean d_())**2`` and Student's t with g - 1 degrees of freedom (Tukey
    1958, Ann. Math. Stat. 29; for groups MacKinnon, Nielsen & Webb 2023, J. Appl. Econometrics 38(5)). The
    difference of two models is far more symmetric than either estimate: with 50 rows this calls 2 to 7 % of
    null pairs different at the 5 % level, where BCa intervals call up to 15 %. Not for medians, which
    leaving out one row hardly moves.

    Returns
    -------
    Mean or None
        None where more than 5 % of the values are undefined, or all are the same.
    """
    defined = left_out[~np.isnan(left_out)]
    g = len(defined)
    if g < 3 or g < 0.95 * len(left_out):
        return None
    pull = defined - defined.mean()
    largest = float(np.abs(pull).max()) or 1.0  # so that no square is beyond the range of numbers
    error = largest * float(np.sqrt((g - 1) / g * np.sum((pull / largest) ** 2)))
    return None if error <= 1e-12 * abs(difference) or error == 0 else _student(difference, error, g - 1, level)


def percentile_p(values: Floats) -> float:
    """Return one minus the level at which the percentile interval of resampled differences just touches 0.

    Never below ``2 / (n_resamples + 1)``, which it is where no resample reaches 0 (Davison & Hinkley 1997,
    section 4.2.3).
    """

    def share(ordered: Floats) -> float:
        """Return the largest share whose quantile, by linear interpolation, is not above 0."""
        below = int(np.searchsorted(ordered, 0.0, "right"))
        if below in (0, m):
            return float(below == m)
        last, following = ordered[below - 1], ordered[below]
        return float((below - 1 - last / (following - last)) / (m - 1))

    m = len(values)
    ordered = np.sort(np.where(np.abs(values) <= ALIKE * np.ptp(values), 0.0, values))
    return min(1.0, max(2 * min(share(ordered), share(-ordered[::-1])), 2 / (m + 1)))


# Differences by fold or data set ------------------------------------------------------------------


def corrected_t(differences: Floats, test_to_train: float, level: float) -> Mean:
    """Compare two models over the folds of (repeated) cross-validation, or over repeated random splits.

    ``t = mean(d) / sqrt((1/J + n_test/n_train) var(d))`` with J - 1 degrees of freedom. The ratio stands for
    the rows that training sets share; without it the test calls far too many differences real (Nadeau &
    Bengio 2003, Machine Learning 52(3); Bouckaert & Frank 2004, PAKDD, for repeated folds).

    Parameters
    ----------
    differences : ndarray of shape (J,)
        Score of the first model minus that of the second on each fold, J at least 2.
    test_to_train : float
        Rows tested over rows trained on: ``1 / (k - 1)`` for k folds.
    level : float
        Nominal coverage, for example 0.95.
    """
    j = len(differences)
    mean = float(differences.mean())
    error = float(np.sqrt((1 / j + test_to_train) * np.var(differences, ddof=1)))
    if error <= 1e-12 * float(np.abs(differences).max()):  # no spread: nothing to judge a difference by
        return Mean(0.0, 0.0, 0.0, None, j - 1, 1.0) if mean == 0 else Mean(mean, None, None, None, j - 1, None)
    return _student(mean, error, j - 1, level)


@dataclass(frozen=True)
class Signed:
    """What the signed-rank test found.

    Attributes
    ----------
    difference, low, high : float or None
        Hodges-Lehmann estimate (median of all means of two differences) and its interval; the ends are None
        where so few differences cannot give one of that level.
    plus, minus : float
        Sums of the ranks of positive and negative differences, those of zeros split evenly.
    n, zeros : int
        Differences that were ranked, and how many of them are 0.
    p_value : float
    exact : bool
        Whether all assignments of signs were counted, or a normal distribution stands for them.
    """

    difference: float
    low: float | None
    high: float | None
    plus: float
    minus: float
    n: int
    zeros: int
    p_value: float
    exact: bool


def signed_rank(differences: Floats, level: float) -> Signed:
    """Test of Wilcoxon (1945, Biometrics Bulletin 1(6)) that differences lie as often and far above 0 as below.

    Zeros are ranked and their ranks split evenly between both sums, one being left out where their number is
    odd (Demsar 2006, JMLR 7, section 3.1.3); equal sizes share their mean rank. Up to 50 differences the
    p-value is exact, counting all signs of the ranks as they are, ties included; above, normal with the
    variance of these ranks and a continuity correction of one half. The interval is made of the means of two
    differences (Hodges & Lehmann 1963, Ann. Math. Stat. 34(2)) that the same distribution leaves.
    """
    from scipy.special import ndtr, ndtri

    d = np.asarray(differences, dtype=np.float64)
    if int(np.sum(d == 0)) % 2:
        d = np.delete(d, int(np.flatnonzero(d == 0)[0]))
    n, zeros = len(d), int(np.sum(d == 0))
    if n == zeros:
        return Signed(0.0, None, None, n * (n + 1) / 4, n * (n + 1) / 4, n, zeros, 1.0, exact=True)
    ranks = mean_ranks(np.abs(d))
    halved = float(ranks[d == 0].sum()) / 2
    plus, minus = float(ranks[d > 0].sum()) + halved, float(ranks[d < 0].sum()) + halved
    signed, smaller = ranks[d != 0], min(plus, minus)
    tail = (1 - level) / 2
    if n <= ENUMERATED:
        ways = np.ones(1)  # ways[s]: how many assignments of signs give twice the sum s; all are below 2**51
        for twice in np.rint(2 * signed).astype(int):
            ways = np.r_[ways, np.zeros(twice)] + np.r_[np.zeros(twice), ways]
        reached = np.cumsum(ways) / 2.0 ** len(signed)
        p_value = min(1.0, 2 * float(reached[round(2 * (smaller - halved))]))
        found = np.flatnonzero(reached <= tail)
        critical = halved + found[-1] / 2 if len(found) else -1.0
    else:
        middle, spread = n * (n + 1) / 4, float(np.sqrt(np.sum(signed**2))) / 2
        p_value = min(1.0, 2 * float(ndtr((smaller + 0.5 - middle) / spread)))
        critical = middle - 0.5 + float(ndtri(tail)) * spread
    one, other = np.triu_indices(n)
    means = np.sort((d[one] + d[other]) / 2)
    place = int(np.floor(critical))
    low, high = (None, None) if critical < 0 else (float(means[place]), float(means[-1 - place]))
    return Signed(float(np.median(means)), low, high, plus, minus, n, zeros, p_value, n <= ENUMERATED)


def mean_ranks(values: Floats) -> Floats:
    """Return ranks from 1 for the smallest; equal values share the mean of theirs."""
    _, slot, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[slot])
