"""Containers into columns: whatever holds values becomes vectors of one kind, and whatever holds a table a frame.

NumPy, pandas, polars, Arrow and lists are told apart by the name of their package, so that none is imported for it.
"""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from evalharness.schemas import InputError

if TYPE_CHECKING:
    from evalharness.schemas import Booleans


class Vector(NamedTuple):
    """One column at the door: `kind` is bool, int, float or str; `missing` marks rows without a value."""

    kind: str
    values: np.ndarray[Any, Any]
    missing: Booleans


def _library(value: Any) -> str:
    return type(value).__module__.partition(".")[0]


def same_index(**given: Any) -> None:
    """Refuse pandas containers whose indexes differ, for their rows may be in different orders."""
    held = {
        name: value.index for name, value in given.items() if _library(value) == "pandas" and hasattr(value, "index")
    }
    if len(held) < 2:
        return
    (first, index), *others = held.items()
    for name, other in others:
        if len(other) == len(index) and not index.equals(other):
            differ = np.asarray(index) != np.asarray(other)
            row = int(np.argmax(differ))
            raise InputError(
                f"{name} and {first} have different pandas indexes in {counted(int(np.sum(differ)))} "
                f"(first: row {row}, {shown(other[row])} against "
                f"{shown(index[row])}); rows are matched by position, so put them in one order and give "
                "both "
                "the same index."
            )


def _plain(value: Any, name: str) -> Any:
    """Turn any supported container into a NumPy array, a list, or a pair (column names, arrays)."""
    library = _library(value)
    if library == "pandas":
        if hasattr(value, "columns"):
            return [str(c) for c in value.columns], [value.iloc[:, i] for i in range(value.shape[1])]
        return value
    if library == "polars":
        return ([str(c) for c in value.columns], list(value.get_columns())) if hasattr(value, "columns") else value
    if library == "pyarrow":
        return ([str(c) for c in value.column_names], list(value.columns)) if hasattr(value, "column_names") else value
    if isinstance(value, np.ma.MaskedArray):
        held = value.data.astype(object)
        held[np.ma.getmaskarray(value)] = None
        return held
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, (str, bytes, Mapping, set)) or not (hasattr(value, "__len__") or hasattr(value, "__iter__")):
        raise InputError(
            f"{name} is a {type(value).__name__}; give a NumPy array, a pandas, polars or Arrow column, or a list."
        )
    if hasattr(value, "__array__"):
        return np.asarray(value)
    return list(value)


def categories(value: Any) -> list[str] | None:
    """Return the categories of a pandas categorical in their order, as text; None for anything else."""
    dtype = getattr(value, "dtype", None)
    held = getattr(dtype, "categories", None) if _library(value) == "pandas" else None
    return None if held is None else [str(c) for c in held]


def _one(value: Any) -> np.ndarray[Any, Any]:
    """Return one library column as an array in which missing entries are None or NaN."""
    library = _library(value)
    if library == "pandas":
        dtype = value.dtype
        if isinstance(dtype, np.dtype):
            return np.asarray(value)
        if value.isna().any() or str(dtype) in ("category", "string", "str"):
            return np.array(
                [None if m else v for v, m in zip(value.tolist(), np.asarray(value.isna()), strict=True)],
                dtype=object,
            )
        return np.asarray(value.to_numpy())
    if library == "polars":
        return (
            np.array(value.to_list(), dtype=object)
            if value.null_count() or value.dtype.is_nested()
            else _dense(value.to_numpy(), value.to_list)
        )
    if library == "pyarrow":
        return (
            np.array(value.to_pylist(), dtype=object)
            if value.null_count
            else _dense(
                value.to_numpy(zero_copy_only=False) if not hasattr(value, "chunks") else value.to_numpy(),
                value.to_pylist,
            )
        )
    return np.asarray(value, dtype=object) if isinstance(value, list) else value


def _dense(array: np.ndarray[Any, Any], listed: Any) -> np.ndarray[Any, Any]:
    return array if array.dtype.kind in "biuf" else np.array(listed(), dtype=object)


def _vector(array: np.ndarray[Any, Any], name: str, *, dates: bool = False) -> Vector:
    """Find the kind of a 1-D array and its missing entries."""
    kind = array.dtype.kind
    none = np.zeros(len(array), dtype=bool)
    if kind == "b":
        return Vector("bool", array.astype(bool), none)
    if kind in "iu":
        if kind == "u" and len(array) and int(array.max()) > np.iinfo(np.int64).max:
            raise InputError(f"{name} holds whole numbers beyond 64 bits; give smaller codes or strings.")
        return Vector("int", array.astype(np.int64), none)
    if kind == "f":
        values = array.astype(np.float64)
        return Vector("float", values, np.isnan(values))
    if kind in "US":
        return Vector("str", np.array([_text(v) for v in array.tolist()], dtype=object), none)
    if kind == "M" and dates:
        return Vector("str", array.astype(str).astype(object), np.isnat(array))
    if kind != "O":
        raise InputError(f"{name} has dtype {array.dtype}; give numbers, strings or booleans.")
    values = array
    missing = np.fromiter((_is_missing(v) for v in values), dtype=bool, count=len(values))
    families = {t: _family(t, dates=dates) for t in set(map(type, values[~missing]))}
    if None in families.values():
        worst = next(t for t, f in families.items() if f is None)
        row = next(i for i, v in enumerate(values) if type(v) is worst and not missing[i])
        raise InputError(f"{name} holds a {worst.__name__} at row {row}; give numbers, strings or booleans.")
    found = set(families.values())
    if found == {"int", "float"}:
        found = {"float"}
    if len(found) > 1:
        start = families[type(values[int(np.argmax(~missing))])]
        same = {"int", "float"} if start in ("int", "float") else {start}
        odd = [i for i, v in enumerate(values) if not missing[i] and families[type(v)] not in same]
        raise InputError(
            f"{name} mixes types: {counted(len(odd))} (first: row {odd[0]}, {shown(values[odd[0]])}) "
            f"{'is' if len(odd) == 1 else 'are'} not {start} like row "
            f"{int(np.argmax(~missing))} ({shown(values[int(np.argmax(~missing))])}); give one type."
        )
    family = (found.pop() or "float") if found else "float"
    if family == "str":
        out = np.array([None if m else _text(v) for v, m in zip(values, missing, strict=True)], dtype=object)
        return Vector("str", out, missing)
    if family == "float" or (missing.any() and family in ("int", "bool")):
        numbers = np.fromiter(
            (np.nan if m else float(v) for v, m in zip(values, missing, strict=True)),
            dtype=np.float64,
            count=len(values),
        )
        return Vector("float" if family == "float" else family, numbers, missing)
    try:
        return Vector(family, values.astype(np.int64 if family == "int" else bool), missing)
    except OverflowError:
        raise InputError(f"{name} holds whole numbers beyond 64 bits; give smaller codes or strings.") from None


def _is_missing(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and value != value)
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, np.floating) and bool(np.isnan(value)))
    )


def _family(kind: type, *, dates: bool) -> str | None:
    if issubclass(kind, (bool, np.bool_)):
        return "bool"
    if issubclass(kind, (int, np.integer)):
        return "int"
    if issubclass(kind, (float, np.floating, decimal.Decimal)):
        return "float"
    if issubclass(kind, (str, bytes)) or (dates and issubclass(kind, (dt.date, np.datetime64))):
        return "str"
    return None


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def column(value: Any, name: str, *, dates: bool = False) -> Vector:
    """Read one column; a table of one column counts as one."""
    found = matrix(value, name, dates=dates)
    if isinstance(found, Vector):
        return found
    raise InputError(f"{name} has {len(found[1])} columns; give one value for each row.")


def matrix(value: Any, name: str, *, dates: bool = False) -> Vector | tuple[list[str] | None, list[Vector]]:
    """Read one column, or several as (names, columns); a single column of a table counts as one column."""
    plain = _plain(value, name)
    names: list[str] | None = None
    if isinstance(plain, tuple):
        names, columns = plain
    elif isinstance(plain, list) and plain and isinstance(plain[0], (list, tuple, np.ndarray)):
        widths = [len(row) if isinstance(row, (list, tuple, np.ndarray)) else -1 for row in plain]
        if len(set(widths)) > 1:
            row = next(i for i, w in enumerate(widths) if w != widths[0])
            raise InputError(
                f"{name} is ragged: row {row} does not have {widths[0]} values like row 0; give rows of one length."
            )
        columns = [list(column) for column in zip(*plain, strict=True)]
    elif isinstance(plain, np.ndarray) and plain.ndim != 1:
        if plain.ndim != 2:
            raise InputError(
                f"{name} has {plain.ndim} dimensions; give one value for each row, or one row of probabilities."
            )
        columns = [plain[:, j] for j in range(plain.shape[1])]
    else:
        return _vector(_one(plain), name, dates=dates)
    if not columns:
        raise InputError(f"{name} has no columns; give one value for each row.")
    vectors = [_vector(_one(column), name, dates=dates) for column in columns]
    return vectors[0] if len(vectors) == 1 else (names, vectors)


def length(found: Vector | tuple[list[str] | None, list[Vector]]) -> int:
    """Return the rows of what `matrix` read."""
    return len(found.values) if isinstance(found, Vector) else len(found[1][0].values)


def frame(data: Any) -> tuple[Any, str]:
    """Return the features as a pandas frame, sharing memory where it can, and the kind they came in."""
    if data is None:
        return None, "none"
    import pandas as pd

    library = _library(data)
    if library in ("pandas", "pyarrow", "polars"):
        if library == "pyarrow" and hasattr(data, "to_pandas"):
            held = data.to_pandas()
        elif library == "polars" and hasattr(data, "to_frame" if hasattr(data, "to_list") else "columns"):
            columns = data if hasattr(data, "columns") else data.to_frame()
            held = pd.DataFrame({name: columns[name].to_pandas() for name in columns.columns})
        elif library == "pandas":
            held = data
        else:
            raise _no_table(data)
        return (held if hasattr(held, "columns") else pd.Series(held).to_frame()), library
    if isinstance(data, np.ndarray):
        if data.ndim not in (1, 2):
            raise InputError(f"data has {data.ndim} dimensions; give a table of rows and columns.")
        if data.dtype.names is not None:
            return pd.DataFrame(data), "pandas"
        cells = data.reshape(len(data), -1)
        return pd.DataFrame(cells, columns=[f"x{j}" for j in range(cells.shape[1])], copy=False), "numpy"
    if isinstance(data, Mapping):
        try:
            return pd.DataFrame(dict(data)), "mapping"
        except ValueError as error:
            raise InputError(f"data is a mapping that makes no table ({error}); give columns of one length.") from None
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        held = pd.DataFrame(list(data))
        if all(isinstance(c, int) for c in held.columns):
            held.columns = pd.Index([f"x{j}" for j in held.columns])
        return held, "list"
    raise _no_table(data)


def _no_table(data: Any) -> InputError:
    if hasattr(data, "toarray"):
        return InputError("data is a sparse matrix; give a table of the columns that matter, or data.toarray().")
    return InputError(f"data is a {type(data).__name__}; give a pandas, polars or Arrow table, or a NumPy array.")


def shown(value: Any) -> str:
    """Write a value as the user would."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def counted(count: int) -> str:
    """Write a number of rows."""
    return "1 row" if count == 1 else f"{count:,} rows"
