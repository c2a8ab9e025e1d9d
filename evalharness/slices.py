"""Where a model does better or worse than on the other rows, without findings of noise.

Every condition on one feature, and every pair of conditions on two, that has enough support is tested against
the rest; Benjamini-Hochberg holds the share of false findings over all that were tested.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from evalharness.compare import adjusted
from evalharness.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalharness.schemas import Booleans, Config, Floats, Sample

COLUMNS = (
    "slice", "feature", "condition", "support", "metric", "estimate", "low", "high", "p_value", "q_value",
    "significant",
)  # fmt: skip
MAX_CATEGORIES = 20
MAX_CONDITIONS = 400
MAX_PAIRS_SHOWN = 100
QUARTILES = (0.25, 0.5, 0.75)
_IDENTIFIER = re.compile(r"(^|[_ .-])(id|uuid|guid|key|index|idx|row|rownum)s?$|Id$|ID$", re.ASCII)


@dataclass(frozen=True)
class Slice:
    """One slice: what selects it, its support, its metric with interval, and the test against the rest."""

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


@dataclass(frozen=True, eq=False)
class Condition:
    """A condition on one feature and the rows that fulfil it."""

    feature: str
    text: str
    mask: Booleans


def row_losses(sample: Sample) -> tuple[str, Floats]:
    """Return the metric of slices and each row's contribution: 1 for a wrong class, or the absolute error."""
    if sample.task == "regression":
        return "mean_absolute_error", np.abs(sample.predictions - sample.labels).astype(np.float64)
    return "accuracy", (sample.predictions != sample.labels).astype(np.float64)


def find(sample: Sample, config: Config) -> Slices:
    """Test the slices of a sample.

    For a class metric the slice's errors are hypergeometric when the slice is like a random draw of all rows;
    for an error the slice's mean has the permutation distribution, taken as Pearson type III with its first
    three moments (Mielke & Berry 2007, Permutation Methods, section 2.3). A pair must differ from the rest
    and from the rest of both its parents: its p-value is the largest of the three (an intersection-union
    test, Berger 1982). With weights or groups the difference to the rest is linearised and tested by
    Student's t over rows or groups.
    """
    if sample.frame is None:
        return Slices(reason="no data was given, so there are no features to slice by")
    if config.max_slice_features == 0:
        return Slices(reason="max_slice_features is 0")
    support = config.min_support or max(30, -(-sample.n // 100))
    if sample.n < 2 * support:
        return Slices(
            min_support=support,
            reason=f"{sample.n:,} rows are too few for two parts of {support:,} (min_support)",
        )
    skipped: list[tuple[str, str]] = []
    conditions = [c for c in _conditions(sample.frame, skipped) if support <= int(c.mask.sum()) <= sample.n - support]
    notes: list[str] = []
    if sample.weights is None and sample.groups is None:
        drafts = _plain(sample, config, conditions, support, notes)
    else:
        drafts = _linearised(sample, config, conditions)
        if config.max_slice_features > 1:
            notes.append("Two-feature slices are tested only without weights and groups.")
    q_values = adjusted([draft["p_value"] for draft in drafts])
    rows, pairs = [], []
    for draft, q in zip(drafts, q_values, strict=True):
        assert q is not None
        significant = q <= 1 - config.confidence_level + 1e-12
        row = Slice(**{k: v for k, v in draft.items() if k != "pair"}, q_value=q, significant=significant)
        if not draft["pair"]:
            rows.append(row)
        elif significant:
            pairs.append(row)
    pairs.sort(key=lambda r: (r.p_value, r.slice))
    if len(pairs) > MAX_PAIRS_SHOWN:
        notes.append(f"Of {len(pairs):,} significant pairs the first {MAX_PAIRS_SHOWN} by p-value are listed.")
    found = sorted([*rows, *pairs[:MAX_PAIRS_SHOWN]], key=lambda r: (r.p_value, r.slice))
    return Slices(tuple(found), len(drafts), support, tuple(skipped), tuple(notes))


# Conditions ---------------------------------------------------------------------------------------


def _conditions(frame: Any, skipped: list[tuple[str, str]]) -> Iterator[Condition]:
    for i, label in enumerate(frame.columns):
        name, column = str(label), frame.iloc[:, i]
        try:
            yield from _of_column(name, column, skipped)
        except TypeError as error:  # values that cannot be hashed or compared
            skipped.append((name, f"its values cannot be compared ({error})"))


def _of_column(name: str, column: Any, skipped: list[tuple[str, str]]) -> Iterator[Condition]:
    import pandas as pd

    missing = column.isna().to_numpy()
    if missing.all():
        skipped.append((name, "all values are missing"))
        return
    present = column[~missing]
    kind = getattr(column.dtype, "kind", "O")
    numeric = pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype)
    dates = pd.api.types.is_datetime64_any_dtype(column.dtype)
    if kind == "c" or not (numeric or dates or _nameable(present)):
        skipped.append(
            (
                name,
                (f"values of type {column.dtype if kind == 'c' else type(present.iloc[0]).__name__} are not supported"),
            )
        )
        return
    distinct = int(present.nunique())
    gone = bool(missing.any())
    if distinct == 1 and not gone:
        skipped.append((name, "constant"))
        return
    if numeric and distinct > 10:
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        whole = distinct == len(present) and bool(np.all(values[~missing] % 1 == 0))
        if whole and len(present) > 20 and (_IDENTIFIER.search(name) or bool(np.all(np.diff(values[~missing]) == 1))):
            skipped.append((name, "identifier-like: every row has its own whole number"))
            return
        yield from _binned(name, values, missing, lambda cut: f"{cut:.6g}")
    elif dates and distinct > 10:
        stamps = (
            column.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(column.dt, "tz", None) is not None else column
        )
        values = stamps.to_numpy().astype("datetime64[us]").astype(np.int64).astype(np.float64)
        yield from _binned(
            name, values, missing, lambda cut: str(np.datetime64(int(cut), "us").astype("datetime64[s]"))
        )
    elif distinct > max(20, len(present) // 2):
        skipped.append((name, f"identifier-like: {distinct:,} different values in {len(present):,} rows"))
        return
    else:
        codes, values = pd.factorize(column)
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        shown = [v.item() if isinstance(v, np.generic) else v for v in values]
        for code in sorted(
            np.lexsort((np.array([str(v) for v in shown]), -counts))[:MAX_CATEGORIES],
            key=lambda c: str(shown[c]),
        ):
            yield Condition(
                name,
                f"= {shown[code]!r}" if isinstance(shown[code], str) else f"= {shown[code]}",
                codes == code,
            )
    if gone:
        yield Condition(name, "is missing", missing)


def _nameable(present: Any) -> bool:
    import datetime as dt
    import decimal

    plain = (str, bytes, bool, int, float, np.generic, dt.date, dt.time, decimal.Decimal)
    return all(
        issubclass(kind, plain) or kind.__name__ in ("Interval", "Period", "Timedelta")
        for kind in set(map(type, present.tolist()))
    )


def _binned(name: str, values: Floats, missing: Booleans, show: Any) -> Iterator[Condition]:
    """Cut at quartiles that are values of the column, so that nothing depends on interpolation."""
    cuts = np.unique(np.quantile(values[~missing], QUARTILES, method="inverted_cdf"))
    cuts = cuts[cuts < values[~missing].max()]
    filled = np.where(missing, np.nan, values)
    for i in range(len(cuts) + 1):
        with np.errstate(invalid="ignore"):
            if i == 0:
                yield Condition(name, f"<= {show(cuts[0])}", filled <= cuts[0])
            elif i == len(cuts):
                yield Condition(name, f"> {show(cuts[-1])}", filled > cuts[-1])
            else:
                text = f"in ({show(cuts[i - 1])}, {show(cuts[i])}]"
                yield Condition(name, text, (filled > cuts[i - 1]) & (filled <= cuts[i]))


# Tests on plain rows ------------------------------------------------------------------------------


def _plain(
    sample: Sample, config: Config, conditions: list[Condition], least: int, notes: list[str]
) -> list[dict[str, Any]]:
    metric, loss = row_losses(sample)
    n, c = sample.n, len(conditions)
    if c == 0:
        return []
    two = config.max_slice_features > 1
    if two and c > MAX_CONDITIONS:
        notes.append(f"Two-feature slices were left out: {c:,} conditions are more than {MAX_CONDITIONS}.")
        two = False
    # whole numbers on a grid, so that sums do not depend on their order
    bits = max(1, 52 - int(np.ceil(np.log2(n))))
    top = float(loss.max())
    exponent = 0 if metric == "accuracy" or top == 0 else bits - int(np.frexp(top)[1])
    grid = np.rint(np.ldexp(loss, exponent))
    squares = loss**2 if metric != "accuracy" else loss
    most = float(squares.max())
    shift = 0 if metric == "accuracy" or most == 0 else bits - int(np.frexp(most)[1])
    square_grid = np.rint(np.ldexp(squares, shift))
    count, total, square = np.zeros((c, c)), np.zeros((c, c)), np.zeros((c, c))
    step = max(1, (1 << 21) // c)
    for start in range(0, n, step):
        part = slice(start, start + step)
        table = np.column_stack([condition.mask[part] for condition in conditions]).astype(np.float64)
        if two:
            count += table.T @ table
            total += table.T @ (table * grid[part, None])
            square += table.T @ (table * square_grid[part, None])
        else:
            count[np.diag_indices(c)] += table.sum(axis=0)
            total[np.diag_indices(c)] += grid[part] @ table
            square[np.diag_indices(c)] += square_grid[part] @ table
    total, square = np.ldexp(total, -exponent), np.ldexp(square, -shift)
    single = np.arange(c)
    first, second = [single], [single]
    if two:
        i, j = np.triu_indices(c, 1)
        names = np.array(_numbers([condition.feature for condition in conditions]))
        enough = (names[i] != names[j]) & (count[i, j] >= least)
        # a pair must leave something of each parent, or it is the parent
        enough &= (count[i, i] - count[i, j] >= least / 2) & (count[j, j] - count[i, j] >= least / 2)
        first.append(i[enough])
        second.append(j[enough])
    a, b = np.concatenate(first), np.concatenate(second)
    m, x = count[a, b], total[a, b]
    moments = _moments(loss)
    p = _against(metric, np.full(len(m), float(n)), float(np.sum(loss)), moments, m, x)
    pair = a != b
    if pair.any():
        parents = [_moments(loss[condition.mask]) for condition in conditions]
        for parent in (a[pair], b[pair]):
            whole = np.array([parents[q] for q in parent]).T
            inner = _against(
                metric,
                count[parent, parent],
                total[parent, parent],
                (whole[0], whole[1], whole[2]),
                m[pair],
                x[pair],
            )
            p[pair] = np.maximum(p[pair], inner)
    drafts = []
    for q in range(len(m)):
        one, other = conditions[a[q]], conditions[b[q]]
        low, high = _own_interval(metric, m[q], x[q], square[a[q], b[q]], config.confidence_level)
        mean = float(x[q] / m[q])
        drafts.append(
            {
                **_named(one, other if pair[q] else None),
                "support": int(m[q]),
                "metric": metric,
                "estimate": 1 - mean if metric == "accuracy" else mean,
                "low": low,
                "high": high,
                "p_value": float(p[q]),
                "pair": bool(pair[q]),
            }
        )
    return drafts


def _numbers(names: list[str]) -> list[int]:
    seen: dict[str, int] = {}
    return [seen.setdefault(name, len(seen)) for name in names]


def _named(one: Condition, other: Condition | None) -> dict[str, str]:
    if other is None:
        return {"slice": f"{one.feature} {one.text}", "feature": one.feature, "condition": one.text}
    return {
        "slice": f"{one.feature} {one.text} & {other.feature} {other.text}",
        "feature": f"{one.feature} & {other.feature}",
        "condition": f"{one.text} & {other.text}",
    }


def _moments(loss: Floats) -> tuple[float, float, float]:
    """Return mean, variance (divisor n) and skewness."""
    mean = float(loss.mean())
    centred = loss - mean
    variance = float(np.mean(centred**2))
    return mean, variance, float(np.mean(centred**3)) / variance**1.5 if variance > 0 else 0.0


def _against(metric: str, n: Floats, total: Any, moments: Any, m: Floats, x: Floats) -> Floats:
    """Two-sided p-value of a sum `x` over `m` of `n` rows, drawn at random from rows of given moments."""
    from scipy.special import gammainc, gammaincc, ndtr

    total = np.broadcast_to(np.asarray(total, dtype=float), m.shape)
    mean, variance, skew = (np.broadcast_to(np.asarray(v, dtype=float), m.shape) for v in moments)
    ok = (n > 2) & (m < n) & (variance > 0)
    safe_n, safe_m = np.where(ok, n, 4.0), np.where(ok, m, 2.0)
    spread = np.sqrt(np.where(ok, variance, 1.0) * safe_m * (safe_n - safe_m) / (safe_n - 1))
    gamma = skew * (safe_n - 2 * safe_m) / (safe_n - 2) * np.sqrt((safe_n - 1) / (safe_m * (safe_n - safe_m)))

    flat = np.abs(gamma) < 1e-4
    bend = np.where(flat, 1.0, gamma)
    shape = 4 / bend**2

    def beyond(z: Floats, side: int) -> Floats:
        """Probability above z (side 1) or below it (side -1), each tail computed as such."""
        place = np.maximum(shape + 2 * z / bend, 0.0)
        tail = np.where(side * gamma > 0, gammaincc(shape, place), gammainc(shape, place))
        return np.asarray(np.where(flat, ndtr(-side * z), tail))

    step = 0.5 if metric == "accuracy" else 0.0
    upper = beyond((x - step - safe_m * mean) / spread, 1)
    lower = beyond((x + step - safe_m * mean) / spread, -1)
    p = np.minimum(1.0, 2 * np.minimum(upper, lower))
    if metric == "accuracy":
        smallest = np.minimum.reduce([m * total, m * (n - total), (n - m) * total, (n - m) * (n - total)]) / np.maximum(
            n, 1
        )
        exact = ok & (smallest < 25)
        if exact.any():
            from scipy.stats import hypergeom

            law = hypergeom(n[exact], total[exact], m[exact])
            p[exact] = np.minimum(1.0, 2 * np.minimum(law.cdf(x[exact]), law.sf(x[exact] - 1)))
    return np.asarray(np.where(ok, p, 1.0))


def _own_interval(metric: str, m: float, x: float, square: float, level: float) -> tuple[float | None, float | None]:
    if metric == "accuracy":
        return wilson(m - x, m, level)
    from scipy.special import stdtrit

    variance = max(0.0, square / m - (x / m) ** 2) * m / max(m - 1, 1)
    half = float(stdtrit(m - 1, (1 + level) / 2)) * np.sqrt(variance / m)
    return max(0.0, float(x / m - half)), float(x / m + half)


# Weights and groups -------------------------------------------------------------------------------


def _linearised(sample: Sample, config: Config, conditions: list[Condition]) -> list[dict[str, Any]]:
    """Test slice against rest by linearised weighted means (Binder 1983, Int. Stat. Review 51(3))."""
    from scipy.special import stdtr, stdtrit

    metric, loss = row_losses(sample)
    w = sample.weights if sample.weights is not None else np.ones(sample.n)

    def variance(pull: Floats) -> tuple[float, float]:
        by_unit = pull if sample.groups is None else np.bincount(sample.groups, weights=pull)
        pull = np.asarray(by_unit[by_unit != 0], dtype=np.float64)
        units = len(pull)
        return (float(np.sum(pull**2)) * units / (units - 1), units - 1.0) if units > 1 else (0.0, 0.0)

    drafts = []
    for condition in conditions:
        inside = np.where(condition.mask, w, 0.0)
        outside = w - inside
        if inside.sum() == 0 or outside.sum() == 0:
            continue
        mean, rest = (
            float(np.sum(inside * loss) / inside.sum()),
            float(np.sum(outside * loss) / outside.sum()),
        )
        own = inside * (loss - mean) / inside.sum()
        spread, df = variance(own)
        both, df_both = variance(own - outside * (loss - rest) / outside.sum())
        p = 1.0 if both == 0 else float(2 * stdtr(df_both, -abs(mean - rest) / np.sqrt(both)))
        estimate = 1 - mean if metric == "accuracy" else mean
        low = high = None
        if spread > 0:
            half = float(stdtrit(df, (1 + config.confidence_level) / 2)) * np.sqrt(spread)
            low, high = max(0.0, estimate - half), estimate + half
            high = min(1.0, high) if metric == "accuracy" else high
        drafts.append(
            {
                **_named(condition, None),
                "support": int(condition.mask.sum()),
                "metric": metric,
                "estimate": estimate,
                "low": low,
                "high": high,
                "p_value": p,
                "pair": False,
            }
        )
    return drafts
