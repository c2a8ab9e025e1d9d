"""One resampling of rows, shared by every metric, slice and model that is judged on them.

A resample is a row of whole-number weights: how often each row of the sample was drawn. The draws come from
the counter-based generator Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy
as 1, 2, 3", SC '11): word `i` of row `r` of a stream is a function of the seed, the purpose, `r` and `i`, in
32-bit additions, rotations and exclusive-ors. So every resample can be made apart from the others, on every
machine, by every version of NumPy, and in a browser. Nothing here reads or moves the global random state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.schemas import Floats, Integers

    Words = np.ndarray[Any, np.dtype[np.uint32]]

CELLS = 1 << 20
"""Weights held at once; with the arrays derived from them this bounds the extra memory below 150 MB."""

ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
PARITY = 0x1BD11BDA
AT_ONCE = 1 << 14
"""Pairs of words made together, so that they stay in the processor's cache."""

RESAMPLES, CALIBRATION = 1, 2
DRAWS_OF_CELLS, NOISE = 7, 8
"""Purposes of streams; every use of random numbers has its own."""


def threefry(key: tuple[int, int], first: Words, second: Words) -> tuple[Words, Words]:
    """Return the two words of each counter (first, second) under a key of two 32-bit words.

    Parameters
    ----------
    key : (int, int)
    first, second : ndarray of one shape, uint32
        The counters; they are not changed.

    Returns
    -------
    tuple of two ndarrays of that shape, uint32
    """
    keys = [np.uint32(key[0]), np.uint32(key[1]), np.uint32(key[0] ^ key[1] ^ PARITY)]
    a, b = first + keys[0], second + keys[1]
    spare = np.empty_like(b)
    for turn in range(20):
        left = ROTATIONS[turn % 8]
        a += b
        np.right_shift(b, np.uint32(32 - left), out=spare)
        np.left_shift(b, np.uint32(left), out=b)
        b |= spare
        b ^= a
        if turn % 4 == 3:
            block = turn // 4 + 1
            a += keys[block % 3]
            b += np.uint32((int(keys[(block + 1) % 3]) + block) & 0xFFFFFFFF)
    return a, b


class Stream:
    """Random words of one purpose; equal seed and purpose give equal words.

    Parameters
    ----------
    seed : int
        From 0 to ``2**64 - 1``.
    purpose : int
        What the words are for, from 0 to ``2**32 - 1``; streams of different purposes are independent.
    """

    def __init__(self, seed: int, purpose: int) -> None:
        counter = np.array([purpose], dtype=np.uint32)
        a, b = threefry((seed % 2**32, seed // 2**32), counter, np.zeros(1, dtype=np.uint32))
        self.key = (int(a[0]), int(b[0]))

    def words(self, count: int, rows: int = 1, start: int = 0) -> Words:
        """Return the first `count` words of `rows` rows from row `start` on, shape (rows, count)."""
        pairs = (count + 1) // 2
        out = np.empty((rows, 2 * pairs), dtype=np.uint32)
        columns = np.arange(pairs, dtype=np.uint32)
        tall, wide = max(1, AT_ONCE // max(pairs, 1)), min(pairs, AT_ONCE)
        for top in range(0, rows, tall):
            row = np.arange(start + top, start + min(rows, top + tall), dtype=np.uint32)[:, None]
            for left in range(0, pairs, max(wide, 1)):
                column = columns[None, left : left + wide]
                shape = (len(row), column.shape[1])
                a, b = threefry(self.key, np.broadcast_to(column, shape), np.broadcast_to(row, shape))
                part = out[top : top + tall, 2 * left : 2 * (left + wide)]
                part[:, 0::2], part[:, 1::2] = a, b
        return out[:, :count]

    def integers(self, high: int, count: int) -> Integers:
        """Draw `count` whole numbers from 0 to ``high - 1``: ``floor(u * high / 2**32)`` with words u.

        Their probabilities differ by at most ``high / 2**32`` of each other, which no resample can show.
        """
        return scaled(self.words(count)[0], high)

    def uniforms(self, count: int) -> Floats:
        """Draw `count` numbers strictly between 0 and 1, with 53 bits each from two words."""
        return fractions(self.words(2 * count)).ravel()


def fractions(words: Words) -> Floats:
    """Turn pairs of words, shape (rows, 2 * count), into numbers strictly between 0 and 1, shape (rows, count)."""
    whole = (words[:, 0::2] >> np.uint32(5)) * 2.0**26 + (words[:, 1::2] >> np.uint32(6))
    return np.asarray(np.minimum((whole + 0.5) * 2.0**-53, 1 - 2.0**-53))


def scaled(words: Words, high: int | Integers) -> Integers:
    """Turn words into whole numbers from 0 to ``high - 1``, shape of `words`."""
    wide = words.astype(np.uint64)
    wide *= np.asarray(high).astype(np.uint64)
    wide >>= np.uint64(32)
    return wide.view(np.int64)


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
    strata : ndarray of shape (n,) or None
        With strata each resample has as many rows (or groups) of each stratum as the sample (section 3.2).
        Groups lie within strata.
    """

    n: int
    n_resamples: int
    seed: int
    groups: Integers | None = None
    strata: Integers | None = None

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

        def alike(one: Integers | None, another: Integers | None) -> bool:
            return one is another or (one is not None and another is not None and np.array_equal(one, another))

        same = (self.n, self.n_resamples, self.seed) == (other.n, other.n_resamples, other.seed)
        return same and alike(self.groups, other.groups) and alike(self.strata, other.strata)

    def draws(self, width: int = 1) -> Iterator[np.ndarray[Any, Any]]:
        """Yield weights of shape (some resamples, n), in order; `width` is what else is kept for each row."""
        source, units = Stream(self.seed, RESAMPLES), self.units
        step = max(1, min(self.n_resamples, CELLS // max(self.n, width)))
        small = np.uint8 if units <= 255 or self.n > 400 else np.uint16
        first, size, member = self._strata()
        few = max(1, 2 * AT_ONCE // units)
        for start in range(0, self.n_resamples, step):
            drawn = np.empty((min(step, self.n_resamples - start), units), dtype=small)
            for top in range(0, len(drawn), few):
                part = drawn[top : top + few]
                unit = scaled(source.words(units, len(part), start + top), size)
                unit += first
                unit += np.arange(len(part))[:, None] * units
                counted = np.bincount(unit.ravel(), minlength=part.size).reshape(part.shape)
                if member is None:
                    part[:] = counted
                else:
                    part[:, member] = counted
            yield drawn if self.groups is None else drawn[:, self.groups]

    def _strata(self) -> tuple[Any, Any, Integers | None]:
        """Return first place and size of the stratum of each draw, and the unit at each place."""
        if self.strata is None:
            return 0, self.units, None
        stratum = self.strata
        if self.groups is not None:
            stratum = np.empty(self.units, dtype=np.int64)
            stratum[self.groups] = self.strata
        member = np.argsort(stratum, kind="stable")
        size = np.bincount(stratum)
        size = size[size > 0]
        first = np.cumsum(size) - size
        return np.repeat(first, size), np.repeat(size, size), member

    def leave_one_out(self, width: int = 1) -> Iterator[np.ndarray[Any, Any]]:
        """Yield the jackknife as weights: each unit left out once."""
        units = self.units
        step = max(1, CELLS // max(self.n, width))
        unit = np.arange(self.n) if self.groups is None else self.groups
        for start in range(0, units, step):
            left = np.arange(start, min(units, start + step))
            yield (unit[None, :] != left[:, None]).astype(np.uint8)
