"""Columns into conditions: each feature parts the rows by a bin, a category, a part of the calendar or absence."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from evalharness.schemas import Booleans, Floats, Integers, Sample

MAX_CATEGORIES = 20
FEW_NUMBERS = 10
QUARTILES = (0.25, 0.5, 0.75)
DECILES = tuple(i / 10 for i in range(1, 10))
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAY_PARTS = ("00:00 to 05:59", "06:00 to 11:59", "12:00 to 17:59", "18:00 to 23:59")
QUARTERS = ("January to March", "April to June", "July to September", "October to December")
_IDENTIFIER = re.compile(r"(^|[_ .-])(id|uuid|guid|key|index|idx|row|rownum)s?$|Id$|ID$|^Unnamed: \d+$", re.ASCII)


@dataclass(frozen=True, eq=False)
class Feature:
    """Conditions on one feature, of which every row meets at most one.

    Attributes
    ----------
    name : str
    source : int
        The column it is made from; -1 where it is the model's own answer.
    texts : tuple of str
        What each condition says, as ``<= 3`` or ``= 'Oslo'``.
    codes : ndarray of shape (n,), uint8
        The condition each row meets; ``len(texts)`` where it meets none.
    """

    name: str
    source: int
    texts: tuple[str, ...]
    codes: np.ndarray[Any, Any]


def of_frame(frame: Any, skipped: list[tuple[str, str]]) -> Iterator[Feature]:
    """Yield the features of a table; columns that cannot be sliced go to `skipped` with the reason.

    Numbers of more than ten values are cut at their quartiles, times at theirs and by weekday, time of day and
    quarter of the year where these vary; all else is taken by value, the twenty most frequent of each column.
    Missing values are a condition of their own.
    """
    for i, label in enumerate(frame.columns):
        name, column = str(label), frame.iloc[:, i]
        try:
            yield from _of_column(name, i, column, skipped)
        except (
            TypeError,
            ValueError,
            OverflowError,
            NotImplementedError,
        ) as error:  # values that cannot be hashed, compared or counted
            skipped.append((name, f"its values cannot be compared ({error})"))


def of_model(sample: Sample) -> Feature | None:
    """Return deciles of the probability of the predicted class, or of the prediction for regression."""
    if sample.task == "regression":
        name, values = "the prediction", sample.predictions.astype(np.float64)
    elif sample.probabilities is None:
        return None
    else:
        name, values = "the model's confidence", confidence(sample)
    if values.min() == values.max():
        return None
    return _binned(name, -1, values, np.zeros(len(values), dtype=bool), DECILES, _short)


def confidence(sample: Sample) -> Floats:
    """Return the probability of the predicted class, in each row."""
    assert sample.probabilities is not None
    return np.asarray(sample.probabilities[np.arange(sample.n), sample.predictions], dtype=np.float64)


def _of_column(name: str, source: int, column: Any, skipped: list[tuple[str, str]]) -> Iterator[Feature]:
    import pandas as pd

    missing = column.isna().to_numpy()
    if missing.all():
        skipped.append((name, "all values are missing"))
        return
    kind = getattr(column.dtype, "kind", "O")
    if kind == "c":
        skipped.append((name, f"values of type {column.dtype} are not supported"))
        return
    if kind == "O" and not isinstance(column.dtype, pd.CategoricalDtype):
        column = _sharpened(column)
    dates = pd.api.types.is_datetime64_any_dtype(column.dtype)
    if dates:
        yield from _of_times(name, source, column, missing, skipped)
    elif pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_bool_dtype(column.dtype):
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
        if _many(values[~missing], FEW_NUMBERS):
            if _identifies(name, values[~missing]):
                skipped.append((name, "identifier-like: every row has its own whole number"))
                return
            yield _binned(name, source, values, missing, QUARTILES, _short)
        else:
            yield from _by_value(name, source, column, missing, skipped)
    else:
        yield from _by_value(name, source, column, missing, skipped)


def _sharpened(column: Any) -> Any:
    """Give a column of Python dates or decimals the type it would have been given."""
    import pandas as pd

    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("date", "datetime", "datetime64"):
        return pd.to_datetime(column)
    return column.astype(np.float64) if kind == "decimal" else column


def _many(values: Floats, few: int) -> bool:
    return len(np.unique(values[:1000])) > few or len(np.unique(values)) > few


def _identifies(name: str, values: Floats) -> bool:
    if len(values) <= MAX_CATEGORIES or not bool(np.all(np.isfinite(values) & (np.floor(values) == values))):
        return False
    if bool(np.all(np.diff(values) == 1)):
        return True
    return bool(_IDENTIFIER.search(name)) and len(np.unique(values)) == len(values)


def _short(value: float) -> str:
    return f"{value + 0.0:.6g}"  # 0, not -0


def _of_times(
    name: str, source: int, column: Any, missing: Booleans, skipped: list[tuple[str, str]]
) -> Iterator[Feature]:
    local = column if getattr(column.dt, "tz", None) is None else column.dt.tz_localize(None)
    stamps = column if local is column else column.dt.tz_convert("UTC").dt.tz_localize(None)
    values = stamps.to_numpy().astype("datetime64[us]").astype(np.int64).astype(np.float64)
    if not _many(values[~missing], FEW_NUMBERS):
        yield from _by_value(name, source, column, missing, skipped)
    else:
        yield _binned(
            name, source, values, missing, QUARTILES, lambda v: str(np.datetime64(int(v), "us").astype("datetime64[s]"))
        )
    seconds = np.where(missing, 0, local.to_numpy().astype("datetime64[s]").astype(np.int64))
    days, clock = seconds // 86400, seconds % 86400
    months = seconds.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    for part, texts, codes in (
        ("weekday", WEEKDAYS, (days + 3) % 7),  # the first of January 1970 was a Thursday
        ("time of day", DAY_PARTS, clock // 21600),
        ("quarter of the year", QUARTERS, months % 12 // 3),
    ):
        present = codes[~missing]
        if present.min() < present.max() and not (part == "time of day" and not clock[~missing].any()):
            held = np.where(missing, len(texts), codes).astype(np.uint8)
            yield Feature(f"{name} ({part})", source, tuple(f"= {text}" for text in texts), held)


def _by_value(
    name: str, source: int, column: Any, missing: Booleans, skipped: list[tuple[str, str]]
) -> Iterator[Feature]:
    import pandas as pd

    try:
        codes, values = pd.factorize(column)
    except TypeError:  # values that cannot be hashed
        odd = next(v for v in column[~missing] if not _nameable(v))
        skipped.append((name, f"values of type {type(odd).__name__} are not supported"))
        return
    present = len(column) - int(missing.sum())
    odd = next((v for v in values if not _nameable(v)), None)
    if odd is not None:
        skipped.append((name, f"values of type {type(odd).__name__} are not supported"))
        return
    if len(values) == 1 and present == len(column):
        skipped.append((name, "constant"))
        return
    if len(values) > max(MAX_CATEGORIES, present // 2):
        skipped.append((name, f"identifier-like: {len(values):,} different values in {present:,} rows"))
        return
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    shown = [v.item() if isinstance(v, np.generic) else v for v in values]
    words = [repr(v) if isinstance(v, str) else str(v) for v in shown]
    frequent = np.lexsort((np.array([str(v) for v in shown]), -counts))[:MAX_CATEGORIES]
    listed = sorted(frequent.tolist(), key=lambda c: str(shown[c]))
    place = np.full(len(values) + 1, len(listed), dtype=np.uint8)
    place[listed] = np.arange(len(listed))
    yield _with_missing(name, source, [f"= {words[c]}" for c in listed], place[codes], missing)


def _nameable(value: Any) -> bool:
    import datetime as dt
    import decimal

    plain = (str, bytes, bool, int, float, np.generic, dt.date, dt.time, dt.timedelta, decimal.Decimal)
    return isinstance(value, plain) or type(value).__name__ in ("Interval", "Period")


def _binned(
    name: str, source: int, values: Floats, missing: Booleans, shares: tuple[float, ...], show: Callable[[float], str]
) -> Feature:
    """Cut at quantiles that are values of the column, so that nothing depends on interpolation."""
    present = values[~missing]
    cuts = np.unique(np.quantile(present, shares, method="inverted_cdf"))
    cuts = cuts[cuts < present.max()]
    texts = [f"<= {show(cuts[0])}"] if len(cuts) else []
    texts += [f"in ({show(a)}, {show(b)}]" for a, b in itertools.pairwise(cuts)]
    texts += [f"> {show(cuts[-1])}"] if len(cuts) else ["= any"]
    return _with_missing(name, source, texts, np.searchsorted(cuts, values, side="left").astype(np.uint8), missing)


def _with_missing(name: str, source: int, texts: list[str], codes: Integers | Any, missing: Booleans) -> Feature:
    if missing.any():
        codes = np.where(missing, len(texts), codes + (codes >= len(texts))).astype(np.uint8)
        texts = [*texts, "is missing"]
    return Feature(name, source, tuple(texts), codes)
