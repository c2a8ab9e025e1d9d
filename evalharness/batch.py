"""Rows turned into what metrics are computed from, for many weightings of the rows at once.

`Prepared` does once what does not depend on weights (losses of each row, sorting by score). `Batch` holds
some weightings, shape (b, n), and gives confusion matrices, weighted sums and ranking statistics with a
leading axis of length b. The estimate, every resample and every jackknife value go through this one path.

Sums over resamples are exact whatever the order of summation: each row's value is rounded to a grid fine
enough (about ``2**-52 * n`` of the largest value) that all partial sums are whole multiples below 2**53. So
neither the number of threads nor the BLAS in use can change a bit. Estimates use the unrounded values.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalharness.schemas import Floats, Integers, Sample

EPSILON = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 in logarithms, as scikit-learn does for float64."""

UNEVEN = 2.0**20
"""A column whose largest value is this many times its median needs a second grid for the small ones."""

ROUNDING = 1e-14
"""Less than this is what rounding leaves of 0 in a difference of shares."""


class Order(NamedTuple):
    """Positives and negatives of one score, sorted from high to low.

    ``above[s]`` and ``upto[s]`` count negatives that score more than, and at least as much as, the positives
    of slot s (`above` is None where these are the same); a slot holds the positives of one score, ``slots`` their
    first places (None when no two tie).
    """

    positives: Integers
    negatives: Integers
    above: Integers | None
    upto: Integers
    slots: Integers | None


class Ranked(NamedTuple):
    """Area under the ROC curve and average precision of one score; NaN where undefined."""

    auc: Floats
    average_precision: Floats


class Grid(NamedTuple):
    """Columns as whole numbers, whose sums are exact in any order.

    Attributes
    ----------
    whole : ndarray of shape (n, p)
    exponents : ndarray of shape (p,), int
        What they were multiplied by, as powers of two.
    rests : tuple of (int, ndarray of shape (n,), int)
        Where one value is far larger than most, what rounding took from the others: column, whole numbers, exponent.
    """

    whole: Floats
    exponents: np.ndarray[Any, np.dtype[np.int32]]
    rests: tuple[tuple[int, Floats, int], ...]

    def sums(self, weights: Floats) -> Floats:
        """Return the sums of each column under whole-number weights (b, n), shape (b, p)."""
        totals = np.ldexp(weights @ self.whole, -self.exponents)
        for j, rest, exponent in self.rests:
            totals[:, j] += np.ldexp(weights @ rest, -exponent)
        return np.asarray(totals)


def on_grid(columns: Sequence[Floats], bound: int) -> Grid:
    """Round columns to grids so fine that weights adding up to at most `bound` keep every sum below 2**53."""
    bits = 52 - int(np.ceil(np.log2(max(bound, 2))))
    whole, exponents, rests = [], [], []
    for j, column in enumerate(columns):
        size = np.abs(column)
        largest = float(np.max(size))
        exponent = bits - (int(np.frexp(largest)[1]) if largest > 0 else 0)
        fine = np.ldexp(column, exponent)
        whole.append(np.rint(fine))
        exponents.append(exponent)
        if largest > 0 and largest > UNEVEN * float(np.median(size[size > 0])):
            rests.append((j, np.rint(np.ldexp(fine - whole[-1], bits)), exponent + bits))
    return Grid(np.column_stack(whole), np.array(exponents, dtype=np.int32), tuple(rests))


class Prepared:
    """What is computed once for a sample."""

    def __init__(self, sample: Sample, largest_total: int | None = None) -> None:
        self.sample = sample
        self.k = len(sample.classes)
        self._orders: dict[tuple[int, int], Order] = {}
        self._bound = largest_total or sample.n

    @property
    def width(self) -> int:
        """Numbers kept for each weighting beside the rows."""
        return self.k * self.k

    @cached_property
    def columns(self) -> dict[str, Floats]:
        """Return the value of each row under each name; these enter metrics through weighted sums."""
        s = self.sample
        found: dict[str, Floats] = {}
        if s.task == "regression":
            y, error = s.labels.astype(np.float64), s.predictions - s.labels
            found["label"] = y - _centre(y)
            found["error"] = error.astype(np.float64)
            found["squared_label"] = found["label"] ** 2
            found["squared_error"] = found["error"] ** 2
            found["absolute_error"] = np.abs(error)
            found["absolute_label"] = np.abs(y)
            if not np.any(y == 0):
                found["percentage_error"] = found["absolute_error"] / np.abs(y)
        elif s.probabilities is not None:
            rows = np.arange(s.n)
            p = s.probabilities[rows, s.labels]
            found["log_loss"] = -np.log(np.clip(p, EPSILON, 1 - EPSILON))
            if s.positive is not None:
                found["brier"] = (s.probabilities[:, s.positive] - (s.labels == s.positive)) ** 2
            else:
                found["brier"] = (s.probabilities**2).sum(axis=1) - p**2 + (1 - p) ** 2
        return found

    @cached_property
    def names(self) -> dict[str, int]:
        """Return the place of each column among the sums, the weights themselves first."""
        return {name: j for j, name in enumerate(("weight", *self.columns))}

    @cached_property
    def grid(self) -> Grid:
        """Return the columns times sample weights, ready to be summed."""
        weights = self.sample.weights if self.sample.weights is not None else np.ones(self.sample.n)
        return on_grid([weights, *(column * weights for column in self.columns.values())], self._bound)

    @cached_property
    def cells(self) -> Integers:
        """Return the cell of the confusion matrix that each row falls into: actual * k + predicted."""
        return np.asarray(self.sample.labels * self.k + self.sample.predictions, dtype=np.int64)

    @cached_property
    def indicators(self) -> np.ndarray[Any, np.dtype[np.float32]] | None:
        """Return the cells of the confusion matrix as columns of 0 and 1; None where their sums were not exact."""
        if self.sample.weights is not None or self.k > 3 or self._bound >= 2**24:
            return None
        return np.asarray(self.cells[:, None] == np.arange(self.k * self.k), dtype=np.float32)

    def order(self, scored: int, against: int = -1) -> Order:
        """Sort the rows of class `scored`, and all others or those of `against`, by its probability."""
        key = (scored, against)
        if key not in self._orders:
            assert self.sample.probabilities is not None
            score = self.sample.probabilities[:, scored]
            is_positive = self.sample.labels == scored
            is_negative = ~is_positive if against < 0 else self.sample.labels == against
            positives, negatives = np.flatnonzero(is_positive), np.flatnonzero(is_negative)
            positives = positives[np.argsort(-score[positives], kind="stable")]
            negatives = negatives[np.argsort(-score[negatives], kind="stable")]
            high = score[positives]
            first = np.flatnonzero(np.r_[True, high[1:] != high[:-1]]) if len(high) else np.zeros(0, dtype=np.int64)
            low = -score[negatives]
            above = np.searchsorted(low, -high[first], side="left")
            upto = np.searchsorted(low, -high[first], side="right")
            apart = None if np.array_equal(above, upto) else above
            self._orders[key] = Order(positives, negatives, apart, upto, None if len(first) == len(high) else first)
        return self._orders[key]

    @cached_property
    def by_size(self) -> tuple[Integers, Floats]:
        """Return rows in order of absolute error, and the absolute errors in that order."""
        size = self.columns["absolute_error"]
        order = np.argsort(size, kind="stable")
        return order, size[order]

    def estimate(self) -> Batch:
        """Return the batch of one: every row once, in full float64."""
        return Batch(self, np.ones((1, self.sample.n), dtype=np.uint8), exact=False)

    def batch(self, weights: np.ndarray[Any, Any]) -> Batch:
        """Return the batch for whole-number weights of shape (b, n)."""
        return Batch(self, weights, exact=True)


class Batch:
    """Statistics for b weightings of the rows; every property has a leading axis of length b."""

    def __init__(self, prepared: Prepared, weights: np.ndarray[Any, Any], *, exact: bool) -> None:
        self.prepared, self.sample, self.k = prepared, prepared.sample, prepared.k
        self.weights, self.exact = weights, exact
        self._ranked: dict[tuple[int, int], Ranked] = {}

    @cached_property
    def _sums(self) -> Floats:
        if self.exact:
            return self.prepared.grid.sums(self.weights.astype(np.float64))
        sample_weights = self.sample.weights if self.sample.weights is not None else np.ones(self.sample.n)
        raw = {"weight": np.ones(self.sample.n), **self.prepared.columns}
        return np.array([[float(np.sum(raw[name] * sample_weights)) for name in self.prepared.names]])

    def total(self) -> Floats:
        """Return the total weight."""
        return self._sums[:, 0]

    def mean(self, name: str) -> Floats:
        """Return the weighted mean of a column."""
        return self._sums[:, self.prepared.names[name]] / self._sums[:, 0]

    @cached_property
    def confusion(self) -> Floats:
        """Return confusion matrices (b, k, k): actual class by predicted class."""
        k, cells = self.k, self.prepared.cells
        if self.exact and self.prepared.indicators is not None:
            counts = self.weights.astype(np.float32) @ self.prepared.indicators
            return counts.astype(np.float64).reshape(-1, k, k)
        out = np.empty((len(self.weights), k, k))
        for i, row in enumerate(self.weights):
            weights = row if self.sample.weights is None else row * self.sample.weights
            out[i] = np.bincount(cells, weights=weights, minlength=k * k).reshape(k, k)
        return out

    def ranked(self, scored: int, against: int = -1) -> Ranked:
        """Return ranking statistics of the probability of one class.

        AUC counts pairs, ties as one half (Hanley & McNeil 1982). Average precision is the step sum
        ``sum_s (recall_s - recall_{s-1}) * precision_s`` over distinct scores, without interpolation.
        """
        key = (scored, against)
        if key not in self._ranked:
            order = self.prepared.order(scored, against)
            up = np.take(self.weights, order.positives, axis=1)
            down = np.take(self.weights, order.negatives, axis=1)
            if self.sample.weights is None:
                up, down = up.astype(np.int32), down.astype(np.int32)
            else:
                up, down = (
                    up * self.sample.weights[order.positives],
                    down * self.sample.weights[order.negatives],
                )
            below = np.zeros((len(self.weights), down.shape[1] + 1), dtype=down.dtype)
            np.cumsum(down, axis=1, out=below[:, 1:])
            if order.slots is not None:
                up = np.add.reduceat(up, order.slots, axis=1)
            upto = below[:, order.upto]
            above = upto if order.above is None else below[:, order.above]
            hits = np.cumsum(up, axis=1)
            n_up = hits[:, -1].astype(np.float64) if hits.shape[1] else np.zeros(len(up))
            n_down = below[:, -1].astype(np.float64)
            lost = np.einsum("ij,ij->i", up, above, dtype=np.float64)
            lost = lost if above is upto else (lost + np.einsum("ij,ij->i", up, upto, dtype=np.float64)) / 2
            with np.errstate(divide="ignore", invalid="ignore"):
                auc = 1 - lost / (n_up * n_down)
                bottom = hits + upto
                np.maximum(bottom, 1 if bottom.dtype.kind == "i" else np.finfo(float).tiny, out=bottom)
                precision = np.einsum("ij,ij->i", up, hits / bottom) / n_up
            auc[auc < ROUNDING] = 0.0  # of weighted rows, where no pair is won
            auc[(n_up == 0) | (n_down == 0)] = np.nan
            self._ranked[key] = Ranked(auc, precision)
        return self._ranked[key]

    def one_vs_rest(self, how: str) -> Floats:
        """Return the mean over classes, ``"macro"`` or ``"weighted"`` by support, of the area against the rest."""
        each = np.column_stack([self.ranked(c).auc for c in range(self.k)])
        weight = np.ones_like(each) if how == "macro" else self.confusion.sum(axis=2)
        return np.asarray((each * weight).sum(axis=1) / weight.sum(axis=1))

    def one_vs_one(self) -> Floats:
        """Return the mean over pairs of classes of the area of either against the other."""
        areas = [self.ranked(i, j).auc for i in range(self.k) for j in range(self.k) if i != j]
        return np.asarray(np.mean(np.column_stack(areas), axis=1))

    def median_size(self) -> Floats:
        """Return weighted medians of the absolute errors; the middle of two where weight splits evenly."""
        order, size = self.prepared.by_size
        weights = np.take(self.weights, order, axis=1)
        if self.sample.weights is not None:
            weights = weights * self.sample.weights[order]
        below = np.cumsum(weights, axis=1, dtype=np.float64)
        half = below[:, -1:] / 2
        tolerance = 0.0 if self.sample.weights is None else 1e-12 * below[:, -1:]
        lower = np.argmax(below >= half - tolerance, axis=1)
        upper = np.argmax(below > half + tolerance, axis=1)
        return np.asarray((size[lower] + size[upper]) / 2)

    def largest_size(self) -> Floats:
        """Return the largest absolute error among rows with weight."""
        counted = self.weights > 0
        if self.sample.weights is not None:
            counted = counted & (self.sample.weights > 0)
        return np.asarray(np.where(counted, self.prepared.columns["absolute_error"], 0.0).max(axis=1))


def _centre(y: Floats) -> float:
    """Return a value near the middle that keeps sums of squares accurate; it cancels in every metric."""
    return float(np.median(y))
