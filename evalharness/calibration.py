"""Agreement of predicted probabilities with frequencies: bins, calibration errors, interval and test."""

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
class Summary:
    """The calibration errors of one sample; NaN where undefined."""

    expected: float
    maximum: float
    debiased: float


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


def summary(sample: Sample) -> Summary:
    """Return expected, maximum and debiased calibration error.

    The plug-in errors use 15 equal-width bins. The debiased one is the root of
    ``sum_b share_b * (gap_b**2 - noise_b)``, at least 0, over equal-mass bins: for unweighted rows
    ``noise_b = observed (1 - observed) / (n_b - 1)`` (Kumar, Liang & Ma 2019, section 5).
    """
    p, happened = event(sample)
    wide = equal_width(p, happened, sample.weights)
    even = equal_mass(p, happened, sample.weights)
    gaps = np.abs(wide.gap)
    squared = float(np.sum(even.share * (even.gap**2 - even.noise)))
    debiased = float(np.sqrt(max(0.0, squared))) if not np.isnan(squared) else float("nan")
    return Summary(float(np.sum(wide.share * gaps)), float(gaps.max()), debiased)


def squared_noise(bins: Bins) -> Floats:
    """Return the squared standard error of each gap, the frequency drawn towards the probability.

    A bin in which nothing (or everything) happened is not certain: two rows of what was predicted are added.
    """
    drawn = (bins.count * bins.observed + 2 * bins.predicted) / (bins.count + 2)
    fallback = drawn * (1 - drawn) / bins.count
    return np.maximum(np.where(np.isnan(bins.noise), 0.0, bins.noise), fallback)


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
