"""Where a model does better or worse than on the other rows, without findings of noise.

Every condition on one feature, and every pair of conditions on two, that has enough support is tested against
the rest; Benjamini-Hochberg holds the share of false findings over all that were tested. What was found is then
estimated anew, as something that was found: `adjusted_estimate` has no winner's curse.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evalharness import conditions, selection
from evalharness.compare import adjusted
from evalharness.intervals import wilson

if TYPE_CHECKING:
    from evalharness.conditions import Feature
    from evalharness.schemas import Booleans, Config, Floats, Integers, Sample

MAX_PAIRS_SHOWN = 100
MAX_CROSSED = 5000
MAX_CROSSED_ROWS = 250_000_000
"""Pairs of features, and rows times pairs of features, that are gone through; both bound the time."""
UNITS = 500
"""Groups (or rows, with weights) are joined into at most this many units whose sums are taken as independent."""
EXACT_BELOW = 25
"""Counts are tested exactly where the smallest expected one is below this."""


@dataclass(frozen=True)
class Slice:
    """One slice: what selects it, its support, its metric with interval, and the test against the rest.

    Attributes
    ----------
    slice, feature, condition : str
    support : int
        Rows.
    metric : str
    estimate, low, high : float
        The metric on these rows with its own interval, as if no other slice had been looked at.
    p_value, q_value : float
    significant : bool
        Whether `q_value` is at most one minus the confidence level.
    adjusted_estimate, adjusted_low, adjusted_high : float or None
        Of significant slices: the metric and its interval after selection; see `find`.
    """

    slice: str
    feature: str
    condition: str
    support: int
    metric: str
    estimate: float
    low: float | None
    high: float | None
    p_value: float
    q_value: float
    significant: bool
    adjusted_estimate: float | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None


COLUMNS = tuple(field.name for field in fields(Slice))


@dataclass(frozen=True)
class Slices:
    """All slices of a report.

    Attributes
    ----------
    rows : tuple of Slice
        Every one-feature slice that was tested, and the two-feature slices that are significant (at most
        100).
    tested : int
        Slices tested, one and two features together; q-values are over all of them.
    min_support : int
    skipped : tuple of (feature, reason)
    notes : tuple of str
    reason : str or None
        Why there are no slices at all.
    """

    rows: tuple[Slice, ...] = ()
    tested: int = 0
    min_support: int = 0
    skipped: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def table(self) -> Any:
        """The slices as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([[getattr(row, c) for c in COLUMNS] for row in self.rows], columns=list(COLUMNS))


def row_losses(sample: Sample) -> tuple[str, Floats]:
    """Return the metric of slices and each row's contribution: 1 for a wrong class, or the absolute error."""
    if sample.task == "regression":
        return "mean_absolute_error", np.abs(sample.predictions - sample.labels).astype(np.float64)
    return "accuracy", (sample.predictions != sample.labels).astype(np.float64)


def find(sample: Sample, config: Config) -> Slices:
    """Test the slices of a sample.

    For a class metric the slice's errors are hypergeometric when the slice is like a random draw of all rows;
    for an error the slice's mean has the permutation distribution, taken as Pearson type III with its first
    three moments (Mielke & Berry 2007, Permutation Methods, section 2.3). With weights or groups the difference
    to the rest is linearised (Binder 1983, Int. Stat. Review 51(3)) and tested by Student's t over rows or
    groups, joined into at most 500 units, with the units of the smaller side as its degrees of freedom.

    A pair must differ from the rest and from the rest of both its parents: its p-value is the largest of the
    three (an intersection-union test, Berger 1982, Technometrics 24(4)). In the same way a decile of the model's
    confidence must differ from the rest and from what that confidence promises: that less certain answers are
    more often wrong is no finding. For regression a decile of the predictions must differ from the rest before and
    after a straight line has put the predictions right: that all large ones are too large is no finding about one.

    Benjamini-Hochberg runs over all slices tested. The few of one feature and the many of two share the error
    rate evenly: p-values are multiplied by twice the family's share of all tests (Genovese, Roeder & Wasserman 2006,
    Biometrika 93(3)); with one family alone that changes nothing.

    A significant slice is estimated anew. Its metric is read from its distribution given that it passed, with
    the cut that Benjamini-Hochberg came to (see `selection`); ``adjusted_low`` and ``adjusted_high`` hold the
    true values of all significant slices together with the confidence level (Bonferroni over them), and so that
    of the worst one, however it was chosen. ``adjusted_estimate`` is nearly unbiased for each slice (see
    `selection.mixed`), and then pulled towards the others on the same side as far as chance alone spreads them.
    """
    if sample.frame is None:
        return Slices(reason="no data was given, so there are no features to slice by")
    if config.max_slice_features == 0:
        return Slices(reason="max_slice_features is 0")
    least = config.min_support or max(30, -(-sample.n // 100))
    if sample.n < 2 * least:
        return Slices(
            min_support=least,
            reason=f"{sample.n:,} rows are too few for two parts of {least:,} (min_support)",
        )
    skipped: list[tuple[str, str]] = []
    notes: list[str] = []
    model = conditions.of_model(sample)
    features = [] if model is None else [model]
    features += conditions.of_frame(sample.frame, skipped)
    plain = sample.weights is None and sample.groups is None
    judge = _Plain(sample, least) if plain else _Linearised(sample, least)
    tested = judge.test(features, _crossed(features, sample.n, config, notes, plain=plain))
    rows = _rows(judge, tested, features, config, notes)
    return Slices(rows, len(tested.support), least, tuple(skipped), tuple(notes))


def _crossed(
    features: list[Feature], n: int, config: Config, notes: list[str], *, plain: bool
) -> list[tuple[int, int]]:
    """Return the pairs of features that are crossed, the first ones where all would take too long."""
    if config.max_slice_features < 2:
        return []
    most = min(MAX_CROSSED if plain else MAX_CROSSED // 4, MAX_CROSSED_ROWS // n)
    first = min(len(features), int((1 + np.sqrt(1 + 8 * most)) / 2))
    if first < len(features):
        notes.append(f"Two-feature slices are of the first {first:,} of {len(features):,} features, to bound the time.")
    return [(i, j) for i in range(first) for j in range(i + 1, first) if features[i].source != features[j].source]


@dataclass(frozen=True, eq=False)
class _Tested:
    """Every slice tested, as columns: two features with their codes (-1: none), sums, tests.

    `rests` holds what the mean loss was compared with by each of up to three tests, `tails` their p-values.
    """

    features: Integers
    codes: Integers
    support: Floats
    mean: Floats
    rests: Floats
    tails: Floats
    error: Floats
    units: Floats

    @property
    def p_values(self) -> Floats:
        """The largest of the p-values of each slice."""
        return np.asarray(np.nanmax(self.tails, axis=1))


class _Gathered:
    """Collects the slices of one feature or one pair of features at a time."""

    def __init__(self) -> None:
        self._parts: list[tuple[Any, ...]] = []

    def add(self, features: tuple[int, int], codes: tuple[Any, Any], *columns: Any) -> None:
        """Add slices: codes of shape (s,) or one number, and columns of shape (s,) or (s, 3)."""
        size = len(columns[0])
        if size:
            held = np.empty((size, 4), dtype=np.int64)
            held[:, 0], held[:, 1], held[:, 2], held[:, 3] = *features, *codes
            self._parts.append((held, *columns))

    def columns(self, empty: int) -> list[Any]:
        """Return all of them, features and codes first."""
        if not self._parts:
            return [np.zeros((0, 4), dtype=np.int64), *(np.zeros(0) for _ in range(empty))]
        return [np.concatenate(column) for column in zip(*self._parts, strict=True)]


class _Plain:
    """Rows that count alike and are independent."""

    def __init__(self, sample: Sample, least: int) -> None:
        self.sample, self.least, self.n = sample, least, sample.n
        self.metric, self.loss = row_losses(sample)
        self.counted = self.metric == "accuracy"
        self.wrong = self.loss.astype(np.uint8) if self.counted else None
        # whole numbers on a grid, so that sums do not depend on their order
        bits = max(1, 52 - int(np.ceil(np.log2(self.n))))
        top = float(self.loss.max())
        self.exponent = 0 if self.counted or top == 0 else bits - int(np.frexp(top)[1])
        self.grid = np.rint(np.ldexp(self.loss, self.exponent))
        self.mean = float(self.loss.mean())
        self.scale = float(self.loss.std()) or 1.0
        z = (self.loss - self.mean) / self.scale
        self.powers = () if self.counted else (z, z * z, z * z * z)

    def _sums(self, codes: np.ndarray[Any, Any], size: int) -> tuple[Floats, Floats]:
        """Return rows and total loss of each code below `size`."""
        if self.wrong is not None:
            both = np.bincount(codes * codes.dtype.type(2) + self.wrong, minlength=2 * size)[: 2 * size]
            right, wrong = both[0::2].astype(np.float64), both[1::2].astype(np.float64)
            return right + wrong, wrong
        codes = codes.astype(np.intp)
        count = np.bincount(codes, minlength=size)[:size].astype(np.float64)
        return count, np.ldexp(np.bincount(codes, weights=self.grid, minlength=size)[:size], -self.exponent)

    def _moments(self, codes: np.ndarray[Any, Any], size: int, count: Floats, total: Floats) -> tuple[Floats, Floats]:
        """Return variance (divisor n) and skewness of the loss for each code."""
        safe = np.maximum(count, 1)
        if self.counted:
            share = total / safe
            variance = share * (1 - share)
            return variance, np.divide(1 - 2 * share, np.sqrt(variance), out=np.zeros(size), where=variance > 0)
        one, two, three = (np.bincount(codes, weights=z, minlength=size)[:size] / safe for z in self.powers)
        variance = np.maximum(two - one**2, 0.0)
        third = three - 3 * one * two + 2 * one**3
        skew = np.divide(third, variance**1.5, out=np.zeros(size), where=variance > 1e-12 * (two + 1e-300))
        return np.where(variance > 1e-12 * two, variance, 0.0) * self.scale**2, skew

    def test(self, features: list[Feature], crossed: list[tuple[int, int]]) -> _Tested:
        """Test every slice with enough support."""
        n, x_all = float(self.n), float(self.loss.sum())
        whole = self._moments(np.zeros(self.n, dtype=np.uint8), 1, np.array([n]), np.array([x_all]))
        parents = []
        singles, pairs = _Gathered(), _Gathered()
        for i, feature in enumerate(features):
            size = len(feature.texts)
            m, x = self._sums(feature.codes, size)
            moments = self._moments(feature.codes, size, m, x)
            parents.append((m, x, *moments))
            keep = np.flatnonzero((m >= self.least) & (n - m >= self.least))
            error = np.sqrt(moments[0][keep] / np.maximum(m[keep] - 1, 1))
            promise = np.full((size, 2), np.nan)
            if feature.source < 0 and self.counted:
                promise = self._promised(feature, m, x)
            elif feature.source < 0:
                promise[keep, 1] = (
                    _Plain(_straightened(self.sample), self.least).test([_as_column(feature)], []).tails[:, 0]
                )
            singles.add((i, -1), (keep, -1), m[keep], x[keep], error, promise[keep])
        for i, j in crossed:
            one, other = features[i], features[j]
            k, size = len(other.texts) + 1, (len(one.texts) + 1) * (len(other.texts) + 1)
            m, x = self._sums(_joined(one, other), size)
            a, b = np.divmod(np.arange(size), k)
            inside = (a < len(one.texts)) & (b < len(other.texts)) & (m >= self.least)
            a, b, m, x = a[inside], b[inside], m[inside], x[inside]
            first = np.column_stack([column[a] for column in parents[i]])
            second = np.column_stack([column[b] for column in parents[j]])
            # a pair must leave something of each parent, or it is the parent
            apart = (first[:, 0] - m >= self.least / 2) & (second[:, 0] - m >= self.least / 2)
            pairs.add((i, j), (a[apart], b[apart]), m[apart], x[apart], first[apart], second[apart])
        held, m, x, error, promise = singles.columns(4)
        promise = promise.reshape(-1, 2)
        law = np.tile([n, x_all, float(whole[0][0]), float(whole[1][0])], (len(m), 1))
        absent = np.full(len(m), np.nan)
        rests = np.column_stack([_rest(law, m, x), promise[:, 0], absent])
        tails = np.column_stack([self._tail(law, m, x, exact=True), promise[:, 1], absent])
        held_2, m_2, x_2, first, second = pairs.columns(4)
        if len(m_2):
            laws = (np.tile(law[0], (len(m_2), 1)), first, second)
            rests = np.vstack([rests, np.column_stack([_rest(given, m_2, x_2) for given in laws])])
            tails = np.vstack([tails, np.column_stack([self._tail(given, m_2, x_2) for given in laws])])
            held = np.concatenate([held, held_2])
            m, x = np.concatenate([m, m_2]), np.concatenate([x, x_2])
            error = np.concatenate([error, np.full(len(m_2), np.nan)])
        return _Tested(held[:, :2], held[:, 2:], m, x / np.maximum(m, 1), rests, tails, error, m)

    def _promised(self, feature: Feature, m: Floats, x: Floats) -> Floats:
        """Return the share of errors that the model's confidence promises for each decile, and its p-value.

        Errors are a sum of independent trials of known chances, taken as Pearson type III.
        """
        chance = 1 - conditions.confidence(self.sample)
        size = len(m)
        expected, variance, third = (
            np.bincount(feature.codes, weights=w, minlength=size)[:size]
            for w in (chance, chance * (1 - chance), chance * (1 - chance) * (1 - 2 * chance))
        )
        ok = variance > 1e-9
        spread = np.sqrt(np.where(ok, variance, 1.0))
        p = _two_sided(x - expected, spread, np.where(ok, third / spread**3, 0.0), 0.5)
        p = np.where(ok, p, np.where(np.abs(x - expected) < 0.5, 1.0, 0.0))
        return np.column_stack([expected / np.maximum(m, 1), p])

    def _tail(self, law: Floats, m: Floats, x: Floats, *, exact: bool = False) -> Floats:
        """Two-sided p-value of a sum `x` over `m` rows drawn at random from rows of given n, total and moments.

        Without `exact` the exact law is used only where it may matter.
        """
        n, total, variance, skew = law.T
        ok = (n > 2) & (m < n) & (variance > 0)
        safe_n, safe_m = np.where(ok, n, 4.0), np.where(ok, m, 2.0)
        spread = np.sqrt(np.where(ok, variance, 1.0) * safe_m * (safe_n - safe_m) / (safe_n - 1))
        bend = skew * (safe_n - 2 * safe_m) / (safe_n - 2) * np.sqrt((safe_n - 1) / (safe_m * (safe_n - safe_m)))
        p = _two_sided(x - safe_m * total / n, spread, bend, 0.5 if self.counted else 0.0)
        if self.counted:
            least = np.minimum.reduce([m * total, m * (n - total), (n - m) * total, (n - m) * (n - total)]) / n
            few = np.flatnonzero(ok & (least < EXACT_BELOW) & (exact | (p < 0.2)))
            p[few] = hypergeometric(x[few], n[few], total[few], m[few])
        return np.asarray(np.where(ok, p, 1.0))


def _straightened(sample: Sample) -> Sample:
    """Return the sample with predictions moved along the straight line that fits the labels best."""
    w = sample.weights if sample.weights is not None else np.ones(sample.n)
    p, y = sample.predictions.astype(np.float64), sample.labels.astype(np.float64)
    scale = float(np.abs(p).max()) or 1.0
    p = p / scale - np.average(p / scale, weights=w)
    slope = float(np.sum(w * p * (y - np.average(y, weights=w))) / np.sum(w * p**2))
    return replace(sample, predictions=np.average(y, weights=w) + slope * p)


def _joined(one: Feature, other: Feature) -> np.ndarray[Any, Any]:
    """Return the cell of each row in the table of two features, those without a condition last in each."""
    return np.asarray(one.codes.astype(np.uint16) * np.uint16(len(other.texts) + 1) + other.codes)


def _as_column(feature: Feature) -> Feature:
    return replace(feature, source=0)


def _rest(law: Floats, m: Floats, x: Floats) -> Floats:
    return np.asarray((law[:, 1] - x) / np.maximum(law[:, 0] - m, 1))


def _two_sided(apart: Floats, spread: Floats, skew: Floats, step: float) -> Floats:
    """P-value of a difference of known standard deviation and skewness, `step` for continuity."""
    from scipy.special import gammainc, gammaincc, ndtr

    flat = np.abs(skew) < 1e-4
    bend = np.where(flat, 1.0, skew)
    shape = 4 / bend**2

    def beyond(z: Floats, side: int) -> Floats:
        """Probability above z (side 1) or below it (side -1), each tail computed as such."""
        place = np.maximum(shape + 2 * z / bend, 0.0)
        tail = np.where(side * skew > 0, gammaincc(shape, place), gammainc(shape, place))
        return np.asarray(np.where(flat, ndtr(-side * z), tail))

    upper, lower = beyond((apart - step) / spread, 1), beyond((apart + step) / spread, -1)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(upper, lower)))


def hypergeometric(x: Floats, n: Floats, total: Floats, m: Floats) -> Floats:
    """Two-sided p-value (twice the smaller tail) of `x` marked among `m` drawn from `n` of which `total` are marked.

    Tails are summed from `x` outwards by the ratio of neighbouring terms.
    """
    from scipy.special import gammaln

    def choose(top: Floats, bottom: Floats) -> Floats:
        return np.asarray(gammaln(top + 1) - gammaln(bottom + 1) - gammaln(top - bottom + 1))

    if len(x) == 0:
        return np.zeros(0)
    here = np.exp(choose(total, x) + choose(n - total, m - x) - choose(n, m))
    tails = []
    for side in (1.0, -1.0):
        at, term, tail = x.copy(), here.copy(), here.copy()
        going = np.arange(len(x))
        while len(going):
            k, t, draws = at[going], total[going], m[going]
            if side > 0:
                ratio = (t - k) * (draws - k) / ((k + 1) * (n[going] - t - draws + k + 1))
            else:
                ratio = k * (n[going] - t - draws + k) / ((t - k + 1) * (draws - k + 1))
            term[going] *= ratio
            tail[going] += term[going]
            at[going] += side
            going = going[(term[going] > 1e-17 * tail[going]) & (term[going] > 0)]
        tails.append(tail)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(*tails)))


class _Cells(NamedTuple):
    """Sums of the rows in some cells: rows, squared weights (cells,); loss and weight of each unit (units, cells)."""

    rows: Floats
    squares: Floats
    loss: Floats
    weight: Floats

    def take(self, columns: Integers) -> _Cells:
        """Return some of the cells."""
        return _Cells(self.rows[columns], self.squares[columns], self.loss[:, columns], self.weight[:, columns])

    def shaped(self, p: int, q: int, axis: int) -> _Cells:
        """Return the sums over one of two features."""
        return _Cells(*(part.reshape(*part.shape[:-1], p, q).sum(axis=axis) for part in self))


class _Linearised:
    """Rows with weights, or rows that come in groups."""

    def __init__(self, sample: Sample, least: int) -> None:
        self.sample, self.least, self.n = sample, least, sample.n
        self.metric, self.loss = row_losses(sample)
        self.counted = self.metric == "accuracy"
        self.weight = sample.weights if sample.weights is not None else np.ones(sample.n)
        self.unit = (sample.groups if sample.groups is not None else np.arange(sample.n)) % UNITS
        self.units = int(self.unit.max()) + 1
        self.mean = float(np.sum(self.weight * self.loss) / self.weight.sum())
        self.scale = float(np.abs(self.loss).max()) or 1.0
        self.pull = self.weight * (self.loss - self.mean)
        self.second = self.pull * (self.loss - self.mean)

    def _cells(self, codes: np.ndarray[Any, Any], size: int) -> _Cells:
        place = self.unit * size + codes
        loss, weight = (
            np.bincount(place, weights=w, minlength=self.units * size).reshape(self.units, size).astype(np.float64)
            for w in (self.pull, self.weight)
        )
        rows = np.bincount(codes, minlength=size).astype(np.float64)
        squares = rows
        if self.sample.weights is not None:
            squares = np.bincount(codes, weights=self.weight**2, minlength=size).astype(np.float64)
        return _Cells(rows, squares, loss, weight)

    def test(self, features: list[Feature], crossed: list[tuple[int, int]]) -> _Tested:
        """Test every slice with enough support."""
        gathered = _Gathered()
        everyone = self._cells(np.zeros(self.n, dtype=np.uint8), 1)
        whole = everyone, np.array([float(self.second.sum() / self.weight.sum())])
        spreads = []
        for i, feature in enumerate(features):
            size = len(feature.texts)
            cells = self._cells(feature.codes, size + 1)
            with np.errstate(divide="ignore", invalid="ignore"):
                total = cells.weight.sum(axis=0)
                second = np.bincount(feature.codes, weights=self.second, minlength=size + 1) / total
                spreads.append(np.nan_to_num(np.maximum(second - (cells.loss.sum(axis=0) / total) ** 2, 0.0)))
            keep = np.flatnonzero((cells.rows[:size] >= self.least) & (self.n - cells.rows[:size] >= self.least))
            mine = cells.take(keep)
            tests = [self._against(mine, *whole)]
            if feature.source < 0 and self.counted:
                tests.append(self._promised(feature, keep))
            elif feature.source < 0:
                line = _Linearised(_straightened(self.sample), self.least).test([_as_column(feature)], [])
                straight = np.ones(size)
                straight[line.codes[:, 0]] = line.tails[:, 0]
                tests.append((np.full(len(keep), np.nan), straight[keep]))
            self._add(gathered, (i, -1), (keep, np.full(len(keep), -1)), mine, tests)
        for i, j in crossed:
            one, other = features[i], features[j]
            p, q = len(one.texts) + 1, len(other.texts) + 1
            cells = self._cells(_joined(one, other), p * q)
            first, second = cells.shaped(p, q, -1), cells.shaped(p, q, -2)
            a, b = np.divmod(np.arange(p * q), q)
            left = np.minimum(first.rows[a], second.rows[b]) - cells.rows
            keep = np.flatnonzero((a < p - 1) & (b < q - 1) & (cells.rows >= self.least) & (left >= self.least / 2))
            if len(keep):
                a, b, mine = a[keep], b[keep], cells.take(keep)
                parents = (whole, (first.take(a), spreads[i][a]), (second.take(b), spreads[j][b]))
                self._add(gathered, (i, j), (a, b), mine, [self._against(mine, *parent) for parent in parents])
        held, m, mean, rests, tails, error, units = gathered.columns(6)
        return _Tested(held[:, :2], held[:, 2:], m, mean, rests.reshape(-1, 3), tails.reshape(-1, 3), error, units)

    def _add(self, gathered: _Gathered, names: Any, codes: Any, mine: _Cells, tests: Any) -> None:
        """Add what has weight, and something with weight to be set against."""
        total = mine.weight.sum(axis=0)
        safe = np.maximum(total, 1e-100)
        centre = mine.loss.sum(axis=0) / safe
        variance, units = self._variance((mine.loss - centre * mine.weight) / safe)
        if self.counted:  # shares near 0 and 1 are not as certain as their few errors look
            size = np.maximum(safe**2 / np.maximum(mine.squares, 1e-300), 1.0)
            share = ((centre + self.mean) * size + 1) / (size + 2)
            variance = np.maximum(variance, share * (1 - share) / size)
        rests, tails = (np.full((len(centre), 3), np.nan) for _ in range(2))
        for t, (rest, p) in enumerate(tests):
            rests[:, t], tails[:, t] = rest + self.mean, p
        ok = np.isfinite(rests[:, 0]) & (total > 0)
        columns = (mine.rows, centre + self.mean, rests, tails, np.sqrt(variance), units)
        gathered.add(names, (codes[0][ok], codes[1][ok]), *(column[ok] for column in columns))

    def _variance(self, pull: Floats) -> tuple[Floats, Floats]:
        """Return the variance of sums over independent units, and how many units take part."""
        pull = np.where(np.abs(pull) > 1e-13 * self.scale, pull, 0.0)  # what should be 0 is left as dust
        units = np.count_nonzero(pull, axis=0).astype(np.float64)
        return np.sum(pull**2, axis=0) * units / np.maximum(units - 1, 1) * (units > 1), units

    def _against(self, mine: _Cells, parent: _Cells, spread: Floats) -> tuple[Floats, Floats]:
        """Test cells against the rest of their parents; return the mean of the rest, less the overall mean, and p.

        The variance is the larger of that between units and that of independent rows like all of the parent's,
        for few errors in a small slice would make it look certain.
        """
        x, w = mine.loss, mine.weight
        x_rest, w_rest = parent.loss - x, parent.weight - w
        # differences of sums leave dust where nothing is left
        w_rest = np.where(np.abs(w_rest) < 1e-9 * np.maximum(np.abs(parent.weight), 1e-300), 0.0, w_rest)
        x_rest = np.where(w_rest == 0, 0.0, x_rest)
        w_in, w_out = w.sum(axis=0), w_rest.sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, rest = x.sum(axis=0) / w_in, x_rest.sum(axis=0) / w_out
            between, _ = self._variance((x - mean * w) / w_in - (x_rest - rest * w_rest) / w_out)
            alike = spread * (mine.squares / w_in**2 + np.maximum(parent.squares - mine.squares, 0.0) / w_out**2)
            df = np.minimum(np.count_nonzero(w, axis=0), np.count_nonzero(w_rest, axis=0)) - 1.0
            return rest, _student(mean - rest, np.maximum(between, alike), df)

    def _promised(self, feature: Feature, keep: Integers) -> tuple[Floats, Floats]:
        """Test deciles of confidence against the share of errors that it promises."""
        size = len(feature.texts)
        chance = 1 - conditions.confidence(self.sample)
        place = self.unit * size + feature.codes
        gap, promised, weight, doubt = (
            np.bincount(place, weights=v, minlength=self.units * size).reshape(self.units, size)[:, keep]
            for v in (
                self.weight * (self.loss - chance),
                self.weight * chance,
                self.weight,
                self.weight**2 * chance * (1 - chance),
            )
        )
        total = np.maximum(weight.sum(axis=0), 1e-100)
        mean = gap.sum(axis=0) / total
        variance, units = self._variance((gap - mean * weight) / total)
        variance = np.maximum(variance, doubt.sum(axis=0) / total**2)
        p = np.where((variance == 0) & (np.abs(mean) > 1e-12), 0.0, _student(mean, variance, units - 1))
        return promised.sum(axis=0) / total - self.mean, p


def _student(apart: Floats, variance: Floats, df: Floats) -> Floats:
    """Two-sided p-value of Student's t; 1 where nothing varies."""
    from scipy.special import stdtr

    ok = (variance > 0) & (df > 0) & np.isfinite(apart)
    t = np.where(ok, -np.abs(apart), 0.0) / np.sqrt(np.where(ok, variance, 1.0))
    return np.asarray(np.where(ok, np.minimum(1.0, 2 * stdtr(np.where(ok, df, 1.0), t)), 1.0))


# Rows ---------------------------------------------------------------------------------------------


def _rows(
    judge: _Plain | _Linearised, tested: _Tested, features: list[Feature], config: Config, notes: list[str]
) -> tuple[Slice, ...]:
    p = tested.p_values
    single = tested.features[:, 1] < 0
    share = np.where(single, single.sum(), (~single).sum()) * (2 if 0 < single.sum() < len(p) else 1) / max(len(p), 1)
    q = np.array(adjusted((p * share).tolist()), dtype=np.float64)
    alpha = 1 - config.confidence_level
    significant = q <= alpha + 1e-12
    pairs = np.flatnonzero(significant & ~single)
    pairs = pairs[np.lexsort((pairs, p[pairs]))]
    if len(pairs) > MAX_PAIRS_SHOWN:
        notes.append(f"Of {len(pairs):,} significant pairs the first {MAX_PAIRS_SHOWN} by p-value are listed.")
    listed = np.concatenate([np.flatnonzero(single), pairs[:MAX_PAIRS_SHOWN]])
    error = tested.error.copy()
    for s in listed[np.isnan(error[listed])]:  # pairs of plain rows, of which few are listed
        (i, j), (a, b) = tested.features[s], tested.codes[s]
        loss = judge.loss[(features[i].codes == a) & (features[j].codes == b)]
        error[s] = np.std(loss, ddof=1) / np.sqrt(len(loss))
    counted = judge.counted
    ends = np.array(
        [
            _own(judge, m, mean, e, u, config.confidence_level)
            for m, mean, e, u in zip(
                tested.support[listed], tested.mean[listed], error[listed], tested.units[listed], strict=True
            )
        ]
    ).reshape(-1, 2)
    anew = _anew(
        judge,
        tested,
        listed,
        significant,
        error,
        alpha * significant.sum() / (len(p) * np.maximum(share, 1e-300)),
        config.confidence_level,
    )
    rows = []
    for s, own, new in zip(listed.tolist(), ends.tolist(), anew.tolist(), strict=True):
        (i, j), (a, b) = tested.features[s].tolist(), tested.codes[s].tolist()
        parts = [(features[i].name, features[i].texts[a])] + (
            [] if j < 0 else [(features[j].name, features[j].texts[b])]
        )
        mean = float(tested.mean[s])
        numbers = [1 - mean, 1 - own[1], 1 - own[0]] if counted else [mean, *own]
        rows.append(
            Slice(
                " & ".join(f"{name} {text}" for name, text in parts),
                " & ".join(name for name, _ in parts),
                " & ".join(text for _, text in parts),
                int(tested.support[s]),
                judge.metric,
                numbers[0],
                _known(numbers[1]),
                _known(numbers[2]),
                float(p[s]),
                float(q[s]),
                bool(significant[s]),
                *map(_known, [1 - new[0], 1 - new[2], 1 - new[1]] if counted else new),
            )
        )
    # p-values that differ by rounding only, as those of two halves do, are equal
    return tuple(sorted(rows, key=lambda r: (float(f"{r.p_value:.9g}"), r.slice)))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _own(
    judge: _Plain | _Linearised, m: float, mean: float, error: float, units: float, level: float
) -> tuple[float, float]:
    """Return the interval of a mean loss by itself."""
    from scipy.special import stdtrit

    if judge.counted and isinstance(judge, _Plain):
        return wilson(round(m * mean), m, level)
    if not error > 0:
        return (np.nan, np.nan) if isinstance(judge, _Linearised) else (mean, mean)
    half = float(stdtrit(max(units - 1, 1), (1 + level) / 2)) * error
    return max(0.0, mean - half), min(1.0, mean + half) if judge.counted else mean + half


def _anew(
    judge: _Plain | _Linearised,
    tested: _Tested,
    listed: Integers,
    significant: Booleans,
    error: Floats,
    cut: Floats,
    level: float,
) -> Floats:
    """Return corrected mean loss with its interval for each listed slice; NaN where it is not significant."""
    from scipy.special import ndtri, stdtrit

    out = np.full((len(listed), 3), np.nan)
    at = np.flatnonzero(significant[listed])
    s = listed[at]
    if len(s) == 0:
        return out
    each = 1 - (1 - level) / len(s)
    mean, m = tested.mean[s], tested.support[s]
    pieces = selection.passing(mean, tested.rests[s], tested.tails[s], cut[s])
    if judge.counted and isinstance(judge, _Plain):
        found = selection.of_counts(np.rint(mean * m), m, pieces, each)
        share = (mean * m + 1) / (m + 2)
        spread = np.sqrt(share * (1 - share) / m)
    else:
        high = (1 + each) / 2
        spread = error[s]
        wide = spread * stdtrit(np.maximum(tested.units[s] - 1, 1), high) / ndtri(high)
        sure = np.where(spread > 0, wide, 1.0)
        found = selection.of_means(mean, sure, pieces, each)
    estimate = selection.mixed(found.estimate, mean, tested.rests[s])
    overall = judge.mean
    for side in (mean > overall, mean < overall):
        some = side & (spread > 0)
        estimate[some] = selection.settled(estimate[some], mean[some], spread[some])
    low, high_end = np.maximum(found.low, 0.0), np.minimum(found.high, 1.0) if judge.counted else found.high
    estimate = np.clip(estimate, low, high_end)
    unknown = ~(spread > 0)
    out[at] = np.where(unknown[:, None], np.nan, np.column_stack([estimate, low, high_end]))
    return out
