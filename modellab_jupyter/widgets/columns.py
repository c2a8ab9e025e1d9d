"""Rows in any usual form -> Arrow tables -> the columns that are saved or sent."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.words import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

PART = b"modellab.part"
"""Metadata of a column that belongs to a metric: ``low``, ``high`` or ``n``."""


def as_table(rows: Any) -> pa.Table:
    """Return an Arrow table from Arrow, pandas, a list of records, or columns by name.

    A column whose values have no common type becomes text.

    Raises
    ------
    TypeError
        If `rows` is none of these.
    """
    import pyarrow as pa

    if rows is None:
        return pa.table({})
    if isinstance(rows, pa.Table):
        return rows
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        named: dict[str, Any] = {str(name): rows.iloc[:, i] for i, name in enumerate(rows.columns)}
    elif isinstance(rows, dict):
        named = {str(name): list(values) for name, values in rows.items()}
    elif isinstance(rows, list | tuple) and all(isinstance(r, dict) for r in rows):
        names = list(dict.fromkeys(str(name) for r in rows for name in r))
        named = {name: [r.get(name) for r in rows] for name in names}
    else:
        raise TypeError(
            f"rows must be an Arrow table, a DataFrame, a list of dicts or columns by name, got {type(rows).__name__}"
        )
    return pa.table({_utf8(name): _array(values) for name, values in named.items()})


def _array(values: Any) -> pa.Array:
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeEncodeError):
        # Nothing in common, a whole number beyond 64 bits, or half of a letter: as text it can be shown.
        return pa.array([None if _is_missing(v) else _utf8(str(v)) for v in values], pa.string())


def _is_missing(value: Any) -> bool:
    return (
        value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NaTType", "NAType")
    )


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")


def metric_parts(runs: pa.Table) -> dict[str, dict[str, str]]:
    """Return each metric column of a runs table with those that belong to it, by ``low``, ``high`` and ``n``.

    Fields that carry :data:`PART` say so themselves. In a table where none does, names tell: ``.low`` and
    ``.high`` beside each other and beside their metric, and ``.n`` beside it.
    """
    columns = dict.fromkeys(n for n in runs.column_names if n.startswith("metrics."))
    marks = {f.name: f.metadata[PART].decode() for f in runs.schema if f.metadata and PART in f.metadata}

    def is_part(owner: str, end: str) -> bool:
        name = f"{owner}.{end}"
        if name not in columns or owner not in columns:
            return False
        if marks:
            return marks.get(name) == end
        return end == "n" or (f"{owner}.low" in columns and f"{owner}.high" in columns)

    ends = ("low", "high", "n")
    found = {owner: {end: f"{owner}.{end}" for end in ends if is_part(owner, end)} for owner in columns}
    parts = {name for mine in found.values() for name in mine.values()}
    return {owner: mine for owner, mine in found.items() if owner not in parts}


def marked_parts(runs: pa.Table, columns: Sequence[dict[str, Any]]) -> None:
    """Write into the descriptions of the columns of a runs table which of them are parts of a metric."""
    parts = {name for mine in metric_parts(runs).values() for name in mine.values()}
    for column in columns:
        if column["name"].startswith("metrics."):
            column["part"] = column["name"] in parts


def kind_of(type_: pa.DataType) -> str:
    """Return how a column is shown: ``number``, ``time``, ``bool``, ``list`` or ``text``."""
    import pyarrow as pa

    if pa.types.is_boolean(type_):
        return "bool"
    if pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_):
        return "number"
    if pa.types.is_timestamp(type_) or pa.types.is_date(type_):
        return "time"
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return "list"
    return "text"


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """Return the values of a column as text, None where missing."""
    return [None if v is None else v if isinstance(v, str) else str(v) for v in column.to_pylist()]


def json_table(table: pa.Table, digits: int = 9) -> dict[str, Any]:
    """Return rows and columns as JSON values; numbers keep `digits` significant digits."""
    columns = [_json_column(name, table.column(i), digits) for i, name in enumerate(table.column_names)]
    return {"rows": table.num_rows, "columns": columns}


def _json_column(name: str, column: pa.ChunkedArray, digits: int) -> dict[str, Any]:
    kind = kind_of(column.type)
    made: dict[str, Any] = {"name": name, "kind": kind}
    if kind == "number":
        made["values"] = [short(v, digits) for v in column.to_pylist()]
    elif kind == "time":
        made["values"] = [None if ms is None else _iso(ms) for ms in _milliseconds(column).to_pylist()]
    elif kind == "bool":
        made["values"] = column.to_pylist()
    elif kind == "list":
        made["values"] = [None if v is None else [cut(str(x)) for x in v] for v in column.to_pylist()]
    else:
        values = [None if v is None else cut(v) for v in texts(column)]
        levels = list(dict.fromkeys(v for v in values if v is not None))
        if len(levels) * 2 < len(values):
            place = {level: i for i, level in enumerate(levels)}
            made |= {"levels": levels, "codes": [-1 if v is None else place[v] for v in values]}
        else:
            made["values"] = values
    return made


def short(value: Any, digits: int = 9) -> float | int | None:
    """Return a finite number with that many significant digits, whole ones without a point; else None."""
    if value is None or isinstance(value, int):
        return value
    number = float(value)
    if not math.isfinite(number):
        return None
    short = float(f"{number:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def _milliseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa
    import pyarrow.compute as pc

    zone = getattr(column.type, "tz", None)
    return pc.cast(pc.cast(column, pa.timestamp("ms", tz=zone), safe=False), pa.int64())


def _iso(ms: int) -> str:
    from datetime import UTC, datetime, timedelta

    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def binary_table(table: pa.Table) -> tuple[dict[str, Any], bytes]:
    """Return the description of a table and its columns as one block of bytes.

    Numbers and times (milliseconds since 1970 UTC) are little-endian float64 with NaN for missing, booleans
    bytes with 2 for missing, texts and lists (as JSON) UTF-8 with int32 ends and a byte that says whether
    there is a value. ``at`` gives the offset of each piece, all multiples of eight.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    pieces: list[bytes] = []
    size = 0

    def put(piece: bytes) -> int:
        nonlocal size
        at = size
        pieces.append(piece + bytes(-len(piece) % 8))
        size += len(pieces[-1])
        return at

    columns: list[dict[str, Any]] = []
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        kind = kind_of(column.type)
        if kind in ("number", "time"):
            numbers = pc.cast(column if kind == "number" else _milliseconds(column), pa.float64(), safe=False)
            values = numbers.combine_chunks().to_numpy(zero_copy_only=False)
            at = [put(np.ascontiguousarray(values, "<f8").tobytes())]
        elif kind == "bool":
            flags = pc.fill_null(pc.cast(column, pa.uint8()), 2).combine_chunks().to_numpy(zero_copy_only=False)
            at = [put(np.ascontiguousarray(flags, "u1").tobytes())]
        else:
            values_ = column.to_pylist() if kind == "list" else texts(column)
            encoded = [
                b""
                if v is None
                else (json.dumps([str(x) for x in v]) if kind == "list" else v).encode("utf-8", "replace")
                for v in values_
            ]
            ends = np.zeros(len(encoded) + 1, "<i4")
            np.cumsum([len(e) for e in encoded], out=ends[1:])
            known = np.fromiter((v is not None for v in values_), "u1", len(values_))
            at = [put(ends.tobytes()), put(b"".join(encoded)), put(known.tobytes())]
        columns.append({"name": name, "kind": kind, "at": at})
    return {"rows": table.num_rows, "columns": columns}, b"".join(pieces)
