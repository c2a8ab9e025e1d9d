"""Agreement of predicted probabilities with frequencies: bins, calibration errors, recalibration, interval, test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evalharness import resample
from evalharness.schemas import Interval

if TYPE_CHECKING:
    from evalharness.schemas import Booleans, Floats, Integers, Sample

N_BINS = 15
FEWEST = 5
"""Rows that a bin of an interval holds at least."""

FEWEST_UNITS = 10
"""Rows, or groups, with which a robust standard error still gives intervals that cover."""


@dataclass(frozen=True, eq=False)
class Bins:
    """One row for each non-empty bin of a probability.

    Attributes
    ----------
    left, right : ndarray
        Bounds; a bin holds ``left < p <= right``, the first one its left end too.
    count : ndarray
        Rows (support).
    share : ndarray
        Share of the total weight.
    predicted, observed : ndarray
        Weighted mean of the probability, and weighted frequency of the event.
    noise : ndarray
        Squared standard error of ``observed - predicted``; NaN with fewer than two rows.
    """

    left: Floats
    right: Floats
    count: Integers
    share: Floats
    predicted: Floats
    observed: Floats
    noise: Floats

    @property
    def gap(self) -> Floats:
        """Observed minus predicted."""
        return self.observed - self.predicted


@dataclass(frozen=True)
class Fitted:
    """One number of a recalibration line with its standard error, and the degrees of freedom of its t.

    `reason` says why there is no value, or no error.
    """

    value: float | None
    error: float | None = None
    degrees: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class CalibrationTest:
    """Test against perfect calibration; `reason` says why there is no p-value."""

    p_value: float | None
    statistic: float | None
    bins: int
    reason: str | None


def event(sample: Sample) -> tuple[Floats, Booleans]:
    """Return the probability that is judged and whether its event happened.

    Two classes: the probability of the positive class. More: that of the most probable class (top label, Guo
    et al. 2017).
    """
    assert sample.probabilities is not None
    if sample.positive is not None:
        return sample.probabilities[:, sample.positive], sample.labels == sample.positive
    top = np.argmax(sample.probabilities, axis=1)
    return sample.probabilities[np.arange(sample.n), top], sample.labels == top


def equal_width(p: Floats, happened: Booleans, weights: Floats | None = None, bins: int = N_BINS) -> Bins:
    """Cut [0, 1] into bins of one width: ((b-1)/B, b/B], 0 in the first (Guo et al. 2017, section 2)."""
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, p, side="left") - 1, 0, bins - 1)
    return _bins(p, happened, weights, place, edges[:-1], edges[1:])


def equal_mass(
    p: Floats, happened: Booleans, weights: Floats | None = None, bins: int = N_BINS, least: int = 2
) -> Bins:
    """Cut at quantiles of `p` so that bins hold about equally many rows, equal probabilities together.

    Ties can leave a bin with fewer than `least` rows; it is joined to its neighbour.
    """
    order = np.sort(p)
    n = len(p)
    wanted = max(1, min(bins, n // least))
    cuts = np.unique(order[[-(-n * b // wanted) - 1 for b in range(1, wanted)]])
    kept, start = [], 0
    for cut, end in zip(cuts.tolist(), np.searchsorted(order, cuts, side="right").tolist(), strict=True):
        if end - start >= least and n - end >= least:
            kept.append(cut)
            start = end
    place = np.searchsorted(kept, p, side="left")
    return _bins(p, happened, weights, place, np.r_[order[0], kept], np.r_[kept, order[-1]])


def _bins(p: Floats, happened: Booleans, weights: Floats | None, place: Integers, left: Floats, right: Floats) -> Bins:
    w = np.ones(len(p)) if weights is None else weights
    size = len(left)
    count = np.bincount(place, minlength=size)
    mass = np.bincount(place, weights=w, minlength=size)
    kept = mass > 0
    safe = np.where(kept, mass, 1.0)
    predicted = np.bincount(place, weights=w * p, minlength=size) / safe
    observed = np.bincount(place, weights=w * happened, minlength=size) / safe
    # The variance of a weighted mean of independent events, from their spread about the bin's frequency
    spread = np.bincount(place, weights=(w * (happened - observed[place])) ** 2, minlength=size) / safe**2
    noise = np.where(count > 1, spread * count / np.maximum(count - 1, 1), np.nan)
    return Bins(
        left[kept],
        right[kept],
        count[kept],
        mass[kept] / mass.sum(),
        predicted[kept],
        observed[kept],
        noise[kept],
    )


def expected(sample: Sample) -> float:
    """Return the plug-in error over equal-width bins (Naeini et al. 2015; Guo et al. 2017)."""
    return _plug_in(equal_width(*event(sample), sample.weights))


def expected_equal_mass(sample: Sample) -> float:
    """Return the plug-in error over equal-mass bins (Nguyen & O'Connor 2015; Nixon et al. 2019).

    Where most probabilities are alike, equal-width bins leave nearly all rows in one of them; these do not.
    """
    return _plug_in(equal_mass(*event(sample), sample.weights))


def classwise(sample: Sample) -> float:
    """Return the mean over classes of the plug-in error of the class against the rest (Kull et al. 2019, NeurIPS)."""
    assert sample.probabilities is not None
    columns = enumerate(sample.probabilities.T)
    return float(np.mean([_plug_in(equal_width(p, sample.labels == c, sample.weights)) for c, p in columns]))


def maximum(sample: Sample) -> float:
    """Return the largest gap of the equal-width bins (Naeini et al. 2015)."""
    return float(np.abs(equal_width(*event(sample), sample.weights).gap).max())


def _plug_in(bins: Bins) -> float:
    return float(np.sum(bins.share * np.abs(bins.gap)))


def debiased(sample: Sample) -> float:
    """Return the debiased root mean square error over equal-mass bins; NaN where undefined.

    The root of ``sum_b share_b * (gap_b**2 - noise_b)``, at least 0: for unweighted rows
    ``noise_b = observed (1 - observed) / (n_b - 1)`` (Kumar, Liang & Ma 2019, section 5).
    """
    bins = equal_mass(*event(sample), sample.weights)
    squared = float(np.sum(bins.share * (bins.gap**2 - bins.noise)))
    return float(np.sqrt(max(0.0, squared))) if not np.isnan(squared) else float("nan")


# Recalibration ------------------------------------------------------------------------------------


def slope(sample: Sample) -> Fitted:
    """Return b of ``logit P(event) = a + b logit p``: below 1 where probabilities are too extreme.

    Cox 1958, Two further applications of a model for binary regression, Biometrika 45(3/4); Steyerberg 2019,
    Clinical Prediction Models, chapter 15. Maximum likelihood by Newton's method. A row whose probability is 0
    or 1 and came true agrees with every line that rises, so it is left out; one that did not come true
    contradicts them all, and there is no line. See `_fitted` for the standard error.
    """
    read = _logits(sample)
    if isinstance(read, str):
        return Fitted(None, reason=read)
    x, happened, w, groups = read
    if not float(np.ptp(x)) > 0:
        why = "all probabilities are equal" if len(x) == sample.n else "all probabilities but 0 and 1 are equal"
        return Fitted(None, reason=why)
    up, down = x[happened], x[~happened]
    if up.min() >= down.max() or up.max() <= down.min():
        why = "the probabilities part the rows with and without the event, so the likelihood has no maximum"
        return Fitted(None, reason=why)
    middle, spread = float(np.mean(x)), float(np.std(x))
    t = (x - middle) / spread
    share = float(np.sum(w * happened) / np.sum(w))
    a, b = float(np.log(share / (1 - share))), 0.0
    best = _likelihood(a + b * t, happened, w)
    for _ in range(50):
        off, v = _score(a + b * t, happened, w)
        g0, g1, h0, h1, h2 = (float(np.sum(s)) for s in (off, off * t, v, v * t, v * t * t))
        determinant = h0 * h2 - h1 * h1
        if not determinant > 0:
            return Fitted(None, reason="the probabilities nearly part the rows with and without the event")
        da, db = (h2 * g0 - h1 * g1) / determinant, (h0 * g1 - h1 * g0) / determinant
        step = 1.0
        while (found := _likelihood(a + step * da + (b + step * db) * t, happened, w)) < best - 1e-9 * abs(best):
            step /= 2
        a, b, best = a + step * da, b + step * db, found
        if abs(step * da) + abs(step * db) <= 1e-14 * (abs(a) + abs(b)):
            break
    off, v = _score(a + b * t, happened, w)
    h0, h1, h2 = (float(np.sum(s)) for s in (v, v * t, v * t * t))
    # the influence of each row on b, and its variance if the line is true
    pull = off * (h0 * t - h1) / (h0 * h2 - h1 * h1)
    return _fitted(b / spread, pull / spread, h0 / (h0 * h2 - h1 * h1) / spread**2, groups, 2)


def intercept(sample: Sample) -> Fitted:
    """Return a of ``logit P(event) = a + logit p``, the calibration in the large: above 0 where events are more.

    Cox 1958, as for `slope`, with the slope held at 1 (Steyerberg 2019, chapter 15). Rows of probability 0
    or 1 are taken as in `slope`.
    """
    read = _logits(sample)
    if isinstance(read, str):
        return Fitted(None, reason=read)
    x, happened, w, groups = read
    low, high = -float(x.max()) - 40.0, -float(x.min()) + 40.0
    a = 0.0
    for _ in range(200):
        off, v = _score(a + x, happened, w)
        total, bottom = float(np.sum(off)), float(np.sum(v))
        low, high = (a, high) if total > 0 else (low, a)
        following = a + total / bottom if bottom > 0 else (low + high) / 2
        if not low < following < high:
            following = (low + high) / 2
        done = abs(following - a) <= 1e-15 * max(1.0, abs(a))
        a = following
        if done:
            break
    off, v = _score(a + x, happened, w)
    bottom = float(np.sum(v))
    return _fitted(a, off / bottom, 1 / bottom, groups, 1)


def _logits(sample: Sample) -> tuple[Floats, Booleans, Floats, Integers | None] | str:
    """Return logits, events, weights and groups of the rows that a line is fitted to, or why there is none."""
    p, happened = event(sample)
    w = np.ones(sample.n) if sample.weights is None else sample.weights
    sure = (p <= 0) | (p >= 1)
    wrong = int(np.sum(sure & (happened != (p >= 1)) & (w > 0)))
    if wrong:
        rows = "row has" if wrong == 1 else "rows have"
        return (
            f"{wrong:,} {rows} probability 0 or 1 and did not come true, which no slope or intercept mends; "
            "give probabilities strictly between"
        )
    kept = ~sure & (w > 0)
    if not np.any(kept):
        return "every probability is 0 or 1"
    p, happened, w = p[kept], happened[kept], w[kept]
    if happened.all() or not happened.any():
        judged = "the event" if happened.all() else "no event"
        which = "the one row" if len(p) == 1 else f"each of {len(p):,} rows"
        return f"{which} with a probability between 0 and 1 has {judged}"
    return np.log(p) - np.log1p(-p), happened, w, None if sample.groups is None else sample.groups[kept]


def _likelihood(eta: Floats, happened: Booleans, w: Floats) -> float:
    return -float(np.sum(w * np.logaddexp(0.0, np.where(happened, -eta, eta))))


def _score(eta: Floats, happened: Booleans, w: Floats) -> tuple[Floats, Floats]:
    """Return weighted event minus probability of each row, and the weighted variance of the event."""
    small = np.exp(-np.abs(eta))
    near, far = 1 / (1 + small), small / (1 + small)
    p, q = np.where(eta >= 0, near, far), np.where(eta >= 0, far, near)
    return w * np.where(happened, q, -p), w * p * q


def _fitted(value: float, pull: Floats, variance: float, groups: Integers | None, numbers: int) -> Fitted:
    """Return a fitted number with its standard error, from the pull of each row on it and its variance if true.

    The larger of that of a true model and of the sandwich, which holds for any (White 1980, Econometrica 48(4);
    for groups Liang & Zeger 1986, Biometrika 73(1)): the first is too small where the line is wrong, the second
    where events are few (Angrist & Pischke 2009, Mostly Harmless Econometrics, section 8.1).
    """
    units = pull if groups is None else np.bincount(groups, weights=pull)
    n = len(pull) if groups is None else len(np.unique(groups))
    if n < FEWEST_UNITS:
        why = f"{n} {'rows' if groups is None else 'groups'} are too few for a standard error; it needs {FEWEST_UNITS}"
        return Fitted(value, reason=why)
    degrees = n - numbers if groups is None else n - 1
    sandwich = float(np.sum(units**2)) * n / degrees
    return Fitted(value, float(np.sqrt(max(variance, sandwich))), degrees)


def recalibration_interval(fitted: Fitted, level: float) -> Interval:
    """Return estimate plus and minus t standard errors; none where there is no line or too few rows or groups."""
    if fitted.value is None or fitted.error is None:
        return Interval(None, None, level, "none", reason=fitted.reason)
    from scipy.special import stdtrit

    half = float(stdtrit(fitted.degrees, (1 + level) / 2)) * fitted.error
    return Interval(fitted.value - half, fitted.value + half, level, "wald, robust")


# What is known about them -------------------------------------------------------------------------


def squared_noise(bins: Bins) -> Floats:
    """Return the squared standard error of each gap, no less than that of true probabilities.

    Where events are few what was seen spreads too little, and a bin in which nothing (or everything) happened is
    not certain: the frequency is also drawn towards the probability by two rows of what was predicted.
    """
    drawn = (bins.count * bins.observed + 2 * bins.predicted) / (bins.count + 2)
    least = np.maximum(drawn * (1 - drawn), bins.predicted * (1 - bins.predicted)) / bins.count
    return np.maximum(np.where(np.isnan(bins.noise), 0.0, bins.noise), least)


def debiased_interval(sample: Sample, level: float, seed: int) -> Interval:
    """Return an interval for the root mean square calibration error by test inversion.

    Given the probabilities, gaps of bins are independent and nearly normal about the true gaps. The interval
    holds every true error under which the observed ``sum_b share_b gap_b**2`` lies between its (1 - level)/2
    and (1 + level)/2 quantiles, found by simulation with the directions of the observed gaps. Unlike a
    bootstrap of the plug-in error it covers for calibrated models, where the true error is 0.
    """
    if sample.groups is not None:
        why = "the interval of the calibration error needs independent rows, and groups were given"
        return Interval(None, None, level, "none", reason=why)
    p, happened = event(sample)
    if sample.n < 2 * FEWEST:
        why = f"{sample.n} {'row is' if sample.n == 1 else 'rows are'} too few for two bins of {FEWEST}"
        return Interval(None, None, level, "none", reason=why)
    bins = equal_mass(p, happened, sample.weights, least=FEWEST)
    from scipy import special

    noise = np.sqrt(squared_noise(bins))
    seen = float(np.sum(bins.share * bins.gap**2))
    u = bins.gap / np.sqrt(seen) if seen > 0 else np.ones(len(bins.count))
    draws = 4000
    z = (
        special.ndtri(resample.Stream(seed, resample.CALIBRATION).uniforms(draws * len(noise)).reshape(draws, -1))
        * noise
    )
    own, cross = (z**2 * bins.share).sum(axis=1), (z * (bins.share * u)).sum(axis=1)

    def root(tail: float, target: float) -> float:
        """Return the error at which a share `tail` of simulated sums lies below the target, or 0."""
        if float(np.mean(own <= target)) <= tail:
            return 0.0
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            below = float(np.mean(own + 2 * middle * cross + middle**2 <= target))
            low, high = (middle, high) if below > tail else (low, middle)
        return (low + high) / 2

    # the upper end is never below that of a calibrated model whose sum is typical
    return Interval(
        root((1 + level) / 2, seen),
        root((1 - level) / 2, max(seen, float(np.median(own)))),
        level,
        "test inversion",
        0,
        0,
    )


def against_perfect(sample: Sample) -> CalibrationTest:
    """Test whether all probabilities are right: chi-squared over bins with the variances that they imply.

    ``sum_b (sum y - sum p)**2 / sum p (1 - p)`` has one degree of freedom for each bin when probabilities
    were not fitted on these rows (Hosmer & Lemeshow 2000, Applied Logistic Regression, section 5.2.2).
    Neighbouring bins are joined until each expects a variance of 5. The judged event is that of `event`.
    """
    if sample.groups is not None or sample.weights is not None:
        return CalibrationTest(None, None, 0, "the test needs independent rows of one weight")
    from scipy import special

    p, happened = event(sample)
    order = np.argsort(p, kind="stable")
    p, happened = p[order], happened[order]
    ends = np.flatnonzero(np.r_[p[1:] != p[:-1], True]) + 1
    variance, excess = np.cumsum(p * (1 - p)), np.cumsum(happened - p)
    least = max(5.0, float(variance[-1]) / N_BINS)
    v0 = e0 = 0.0
    parts: list[tuple[float, float]] = []
    for end in ends:
        if variance[end - 1] - v0 >= least * (1 - 1e-9):
            parts.append((float(excess[end - 1] - e0), float(variance[end - 1] - v0)))
            v0, e0 = float(variance[end - 1]), float(excess[end - 1])
    left = (float(excess[-1] - e0), float(variance[-1] - v0))
    if not parts:
        return CalibrationTest(
            None,
            None,
            0,
            f"the probabilities expect a variance of {variance[-1]:.3g} events; the test needs 5",
        )
    parts[-1] = (parts[-1][0] + left[0], parts[-1][1] + left[1])
    statistic = sum(e * e / v for e, v in parts)
    return CalibrationTest(float(special.chdtrc(len(parts), statistic)), statistic, len(parts), None)
