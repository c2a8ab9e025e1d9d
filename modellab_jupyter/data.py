"""A frame or a file becomes a dataset version: digest, fields, summary, the first rows."""

from __future__ import annotations

import datetime
import decimal
import fractions
import hashlib
import io
import math
import os
import time
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final, Literal

from modellab_jupyter import schema
from modellab_jupyter.blobs import Blobs, file_digest
from modellab_jupyter.errors import InputError, NotFoundError
from modellab_jupyter.summary import seconds, summarise, type_name
from modellab_jupyter.tables import PARQUET_SUFFIXES, read_table

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

PREVIEW_ROWS: Final = 100


def no_version(dataset: str, version: object, versions: Sequence[dict[str, Any]]) -> NotFoundError:
    """Return the error that says which versions a dataset has."""
    last = max(one["version"] for one in versions)
    known = "version 1 only" if last == 1 else f"versions 1 to {last}"
    return NotFoundError(f"dataset {dataset!r:.80} has no version {version!r:.80}; it has {known}.")


def describe(
    data: Any,
    name: str | None,
    blobs: Blobs,
    *,
    project_id: str | None = None,
    description: str | None = None,
) -> schema.DatasetAdded:
    """Return the event that adds `data` as a version of a dataset; its first rows and summary go into blobs.

    Parameters
    ----------
    data : DataFrame, or path of a CSV, Parquet or other file
        pandas, polars and Arrow tables are taken as they are, and whatever exports Arrow's C stream.
    name : str or None
        Default: the file's name without ending, ``"data"`` for a frame.

    Raises
    ------
    InputError
        There is no such file, it cannot be read, or `data` is of another type.
    """
    if name is not None:
        name = schema.text("name", name)
    source: Literal["frame", "csv", "parquet", "file"] = "frame"
    table: pa.Table | None
    size: int | None = None
    place: str | None = None
    path = given_file(data)
    if path is not None:
        before = path.stat()
        first, source = read_file(path)
        table = None if first is None else as_table(first)
        digest, size = file_digest(path), before.st_size
        after = path.stat()
        if (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
            raise InputError(f"data must be a file at rest, but {str(path)!r} changed while it was read; try again.")
        name = name or path.name.partition(".")[0] or path.name
        place = str(path.absolute())
    else:
        first, table = data, as_table(data)
        digest = table_digest(table)
        name = name or "data"
    return schema.DatasetAdded(
        time=time.time_ns(),
        dataset_id=schema.new_id("dataset"),
        name=name,
        digest=digest,
        source=source,
        project_id=project_id or None,
        path=place,
        rows=None if table is None else len(table),
        columns=None if table is None else table.num_columns,
        size=size,
        fields=[] if table is None else [{"name": f.name, "type": type_name(f.type)} for f in table.schema],
        preview=None if table is None else blobs.put(_parquet(_head(first, table))),
        summary=None if table is None else blobs.put(summarise(table).encode()),
        description=description,
    )


def given_file(data: Any) -> Path | None:
    """Return the path of a file that was given as data; None where the data are no path.

    Raises
    ------
    InputError
        There is no such file.
    """
    if not isinstance(data, str | os.PathLike):
        return None
    path = Path(os.path.expanduser(data))  # noqa: PTH111 - no error for a user that is not there
    if not os.path.isfile(path):  # noqa: PTH113 - false, and no error, for a name that is too long
        raise InputError(
            f"data must be a frame, a file or a dataset of the store, found {os.fspath(data)!r:.200}, which is none; "
            f"the current folder is {str(Path.cwd())!r}."
        )
    return path


def read_file(path: Path) -> tuple[pd.DataFrame | None, Literal["csv", "parquet", "file"]]:
    """Read a table from a file; None for a file of another kind, which is kept by its bytes alone."""
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & set(PARQUET_SUFFIXES):
        return read_table(path), "parquet"
    if suffixes & {".csv", ".tsv"}:
        return read_table(path), "csv"
    return None, "file"


def as_table(data: Any) -> pa.Table:
    """Return pandas, polars or Arrow tables, and mappings or matrices of columns, as an Arrow table of their content.

    The index goes, categories become their values, NaN becomes missing, and values of mixed types become texts.

    Raises
    ------
    InputError
        `data` is no table, or holds objects that are no values.
    """
    import pandas as pd
    import pyarrow as pa

    if isinstance(data, pd.Series):
        data = data.to_frame()
    if isinstance(data, dict) or (getattr(data, "ndim", 0) == 2 and not isinstance(data, pd.DataFrame)):
        try:
            data = data if hasattr(data, "__arrow_c_stream__") else pd.DataFrame(data)
        except ValueError as error:
            raise InputError(f"data must be a table, but its columns do not fit together: {error}.") from error
    if isinstance(data, pd.DataFrame):
        names = [str(name).encode("utf-8", "backslashreplace").decode() for name in data.columns]
        arrays = [_from_pandas(data.iloc[:, i], name) for i, name in enumerate(names)]
        if not arrays:
            return pa.table({"rows": pa.nulls(len(data))}).select([])
        return pa.Table.from_arrays(arrays, names=names)
    if not hasattr(data, "__arrow_c_stream__"):
        raise InputError(
            f"data must be a frame, a file or a dataset of the store, found {type(data).__name__}; "
            "give a DataFrame, an Arrow table or a path."
        )
    if any(str(kind) == "Object" for kind in getattr(data, "dtypes", ())):  # polars would hand out addresses
        raise InputError("data must hold values, but a column of polars' type Object holds none; give it another type.")
    try:
        table = data if isinstance(data, pa.Table) else pa.table(data)
    except (pa.ArrowInvalid, TypeError) as error:
        raise InputError(f"data must be a table, found {type(data).__name__}: {error}.") from error
    kept = [i for i, name in enumerate(table.column_names) if not name.startswith("__index_level_")]
    arrays = [_plain(table.column(i).combine_chunks()) for i in kept]
    if not arrays:
        return table.select([])
    return pa.Table.from_arrays(arrays, names=[table.column_names[i] for i in kept])


def _from_pandas(column: pd.Series, name: str) -> pa.Array:
    """Return a column's values as an Arrow array, those of types that Arrow has none for as texts."""
    import pandas as pd
    import pyarrow as pa

    values: Any = column.array.to_dense() if isinstance(column.dtype, pd.SparseDtype) else column
    try:
        array = pa.array(values, from_pandas=True)
        odd = isinstance(array.type, pa.BaseExtensionType) or (pa.types.is_nested(array.type) and _has_set(values))
        if not odd:
            return _plain(array)
    except (ValueError, TypeError, NotImplementedError, OverflowError):  # mixed, half a surrogate pair, a huge integer
        pass
    texts: list[str | None] = []
    for row, value in enumerate(values):
        try:
            found = token(value)
        except TypeError:
            raise InputError(
                f"data must hold values, but column {name!r} holds a {type(value).__name__} in row {row}, whose "
                "content cannot be told from its copy's; turn it into texts or numbers first."
            ) from None
        texts.append(None if found == "null" else f"{type(value).__name__}:{found}")
    return pa.array(texts, type=pa.large_string())


def _has_set(values: Any) -> bool:
    """Tell whether there is a set anywhere within; Arrow would keep its order, which is another in each process."""
    return any(
        isinstance(one, set | frozenset)
        or (isinstance(one, list | tuple) and _has_set(one))
        or (isinstance(one, dict) and _has_set(one.values()))
        for one in values
    )


def _plain(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Return an array in one piece, without categories, with NaN as missing and texts of one layout."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = _plain(array.dictionary).take(array.indices)
    if pa.types.is_floating(array.type):
        odd = pc.is_nan(array)
        return pc.if_else(odd, pa.scalar(None, array.type), array) if pc.any(odd).as_py() else array
    kind = type_name(array.type)
    return array.cast({"string": pa.large_string(), "bytes": pa.large_binary()}.get(kind, array.type))


def frame_digest(data: Any) -> str:
    """Return the SHA-256 of a table's content: names, types and values, in order of rows and columns.

    The library that holds it, index, chunks, categories and the layout in memory do not matter; nor do the unit of a
    time and how a column says "missing". 0.0 and -0.0 differ, as do 1 and 1.0.
    """
    return table_digest(as_table(data))


def table_digest(table: pa.Table) -> str:
    """Return the digest of what `as_table` returned."""
    total = hashlib.sha256(f"{len(table)} rows".encode())
    for field, column in zip(table.schema, table.columns, strict=True):
        title = field.name.encode()
        total.update(b"%d %b %b\n" % (len(title), title, type_name(field.type).encode()))
        for part in _canonical(column.combine_chunks()):
            total.update(part)
    return total.hexdigest()


def _canonical(array: Any) -> list[Any]:
    """Return an Arrow array as bytes that depend on its values alone."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ChunkedArray):  # of no rows
        array = pa.array([], array.type)
    missing = np.packbits(array.is_null().to_numpy(zero_copy_only=False))
    kind = array.type
    if pa.types.is_null(kind):
        return [missing]
    if pa.types.is_date(kind):
        array = array.cast(pa.date32()).cast(pa.int32())
    elif pa.types.is_temporal(kind) and hasattr(kind, "unit") and kind.bit_width in {32, 64}:
        return [missing, *(np.ascontiguousarray(part, dtype="<i8") for part in seconds(array))]
    if pa.types.is_floating(array.type) or pa.types.is_integer(array.type) or pa.types.is_boolean(array.type):
        values = array.fill_null(False if pa.types.is_boolean(kind) else 0).to_numpy(zero_copy_only=False)
        return [missing, np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))]
    if type_name(kind) not in {"string", "bytes"}:
        tokens = ["" if value is None else token(value) for value in array.to_pylist()]
        array = pa.array(tokens, type=pa.large_string())
    array = array.fill_null("" if pa.types.is_large_string(array.type) else b"")
    lengths = pc.binary_length(array).to_numpy(zero_copy_only=False).astype("<i8", copy=False)
    data = array.buffers()[2]
    if not len(array) or data is None:
        return [missing, lengths]
    offsets = np.frombuffer(array.buffers()[1], dtype=np.int64)
    first, last = offsets[array.offset], offsets[array.offset + len(array)]
    return [missing, lengths, memoryview(data)[first:last]]


def token(value: Any) -> str:
    """Return a single value, or values within values, as a text that equal content shares.

    Raises
    ------
    TypeError
        It is an object of which nobody can tell the content.
    """
    import numpy as np
    import pandas as pd

    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        value = value.item()
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return "null"
    if isinstance(value, str | bytes | bool | int | float | complex):
        return repr(value)
    if isinstance(value, decimal.Decimal):
        return f"decimal:{value.normalize()}"
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(token, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{token(key)}: {token(inner)}' for key, inner in value.items()))}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(token, value)))}}}"
    if isinstance(
        value,
        datetime.timedelta | np.datetime64 | np.timedelta64 | pd.Period | pd.Interval | uuid.UUID | fractions.Fraction
        | PurePath,
    ):  # fmt: skip
        return str(value)
    raise TypeError(type(value).__name__)


def _head(data: Any, table: pa.Table) -> pd.DataFrame:
    """Return the first rows, as they were given where that was a pandas frame."""
    import pandas as pd

    rows: pd.DataFrame = (
        data.head(PREVIEW_ROWS) if isinstance(data, pd.DataFrame) else table.slice(0, PREVIEW_ROWS).to_pandas()
    )
    return rows


def _parquet(frame: pd.DataFrame) -> bytes:
    import pandas as pd

    buffer = io.BytesIO()
    shown = frame.reset_index(drop=True)
    shown.columns = _unique([str(c) for c in frame.columns])
    sparse = [name for name, kind in shown.dtypes.items() if isinstance(kind, pd.SparseDtype)]
    shown = shown.assign(**{name: shown[name].sparse.to_dense() for name in sparse})  # Parquet has none
    try:
        shown.to_parquet(buffer)
    except (ValueError, TypeError, OverflowError, NotImplementedError):  # columns of mixed types: Parquet has none
        buffer = io.BytesIO()
        shown.map(lambda v: str(v).encode("utf-8", "backslashreplace").decode(), na_action="ignore").to_parquet(buffer)
    return buffer.getvalue()


def _unique(names: list[str]) -> list[str]:
    """Return names with a number behind those that were there before; Parquet takes each name once."""
    found: dict[str, None] = {}
    for name in names:
        new, count = name, 1
        while new in found:
            new, count = f"{name}.{count}", count + 1
        found[new] = None
    return list(found)
