"""Large samples: rows are gathered into cells, and cells are resampled in their place.

Rows of a cell share their class, their predicted class and a narrow range of scores (or of absolute errors),
so a metric needs little more of a resample than how often each cell was drawn. Those counts are independent
Poisson numbers with the sizes of the cells as means: given their total they are multinomial, as the counts of a
bootstrap are, and every metric is free of the total (Hanley & MacGibbon 2006, Comput. Methods Programs Biomed.
83(1)). What the counts leave out comes back in three ways:

- rankings within a cell are those of its rows: pairs are counted exactly, precision at four places;
- sums (of losses, errors, ...) get the spread of rows about their cell's mean as joint normal noise;
- rows that weigh a lot (largest losses, rare classes) are cells of their own.

Areas over many classes are linear functions of rows up to a part of order 1/n, their Hoeffding projection
(Hoeffding 1948, Ann. Math. Stat. 19(3); DeLong et al. 1988), and are summed as columns. So are area and average
precision of two models that are compared: ranges hide how little two nearly equal models differ.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evalharness.batch import Batch, Prepared, Ranked, on_grid
from evalharness.metrics import MAX_RESAMPLED_PAIRS
from evalharness.resample import AT_ONCE, CELLS, DRAWS_OF_CELLS, NOISE, Stream, fractions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalharness.resample import Plan
    from evalharness.schemas import Booleans, Floats, Integers, Sample

TOP = 128
"""Positives with the highest scores that end a range of scores, and rows with the largest losses kept apart."""

RANGES = 512
"""Ranges of scores or errors in one sample; in each of two samples that are compared, an eighth of it."""

RARE = 100
"""Classes of up to this many rows have each row kept apart."""

ROUNDING = 1e-12
"""Shares of variance below this are what rounding leaves of 0."""

LINEAR = 4000
"""With fewer positives the influence of rows tells too little of a difference; ranges then err to the wide side."""

NODES = 4
"""Places within a range at which precision is taken."""


class Ranges(NamedTuple):
    """Rows sorted by a score, cut into ranges; everything within a range that ranking metrics need.

    Attributes
    ----------
    place : ndarray of shape (n,)
        Range of each row; 0 has the highest scores.
    size : int
        Number of ranges.
    lost : ndarray of shape (size,)
        Share of (positive, negative) pairs of the range in which the negative scores higher, ties one half.
    share, hits, misses : ndarrays of shape (NODES, size)
        Share of the range's positives in each part; mean share of its positives, and of its negatives, that
        score at least as high as those.
    """

    place: Integers
    size: int
    lost: Floats
    share: Floats
    hits: Floats
    misses: Floats


def ranges(score: Floats, positive: Booleans, wanted: int, top: int) -> Ranges:
    """Cut sorted scores where positives, and where negatives, reach equal shares; rows of one score together."""
    n = len(score)
    order = np.argsort(-score, kind="stable")
    sorted_score, is_positive = score[order], positive[order]
    ends = np.flatnonzero(np.r_[sorted_score[1:] != sorted_score[:-1], True])
    if len(ends) > 2 * wanted:
        spots = []
        for rows, many in ((np.flatnonzero(is_positive), wanted), (np.flatnonzero(~is_positive), wanted // 2)):
            even = rows[(np.arange(1, many) * len(rows)) // many] if len(rows) else rows
            spots.append(np.unique(even))
        spots.append(np.flatnonzero(is_positive)[:top])
        ends = np.unique(np.r_[ends[np.searchsorted(ends, np.concatenate(spots))], n - 1])
    count = len(ends)
    at = np.searchsorted(ends, np.arange(n))
    # pairs and shares within each range, from running counts at the last row of each score
    last = np.searchsorted(sorted_score[::-1], sorted_score, side="left")
    last = n - 1 - last
    first = n - np.searchsorted(sorted_score[::-1], sorted_score, side="right")
    up, down = np.cumsum(is_positive), np.cumsum(~is_positive)
    up_before = np.r_[0, up[ends[:-1]]]
    down_before = np.r_[0, down[ends[:-1]]]
    ups, downs = np.diff(np.r_[0, up[ends]]), np.diff(np.r_[0, down[ends]])
    rows = np.flatnonzero(is_positive)
    own = at[rows]
    above = np.where(first[rows] > 0, down[first[rows] - 1], 0) - down_before[own]
    upto = down[last[rows]] - down_before[own]
    hit = up[last[rows]] - up_before[own]
    lost = np.bincount(own, weights=(above + upto) / 2, minlength=count) / np.maximum(ups * downs, 1)
    part = ((up[rows] - 1 - up_before[own]) * NODES) // ups[own]
    cell = own * NODES + part
    size = np.bincount(cell, minlength=count * NODES).astype(np.float64)
    safe = np.maximum(size, 1)
    hits = np.bincount(cell, weights=hit, minlength=count * NODES) / safe
    misses = np.bincount(cell, weights=upto, minlength=count * NODES) / safe
    place = np.empty(n, dtype=np.int64)
    place[order] = at

    def by_node(values: Floats, of: Integers) -> Floats:
        return np.ascontiguousarray((values.reshape(count, NODES) / np.maximum(of, 1)[:, None]).T)

    return Ranges(place, count, lost, by_node(size, ups), by_node(hits, ups), by_node(misses, downs))


class Grouping:
    """Sums of some cells into fewer groups; sums of whole numbers, so exact in any order."""

    def __init__(self, group: Integers, count: int, kept: Booleans | None = None) -> None:
        cells = np.arange(len(group)) if kept is None else np.flatnonzero(kept)
        self.order = cells[np.argsort(group[cells], kind="stable")]
        sizes = np.bincount(group[cells], minlength=count)
        self.met = np.flatnonzero(sizes)
        self.starts = (np.cumsum(sizes) - sizes)[self.met]
        self.count = count

    def sum(self, counts: Floats) -> Floats:
        """Add columns of `counts`, shape (b, cells), within groups: shape (b, count)."""
        out = np.zeros((len(counts), self.count))
        if len(self.met):
            out[:, self.met] = np.add.reduceat(np.take(counts, self.order, axis=1), self.starts, axis=1)
        return out


class Condensed:
    """One sample gathered into cells: offers the columns and ranges that a `CellBatch` reads."""

    def __init__(self, sample: Sample, wanted: int, top: int, *, paired: bool = False) -> None:
        self.sample, self.prepared = sample, Prepared(sample)
        self.k = len(sample.classes)
        self.ranges: Ranges | None = None
        self.columns: dict[str, Floats] = dict(self.prepared.columns)
        if sample.task == "regression":
            order, size = self.prepared.by_size
            spots = np.unique((np.arange(1, wanted) * sample.n) // wanted)
            self.cuts = np.r_[0, np.unique(np.searchsorted(size, size[spots], side="left")), sample.n]
            self.cuts = np.unique(self.cuts)
            self.place = np.empty(sample.n, dtype=np.int64)
            self.place[order] = np.repeat(np.arange(len(self.cuts) - 1), np.diff(self.cuts))
        elif sample.positive is not None and sample.probabilities is not None:
            score = sample.probabilities[:, sample.positive]
            self.ranges = ranges(score, sample.labels == sample.positive, wanted, top)
            self.place = self.ranges.place
            if paired:
                self.columns |= _influence(self.prepared)
        else:
            self.place = np.zeros(sample.n, dtype=np.int64)
            if sample.probabilities is not None:
                self.areas = _areas(self.prepared)
                self.columns |= self.areas.columns
        self.heavy = self._heavy()

    def _heavy(self) -> Booleans:
        """Mark rows that are kept apart: the largest values of each column, and all rows of rare classes."""
        n = self.sample.n
        heavy = np.zeros(n, dtype=bool)
        for column in self.columns.values():
            size = np.abs(column)
            many = min(TOP, n - 1)
            cut = np.partition(size, n - many)[n - many]
            heavy[size > cut] = True
            heavy[np.flatnonzero(size == cut)[: many - int(np.sum(size > cut))]] = True  # the first of equal ones
        if self.k:
            rare = np.bincount(self.sample.labels, minlength=self.k) <= RARE
            if rare.sum() * RARE <= 4096:
                heavy |= rare[self.sample.labels]
        return heavy

    @property
    def key(self) -> Integers:
        """What rows of a cell share, as one number for each row."""
        if self.sample.task == "regression":
            return self.place
        return np.asarray(self.place * (self.k * self.k) + self.prepared.cells)

    def settle(self, cell: Integers, first: Integers, size: Integers) -> None:
        """Keep what is needed for each cell, once the cells are known: `first` is one row of each."""
        s = self.sample
        self.size = size
        self.at = self.place[first]
        self.means = {
            name: np.bincount(cell, weights=x, minlength=len(size)) / size for name, x in self.columns.items()
        }
        self.grids = {name: on_grid([mean], 4 * s.n) for name, mean in self.means.items()}
        if self.k:
            self.confusion = Grouping(self.prepared.cells[first], self.k * self.k)
            self.actual = Grouping(self.prepared.cells[first] // self.k, self.k)
            self.members = np.bincount(s.labels, minlength=self.k)
        if self.ranges is not None:
            actual = s.labels[first] == s.positive
            self.sides = tuple(Grouping(self.at, self.ranges.size, side) for side in (actual, ~actual))
        if s.task == "regression":
            self.sizes = Grouping(self.at, len(self.cuts) - 1)

    @cached_property
    def exact(self) -> Ranked:
        """Area and average precision of the sample itself."""
        return self.prepared.estimate().ranked(self.sample.positive or 0)

    @cached_property
    def precision_shift(self) -> float:
        """Difference of the exact average precision to the one from cells, for the sample itself."""
        exact = self.exact.average_precision[0]
        plain = CellBatch(self, self.size[None, :].astype(np.float64), {}).step_sum()[0]
        return float(exact - plain)


class Areas(NamedTuple):
    """Areas of many classes as sums of columns; see `CellBatch.one_vs_rest`."""

    each: Floats
    pairs: float
    columns: dict[str, Floats]


def _placements(score: Floats, mine: Integers, theirs: Integers) -> tuple[Floats, Floats]:
    """Return for rows `mine` the share of `theirs` they outrank, for `theirs` that of `mine` outranking them."""
    x, y = score[mine], score[theirs]
    a, b = np.sort(x), np.sort(y)
    up = (np.searchsorted(b, x, "left") + np.searchsorted(b, x, "right")) / (2 * max(len(y), 1))
    down = 1 - (np.searchsorted(a, y, "left") + np.searchsorted(a, y, "right")) / (2 * max(len(x), 1))
    return up, down


def _areas(prepared: Prepared) -> Areas:
    """Return one-against-rest areas, Hand and Till's M, and their influence of each row as columns.

    Columns ending in ``_own`` hold a row's influence through its own class, to be divided by how often the
    class was drawn; those ending in ``_other`` the influence as one of the rest.
    """
    s, k = prepared.sample, len(prepared.sample.classes)
    assert s.probabilities is not None
    rows = [np.flatnonzero(s.labels == c) for c in range(k)]
    counts = np.array([len(r) for r in rows], dtype=np.float64)
    each = np.full(k, np.nan)
    names = ("macro_own", "macro_other", "weighted_own", "weighted_other")
    columns = {name: np.zeros(s.n) for name in names}
    if np.any(counts == 0):
        return Areas(each, np.nan, {})
    for c in range(k):
        rest = np.flatnonzero(s.labels != c)
        up, down = _placements(s.probabilities[:, c], rows[c], rest)
        each[c] = up.mean()
        share = counts[c] / s.n
        for name, weight in (("macro", 1 / k), ("weighted", share)):
            columns[f"{name}_own"][rows[c]] += weight * (up - each[c]) / counts[c]
            columns[f"{name}_other"][rest] += weight * (down - each[c]) / len(rest)
    if not 2 <= k <= MAX_RESAMPLED_PAIRS:
        return Areas(each, np.nan, columns)
    pairs = 0.0
    columns["pairs_own"] = np.zeros(s.n)
    for i in range(k):
        for j in range(k):
            if i != j:
                up, down = _placements(s.probabilities[:, i], rows[i], rows[j])
                area = float(up.mean())
                pairs += area / (k * (k - 1))
                columns["pairs_own"][rows[i]] += (up - area) / (counts[i] * k * (k - 1))
                columns["pairs_own"][rows[j]] += (down - area) / (counts[j] * k * (k - 1))
    return Areas(each, pairs, columns)


def _influence(prepared: Prepared) -> dict[str, Floats]:
    """Return the derivatives of area and average precision by the weight of each row; none with few positives."""
    s, order = prepared.sample, prepared.order(prepared.sample.positive or 0)
    many, others = len(order.positives), len(order.negatives)
    if many < LINEAR or not others:
        return {}
    score = s.probabilities[:, s.positive or 0] if s.probabilities is not None else np.zeros(s.n)
    up, down = _placements(score, order.positives, order.negatives)
    area, precision = np.empty(s.n), np.empty(s.n)
    area[order.positives], area[order.negatives] = (up - up.mean()) / many, (down - down.mean()) / others
    size = np.ones(many) if order.slots is None else np.diff(np.r_[order.slots, many]).astype(np.float64)
    hits = np.cumsum(size)
    said = hits + order.upto
    # one more positive adds its own precision and raises, one more negative lowers that of its slot and all below
    raised, lowered = (np.cumsum((size * x / said**2)[::-1])[::-1] for x in (order.upto, hits))
    each = hits / said + raised - float(np.sum(size * hits / said)) / many
    precision[order.positives] = np.repeat(each, size.astype(np.int64)) / many
    below = np.searchsorted(order.upto, np.arange(others), side="right")
    precision[order.negatives] = -np.r_[lowered, 0.0][below] / many
    return {"area": area, "precision": precision}


class CellBatch(Batch):
    """Statistics of one sample for b drawings of its cells; `weights` are how often each cell was drawn."""

    def __init__(self, condensed: Condensed, counts: Floats, noise: dict[str, Floats]) -> None:
        super().__init__(condensed.prepared, counts, exact=True)
        self.condensed, self.noise = condensed, noise

    def total(self) -> Floats:
        """Return the number of rows drawn."""
        return np.asarray(self.weights.sum(axis=1))

    def sum(self, name: str) -> Floats:
        """Return the sum of a column, rounded means times whole numbers, so exact in any order."""
        return np.asarray(self.condensed.grids[name].sums(self.weights)[:, 0] + self.noise.get(name, 0.0))

    def mean(self, name: str) -> Floats:
        """Return the mean of a column over the rows drawn."""
        return self.sum(name) / self.total()

    @cached_property
    def confusion(self) -> Floats:
        """Return confusion matrices (b, k, k): actual class by predicted class."""
        return self.condensed.confusion.sum(self.weights).reshape(-1, self.k, self.k)

    @cached_property
    def _sides(self) -> tuple[Floats, Floats, Floats, Floats]:
        """Return positives and negatives of each range, and those of higher ranges."""
        up, down = (side.sum(self.weights) for side in self.condensed.sides)
        return up, down, np.cumsum(up, axis=1) - up, np.cumsum(down, axis=1) - down

    def ranked(self, scored: int, against: int = -1) -> Ranked:
        """Return area and average precision of the positive class of two."""
        assert scored == self.sample.positive
        assert against == -1
        assert self.condensed.ranges is not None
        if "precision" in self.condensed.columns:
            exact = self.condensed.exact
            area, precision = exact.auc + self.sum("area"), exact.average_precision + self.sum("precision")
            return Ranked(np.clip(area, 0.0, 1.0), np.clip(precision, 0.0, 1.0))
        up, down, _, above = self._sides
        pairs = up.sum(axis=1) * down.sum(axis=1)
        lost = (up * (above + down * self.condensed.ranges.lost)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            auc = np.where(pairs > 0, 1 - lost / pairs, np.nan)
        return Ranked(auc, np.clip(self.step_sum() + self.condensed.precision_shift, 0.0, 1.0))

    def step_sum(self) -> Floats:
        """Return the average precision from ranges."""
        found = self.condensed.ranges
        assert found is not None
        up, down, hits, misses = self._sides
        total = np.zeros(len(up))
        with np.errstate(divide="ignore", invalid="ignore"):
            for share, h, m in zip(found.share, found.hits, found.misses, strict=True):
                right = hits + up * h
                said = right + misses + down * m
                total += (up * share * np.where(said > 0, right / said, 0.0)).sum(axis=1)
            return np.asarray(total / up.sum(axis=1))

    def _own(self, name: str) -> Floats:
        """Sum the influence of rows through their own class, each class divided by how often it was drawn."""
        grid = self.condensed.grids[f"{name}_own"]
        by_class = np.ldexp(self.condensed.actual.sum(self.weights * grid.whole[:, 0]), -grid.exponents[0])
        drawn = self.confusion.sum(axis=2)
        scale = self.condensed.members / np.where(drawn > 0, drawn, np.nan)
        return np.asarray((by_class * scale).sum(axis=1) + self.noise.get(f"{name}_own", 0.0))

    def one_vs_rest(self, how: str) -> Floats:
        """Return mean areas of each class against the rest: estimate plus the influence of the rows drawn."""
        found = self.condensed.areas
        if not found.columns:
            return np.full(len(self.weights), np.nan)
        drawn = self.confusion.sum(axis=2)
        weight = np.full_like(drawn, 1 / self.k) if how == "macro" else drawn / drawn.sum(axis=1, keepdims=True)
        middle = (weight * found.each).sum(axis=1)
        return np.asarray(np.clip(middle + self._own(how) + self.sum(f"{how}_other"), 0.0, 1.0))

    def one_vs_one(self) -> Floats:
        """Return Hand and Till's M in the same way."""
        found = self.condensed.areas
        if "pairs_own" not in found.columns:
            return np.full(len(self.weights), np.nan)
        return np.asarray(np.clip(found.pairs + self._own("pairs"), 0.0, 1.0))

    def median_size(self) -> Floats:
        """Return medians of the absolute errors: the rank within a range is taken over to the sample's rows."""
        size, cuts = self.prepared.by_size[1], self.condensed.cuts
        drawn = self.condensed.sizes.sum(self.weights)
        upto = np.cumsum(drawn, axis=1)
        found = []
        for rank in ((upto[:, -1] - 1) // 2, upto[:, -1] // 2):
            at = np.argmax(upto > rank[:, None], axis=1)
            each = np.arange(len(at))
            inside = (rank - (upto[each, at] - drawn[each, at]) + 0.5) / np.maximum(drawn[each, at], 1)
            width = np.diff(cuts)[at]
            found.append(size[cuts[at] + np.minimum((inside * width).astype(np.int64), width - 1)])
        return np.asarray((found[0] + found[1]) / 2)


def batches(samples: Sequence[Sample], plan: Plan) -> Iterator[tuple[CellBatch, ...]]:
    """Yield batches of one or two samples of the same rows, resampled together, in order.

    Parameters
    ----------
    samples : one or two Samples of the same n rows, without weights, groups and strata
    plan : Plan
    """
    alone = len(samples) == 1
    wanted, top = (RANGES, TOP) if alone else (RANGES // 8, TOP // 2)
    parts = [Condensed(s, wanted, top, paired=not alone) for s in samples]
    heavy = np.logical_or.reduce([part.heavy for part in parts])
    key = np.zeros(plan.n, dtype=np.int64)
    for part in parts:
        own = part.key
        key = key * (int(own.max()) + 1) + own
    key[heavy] = -1 - np.arange(int(heavy.sum()))
    _, first, cell, size = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    for part in parts:
        part.settle(cell, first, size)
    factor = _factor(parts, cell)
    draws = _poisson(plan, size)
    source = Stream(plan.seed, NOISE)
    from scipy import special

    done = 0
    for counts in draws:
        b, p = len(counts), len(factor)
        z = special.ndtri(fractions(source.words(2 * p, b, done)))
        noise = iter(np.array([(z * row).sum(axis=1) for row in factor]))
        yield tuple(CellBatch(part, counts, {name: next(noise) for name in part.columns}) for part in parts)
        done += b


def _factor(parts: Sequence[Condensed], cell: Integers) -> Floats:
    """Return a root of the covariance of all columns about their cells' means, shape (p, p).

    Cholesky's, in a fixed order of operations; a column that others determine adds nothing. Columns are scaled by
    powers of two, so that no square is beyond the range of numbers.
    """
    columns = [(x, part.means[name]) for part in parts for name, x in part.columns.items()]
    powers = np.array([int(np.frexp(np.max(np.abs(x)))[1]) for x, _ in columns], dtype=np.int32)
    p, n = len(columns), len(cell)
    covariance, root = np.zeros((2, p, p))
    for start in range(0, n, AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        rest = [np.ldexp(x[rows] - mean[cell[rows]], -power) for (x, mean), power in zip(columns, powers, strict=True)]
        for i in range(p):
            for j in range(i + 1):
                covariance[i, j] += np.sum(rest[i] * rest[j])
    scale = np.sqrt(np.diag(covariance))
    for j in range(p):
        for i in range(j, p):
            both = scale[i] * scale[j]
            left = covariance[i, j] / both if both > 0 else 0.0
            for m in range(j):
                left -= root[i, m] * root[j, m]
            if i == j and left <= ROUNDING:
                break
            root[i, j] = np.sqrt(left) if i == j else left / root[j, j]
    return np.asarray(np.ldexp(scale, powers)[:, None] * root)


def _poisson(plan: Plan, size: Integers) -> Iterator[Floats]:
    """Yield how often each cell is drawn, shape (some resamples, cells): Poisson numbers by inversion."""
    from scipy import special

    source = Stream(plan.seed, DRAWS_OF_CELLS)
    step = max(1, min(plan.n_resamples, CELLS // len(size)))
    kinds, kind = np.unique(size, return_inverse=True)
    members = np.split(np.argsort(kind, kind="stable"), np.cumsum(np.bincount(kind))[:-1])
    for start in range(0, plan.n_resamples, step):
        u = (source.words(len(size), min(step, plan.n_resamples - start), start) + 0.5) * 2.0**-32
        out = np.empty(u.shape)
        for mean, cells in zip(kinds.tolist(), members, strict=True):
            lowest = max(0, int(mean - 10 * np.sqrt(mean)) - 10)
            reach = np.arange(lowest, int(mean + 10 * np.sqrt(mean)) + 20)
            out[:, cells] = lowest + np.searchsorted(special.pdtr(reach, float(mean)), u[:, cells], side="left")
        yield out
