"""Tests for two models on the same rows that need no resampling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evalharness.schemas import Booleans, Floats

EXACT_BELOW = 25


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


@dataclass(frozen=True)
class Shares:
    """An interval for the difference of two shares on the same rows, and the p-value of no difference."""

    low: float
    high: float
    p_value: float


def score(only_first: int, only_second: int, n: int, level: float) -> Shares:
    """Compare how often two models are right, by the score test and the interval that inverts it.

    The interval holds every difference that the test does not reject at ``1 - level``, so that it leaves 0 out
    exactly where the p-value, McNemar's without correction, is below that (Tango 1998, Stat. Med. 17(8)).

    Parameters
    ----------
    only_first, only_second : int
        Rows, of `n`, that only the one or only the other gets right.
    n : int
    level : float
        Nominal coverage, for example 0.95.
    """
    from statistics import NormalDist

    from scipy.special import chdtrc

    b, c = only_first, only_second
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2

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
    p_value = float(chdtrc(1, (b - c) ** 2 / (b + c))) if b + c else 1.0
    return Shares(ends[0], ends[1], p_value)


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
