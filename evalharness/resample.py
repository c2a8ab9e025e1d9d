"""One resampling of rows, shared by every metric, slice and model that is judged on them.

A resample is a row of whole-number weights: how often each row of the sample was drawn. The draws come
from a counter-based generator (Philox, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3")
whose raw 64-bit words are used directly, so that the stream is the same on every machine and for every
version of NumPy. Nothing here reads or moves the global random state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.schemas import Floats, Integers

CELLS = 1 << 20
"""Weights held at once; with the arrays derived from them this bounds the extra memory below 150 MB."""


def stream(seed: int, purpose: int) -> np.random.Philox:
    """Return an independent generator for one purpose; equal arguments give equal streams."""
    return np.random.Philox(key=np.array([seed % 2**64, purpose % 2**64], dtype=np.uint64))


def integers(source: np.random.Philox, high: int, count: int) -> Integers:
    """Draw `count` whole numbers from 0 to ``high - 1``: ``floor(u * high / 2**32)`` with 32-bit words u.

    The probabilities differ by at most ``high / 2**32`` of each other, which no resample can show.
    """
    raw = np.asarray(source.random_raw((count + 1) // 2), dtype="<u8").view("<u4")[:count]
    wide = raw.astype(np.uint64)
    wide *= np.uint64(high)
    wide >>= np.uint64(32)
    return wide.view(np.int64)


def uniforms(source: np.random.Philox, count: int) -> Floats:
    """Draw `count` numbers strictly between 0 and 1, with 53 bits each."""
    raw = np.asarray(source.random_raw(count), dtype=np.uint64)
    return ((raw >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


@dataclass(frozen=True, eq=False)
class Plan:
    """Which rows each resample draws.

    Attributes
    ----------
    n : int
        Rows.
    n_resamples : int
    seed : int
    groups : ndarray of shape (n,) or None
        With groups whole groups are drawn (cluster bootstrap, Davison & Hinkley 1997, section 3.8).
    """

    n: int
    n_resamples: int
    seed: int
    groups: Integers | None = None

    @property
    def units(self) -> int:
        """Number of things drawn: rows, or groups."""
        return self.n if self.groups is None else int(self.groups.max()) + 1

    @property
    def largest_total(self) -> int:
        """Bound on the sum of the weights of one resample."""
        return self.n if self.groups is None else self.units * int(np.bincount(self.groups).max())

    def same_as(self, other: Plan) -> bool:
        """Whether two plans draw the same rows."""
        alike = (self.n, self.n_resamples, self.seed) == (other.n, other.n_resamples, other.seed)
        if self.groups is None or other.groups is None:
            return alike and self.groups is other.groups
        return alike and bool(np.array_equal(self.groups, other.groups))

    def draws(self, width: int = 1) -> Iterator[np.ndarray[Any, Any]]:
        """Yield weights of shape (some resamples, n), in order; `width` is what else is kept for each row."""
        source, units = stream(self.seed, 1), self.units
        step = max(1, min(self.n_resamples, CELLS // max(self.n, width)))
        small = np.uint8 if units <= 255 or self.n > 400 else np.uint16
        for start in range(0, self.n_resamples, step):
            size = min(step, self.n_resamples - start)
            drawn = np.empty((size, units), dtype=small)
            for row in drawn:
                row[:] = np.bincount(integers(source, units, units), minlength=units)
            yield drawn if self.groups is None else drawn[:, self.groups]

    def leave_one_out(self, width: int = 1) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the jackknife as weights: each unit left out once."""
        units = self.units
        step = max(1, CELLS // max(self.n, width))
        unit = np.arange(self.n) if self.groups is None else self.groups
        for start in range(0, units, step):
            left = np.arange(start, min(units, start + step))
            yield (unit[None, :] != left[:, None]).astype(np.uint8)
