"""Agreement of predicted probabilities with frequencies: bins, calibration errors, and what is certain about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from evalharness.schemas import Booleans, Floats, Integers, Sample

N_BINS = 15


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


def event(sample: Sample) -> tuple[Floats, Booleans]:
    """Return the probability that is judged and whether its event happened.

    Two classes: the probability of the positive class. More: that of the most probable class (top label, Guo et al. 2017).
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


def equal_mass(p: Floats, happened: Booleans, weights: Floats | None = None, bins: int = N_BINS) -> Bins:
    """Cut at quantiles of `p` so that bins hold about equally many rows, equal probabilities together."""
    order = np.sort(p)
    n = len(p)
    wanted = max(1, min(bins, n // 2))
    cuts = np.unique(order[[min(n - 1, -(-n * b // wanted) - 1) for b in range(1, wanted)]]) if wanted > 1 else np.zeros(0)
    cuts = cuts[cuts < order[-1]]
    place = np.searchsorted(cuts, p, side="left")
    return _bins(p, happened, weights, place, np.r_[order[0], cuts], np.r_[cuts, order[-1]])


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
    return Bins(left[kept], right[kept], count[kept], mass[kept] / mass.sum(), predicted[kept], observed[kept], noise[kept])


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
