"""What a number is worth that is reported only because it stood out: estimates and intervals after selection.

A mean that was tested and kept only where it lay far enough from the rest is drawn from its own distribution
cut down to the part that passes. Judged by that cut distribution, its estimate is pulled back towards the rest
the more, the nearer it is to the point where it would not have been reported (Zhong & Prentice 2008,
Biostatistics 9(4); Fithian, Sun & Taylor 2014, arXiv:1410.2597).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalharness.schemas import Booleans, Floats

STEPS = 50


class Pieces(NamedTuple):
    """Where a mean had to lie to be reported: at most ``upper``, or at least ``lower``; or between two bounds."""

    low: Floats
    low_end: Floats
    high: Floats
    high_end: Floats


class Corrected(NamedTuple):
    """Median-unbiased estimates with intervals."""

    estimate: Floats
    low: Floats
    high: Floats


def passing(mean: Floats, rests: Floats, p_values: Floats, cut: Floats) -> Pieces:
    """Return the values that a mean could have had and still pass all its tests.

    Parameters
    ----------
    mean : ndarray of shape (r,)
    rests : ndarray of shape (r, t)
        What each test compares the mean with; NaN where there is no such test.
    p_values : ndarray of shape (r, t)
    cut : ndarray of shape (r,)
        The largest p-value that would have been accepted for each.

    Notes
    -----
    The distance at which a test would just have passed is taken as the observed one times the ratio of the
    normal quantiles of `cut` and of the p-value.
    """
    from scipy.special import ndtri

    tested = ~np.isnan(rests)
    apart = np.where(tested, mean[:, None] - rests, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ndtri(cut / 2)[:, None] / ndtri(np.where(tested, p_values, 1.0) / 2)
    need = np.where(tested, np.abs(apart) * np.clip(np.nan_to_num(share, nan=1.0), 0.0, 1.0), 0.0)
    lower = np.where(tested, rests - need, np.inf).min(axis=1)
    upper = np.where(tested, rests + need, -np.inf).max(axis=1)
    minus, plus = np.full(len(mean), -np.inf), np.full(len(mean), np.inf)
    between = (mean > lower) & (mean < upper)  # above one of the others and below another one
    floor = np.where(tested & (apart >= 0), rests + need, -np.inf).max(axis=1)
    roof = np.where(tested & (apart < 0), rests - need, np.inf).min(axis=1)
    return Pieces(
        np.where(between, floor, minus),
        np.where(between, roof, lower),
        np.where(between, np.inf, upper),
        plus,
    )


def of_means(mean: Floats, error: Floats, pieces: Pieces, level: float) -> Corrected:
    """Correct means that are about normal with known standard errors, of shape (r,)."""
    from scipy.special import ndtr

    def mass(low: Floats, high: Floats, centre: Floats) -> Floats:
        a, b = (low - centre) / error, (high - centre) / error
        flip = a > 0
        a, b = np.where(flip, -b, a), np.where(flip, -a, b)
        return np.asarray(np.maximum(ndtr(b) - ndtr(a), 0.0))

    def beyond(centre: Floats) -> Floats:
        whole = mass(pieces.low, pieces.low_end, centre) + mass(pieces.high, pieces.high_end, centre)
        upper = mass(np.clip(mean, pieces.low, pieces.low_end), pieces.low_end, centre)
        upper = np.where(mean > pieces.low_end, 0.0, upper)
        upper = upper + mass(np.maximum(mean, pieces.high), pieces.high_end, centre)
        return _ratio(upper, whole, centre > mean)

    return _solved(beyond, mean - 12 * error, mean + 12 * error, level)


def of_counts(count: Floats, trials: Floats, pieces: Pieces, level: float) -> Corrected:
    """Correct shares of counts that are binomial, of shape (r,); a tail counts half of what was seen (mid-p)."""
    from scipy.special import bdtr, bdtrc

    slack, n = 1e-9, trials.astype(np.int64)
    low = np.maximum(np.ceil(pieces.low * trials - slack), 0.0)
    low_end = np.minimum(np.floor(pieces.low_end * trials + slack), trials)
    high = np.maximum(np.ceil(np.minimum(pieces.high, 2.0) * trials - slack), low_end + 1)

    def mass(first: Floats, last: Floats, share: Floats) -> Floats:
        """Probability of first ... last."""
        first, last = np.clip(first, 0, trials + 1), np.clip(last, -1, trials)
        upper = first > share * trials
        below = np.where(last >= 0, bdtr(np.maximum(last, 0), n, share), 0.0)
        below -= np.where(first >= 1, bdtr(np.maximum(first - 1, 0), n, share), 0.0)
        above = np.where(first >= 1, bdtrc(np.clip(first - 1, 0, trials), n, share), 1.0)
        above -= np.where(last >= 0, bdtrc(np.clip(last, 0, trials), n, share), 1.0)
        return np.asarray(np.where(first > last, 0.0, np.maximum(np.where(upper, above, below), 0.0)))

    def beyond(share: Floats) -> Floats:
        whole = mass(low, low_end, share) + mass(high, trials, share)
        more = mass(np.maximum(low, count + 1), low_end, share) + mass(np.maximum(high, count + 1), trials, share)
        return _ratio(more + mass(count, count, share) / 2, whole, share > count / trials)

    tiny = np.full(len(count), 1e-12)
    found = _solved(beyond, tiny, 1 - tiny, level)
    none, all_ = count == 0, count == trials
    return Corrected(
        np.where(none & (found.estimate < 1e-9), 0.0, found.estimate),
        np.where(none, 0.0, found.low),
        np.where(all_, 1.0, found.high),
    )


def _ratio(part: Floats, whole: Floats, right: Booleans) -> Floats:
    """Share of the upper tail; where nothing of the cut distribution is left in float64, the nearer end."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole > 1e-290, part / whole, right))


def _solved(beyond: Callable[[Floats], Floats], low: Floats, high: Floats, level: float) -> Corrected:
    """Find the centres under which what was seen has the upper tail 1/2, and the two of the interval."""
    ends = []
    for share in (0.5, (1 - level) / 2, (1 + level) / 2):
        a, b = low.copy(), high.copy()
        for _ in range(STEPS):
            middle = (a + b) / 2
            more = beyond(middle) < share
            a, b = np.where(more, middle, a), np.where(more, b, middle)
        ends.append((a + b) / 2)
    return Corrected(*ends)


def mixed(middle: Floats, mean: Floats, rests: Floats) -> Floats:
    """Return a third of what was seen and two thirds of its median-unbiased correction.

    The correction alone errs on the other side on average, because it falls steeply near the cut; compromises of
    this kind have least bias (Ghosh, Zou & Wright 2008, AJHG 82(5), average two such estimates). With these
    weights the mean bias stays within a fifth of a standard error where the chance of being found is 25 % or
    more; that of what was seen is more than one there. An effect is never turned round.
    """
    apart = np.where(np.isnan(rests), np.inf, np.abs(rests - mean[:, None]))
    near = np.take_along_axis(rests, np.argmin(apart, axis=1)[:, None], axis=1)[:, 0]
    kept = np.clip(middle, np.minimum(mean, near), np.maximum(mean, near))
    return np.asarray(mean / 3 + 2 * kept / 3)


def settled(estimate: Floats, mean: Floats, error: Floats) -> Floats:
    """Pull estimates that were all selected towards their mean, as far as chance alone spreads them.

    The largest of several is too large by chance even where each is right on average. Empirical Bayes with
    normal effects: the spread between true values is that of DerSimonian & Laird (1986, Controlled Clinical
    Trials 7(3)), and each estimate keeps the share of it in its own variance.

    Parameters
    ----------
    estimate : ndarray of shape (r,)
        Corrected one by one.
    mean, error : ndarray of shape (r,)
        As seen, with standard errors above 0.
    """
    if len(mean) < 2:
        return estimate
    w = 1 / error**2
    centre = float(np.sum(w * mean) / w.sum())
    excess = float(np.sum(w * (mean - centre) ** 2)) - (len(mean) - 1)
    room = float(w.sum() - np.sum(w**2) / w.sum())
    between = max(0.0, excess / room) if room > 0 else 0.0
    v = 1 / (error**2 + between)
    middle = float(np.sum(v * estimate) / v.sum())
    return np.asarray(middle + (estimate - middle) * between / (between + error**2))
