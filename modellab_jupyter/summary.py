"""A table in a bounded number of figures: enough to show it, and to tell drift when the table itself is gone."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa

POINTS, LABELS = 256, 50  # what is kept of a column, where a table has few
_MOST_POINTS, _MOST_LABELS = 100_000, 20_000  # and of a whole table
_LABEL: Final = 100  # characters
_LARGEST: Final = 1.7976931348623157e308
_UNITS: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}

ColumnKind = Literal["number", "time", "category", "other"]


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a column.

    Attributes
    ----------
    n, missing, infinite : int
        Rows, and how many of them have no value, or an infinite one.
    distinct : int or None
        Different values; None where nobody counted, as for lists.
    mean, std : float or None
        Of the finite numbers; `std` with n - 1. Times are seconds since 1970-01-01 UTC.
    values, below, up_to : tuple
        Sorted values, of which the first is the least and the last the greatest, and how many rows lie below each and
        up to each: the distribution function, exact at these values. All values where there are few.
    labels : tuple of (str, int)
        The most frequent categories with their rows, the most frequent first.
    """

    name: str
    type: str
    kind: ColumnKind
    n: int
    missing: int = 0
    infinite: int = 0
    distinct: int | None = None
    mean: float | None = None
    std: float | None = None
    values: tuple[float, ...] = ()
    below: tuple[int, ...] = ()
    up_to: tuple[int, ...] = ()
    labels: tuple[tuple[str, int], ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every value that occurs is among `values` or `labels`."""
        return self.distinct == (len(self.labels) if self.kind == "category" else len(self.values))

    def quantile(self, q: float) -> float | None:
        """Return the least kept value up to which a share `q` of the values lies; None where there is none."""
        import numpy as np

        if not len(self.values):
            return None
        return float(self.values[int(np.searchsorted(self.up_to, q * (self.n - self.missing)))])


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Rows and columns of a table."""

    rows: int
    columns: tuple[Column, ...]

    def frame(self) -> pd.DataFrame:
        """Return a row for each column; times as timestamps in UTC."""
        import pandas as pd

        quantiles = {"min": 0.0, "q25": 0.25, "median": 0.5, "q75": 0.75, "max": 1.0}
        rows = []
        for c in self.columns:
            found: dict[str, Any] = {"mean": c.mean, **{name: c.quantile(q) for name, q in quantiles.items()}}
            if c.kind == "time":
                found = {k: None if v is None else pd.Timestamp(v, unit="s", tz="UTC") for k, v in found.items()}
            top = ", ".join(f"{text} ({count})" for text, count in c.labels[:5])
            rows.append({
                "column": c.name, "type": c.type, "rows": c.n, "missing": c.missing, "distinct": c.distinct,
                **found, "std": c.std, "top": top,
            })  # fmt: skip
        return pd.DataFrame(rows)

    def encode(self) -> bytes:
        """Return the summary as JSON."""
        return msgspec.json.encode(self)


def decode(data: bytes) -> Summary:
    """Return a summary from its JSON."""
    return msgspec.json.decode(data, type=Summary)


def summarise(table: pa.Table, *, points: int | None = None, labels: int | None = None) -> Summary:
    """Return the summary of a table; `points` and `labels` say how much is kept of a column.

    With more than `POINTS`, which is for comparing at once and not for keeping, `values` and counts are arrays.
    """
    width = max(table.num_columns, 1)
    points = min(POINTS, max(16, _MOST_POINTS // width)) if points is None else points
    labels = min(LABELS, max(5, _MOST_LABELS // width)) if labels is None else labels
    columns = (_column(field.name, table.column(i), points, labels) for i, field in enumerate(table.schema))
    return Summary(rows=len(table), columns=tuple(columns))


def type_name(kind: pa.DataType) -> str:
    """Return the name of a type as content has it: how texts are laid out, or the unit of a time, does not matter."""
    import pyarrow.types as is_

    if is_.is_floating(kind):
        return f"float{kind.bit_width}"
    if is_.is_boolean(kind):
        return "bool"
    if is_.is_string(kind) or is_.is_large_string(kind) or is_.is_string_view(kind):
        return "string"
    if is_.is_binary(kind) or is_.is_large_binary(kind) or is_.is_binary_view(kind) or is_.is_fixed_size_binary(kind):
        return "bytes"
    if is_.is_decimal(kind):
        return "decimal"
    if is_.is_timestamp(kind):
        return f"datetime[{kind.tz}]" if kind.tz else "datetime"
    if is_.is_temporal(kind):
        return "date" if is_.is_date(kind) else "time" if is_.is_time(kind) else str(kind).partition("[")[0]
    if is_.is_struct(kind):
        return f"struct<{', '.join(sorted(f'{f.name}: {type_name(f.type)}' for f in kind))}>"
    if is_.is_map(kind):
        return f"map<{type_name(kind.key_type)}, {type_name(kind.item_type)}>"
    if is_.is_dictionary(kind) or hasattr(kind, "value_type"):
        inner = type_name(kind.value_type)
        return inner if is_.is_dictionary(kind) else f"list<{inner}>"
    return str(kind)


def seconds(array: pa.Array) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return times or durations as whole seconds and the nanoseconds above them; 0 where missing."""
    import pyarrow as pa

    factor = _UNITS[array.type.unit]
    whole = array.cast(pa.int32()).cast(pa.int64()) if array.type.bit_width == 32 else array.cast(pa.int64())
    ticks = whole.fill_null(0).to_numpy(zero_copy_only=False)
    full = ticks // factor
    return full, (ticks - full * factor) * (1_000_000_000 // factor)


def label(text: str) -> str:
    """Return a category as it is kept: a long one is cut, with a digest so that it stays itself."""
    if len(text) <= _LABEL:
        return text
    return f"{text[:_LABEL]}… ({hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:12]})"


def _column(name: str, column: pa.ChunkedArray, points: int, labels: int) -> Column:
    import pyarrow as pa
    import pyarrow.types as is_

    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = array.type
    known: dict[str, Any] = {"name": name, "type": type_name(kind), "n": len(array), "missing": array.null_count}
    if is_.is_integer(kind) or is_.is_floating(kind) or is_.is_decimal(kind):
        values = (array.cast(pa.float64()) if is_.is_decimal(kind) else array).drop_null().to_numpy()
        if values.dtype.kind == "f":
            values = values[values == values]
        return Column(kind="number", **(known | _numbers(values, len(array), points)))
    if is_.is_date(kind):
        days = array.cast(pa.date32()).cast(pa.int32()).drop_null().to_numpy()
        return Column(kind="time", **known | _numbers(days.astype("i8") * 86_400, len(array), points))
    if is_.is_temporal(kind) and hasattr(kind, "unit") and kind.bit_width in {32, 64}:
        full, rest = seconds(array.drop_null())
        numbers = _numbers(full + rest / 1e9, len(array), points)
        return Column(kind="time" if is_.is_timestamp(kind) else "number", **known | numbers)
    if is_.is_boolean(kind) or type_name(kind) == "string":
        return Column(kind="category", **known | _categories(array, labels))
    return Column(kind="other", **known)


def _numbers(values: np.ndarray[Any, Any], rows: int, points: int) -> dict[str, Any]:
    import numpy as np

    n = len(values)
    if not n:
        return {"missing": rows, "distinct": 0}
    ranked = np.sort(values)
    distinct = 1 + int(np.count_nonzero(ranked[1:] != ranked[:-1]))
    if distinct <= points + 1:
        kept = ranked[np.concatenate([[True], ranked[1:] != ranked[:-1]])]
    else:
        kept = np.unique(ranked[np.round(np.linspace(0, n - 1, points + 1)).astype(np.int64)])
    pack: Any = (lambda array: tuple(array.tolist())) if points <= POINTS else lambda array: array
    infinite = int(np.isinf(values).sum()) if values.dtype.kind == "f" else 0
    finite = values[np.isfinite(values)] if infinite else values
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(finite.mean(dtype=np.float64)) if len(finite) else math.nan
        std = float(finite.std(ddof=1, dtype=np.float64)) if len(finite) > 1 else math.nan
    return {
        "missing": rows - n,
        "infinite": infinite,
        "distinct": distinct,
        "mean": mean if math.isfinite(mean) else None,
        "std": std if math.isfinite(std) else None,
        "values": pack(np.clip(kept.astype(np.float64), -_LARGEST, _LARGEST)),
        "below": pack(np.searchsorted(ranked, kept, "left")),
        "up_to": pack(np.searchsorted(ranked, kept, "right")),
    }


def _categories(array: pa.Array, labels: int) -> dict[str, Any]:
    import numpy as np
    import pyarrow.compute as pc

    counted = pc.value_counts(array.drop_null())
    counts = counted.field("counts").to_numpy()
    order = np.argsort(-counts, kind="stable")[:labels]
    texts = counted.field("values").take(order).to_pylist()
    kept = [label(value if isinstance(value, str) else str(value).lower()) for value in texts]
    return {"distinct": len(counts), "labels": tuple(zip(kept, counts[order].tolist(), strict=True))}
