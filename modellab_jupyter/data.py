"""A frame or a file becomes a dataset version: digest, fields, the first rows."""

from __future__ import annotations

import hashlib
import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from modellab_jupyter import schema
from modellab_jupyter.blobs import Blobs, file_digest
from modellab_jupyter.errors import InputError
from modellab_jupyter.tables import PARQUET_SUFFIXES, read_table

if TYPE_CHECKING:
    import pandas as pd

PREVIEW_ROWS: Final = 100


def describe(
    data: Any,
    name: str | None,
    blobs: Blobs,
    *,
    project_id: str | None = None,
    description: str | None = None,
) -> schema.DatasetAdded:
    """Return the event that adds `data` as a version of a dataset; its first rows go into a blob.

    Parameters
    ----------
    data : DataFrame, or path of a CSV, Parquet or other file
        pandas, polars and Arrow tables are taken as they are.
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
    frame: pd.DataFrame | None
    size: int | None = None
    place: str | None = None
    if isinstance(data, str | os.PathLike):
        path = Path(os.path.expanduser(data))  # noqa: PTH111 - no error for a user that is not there
        if not os.path.isfile(path):  # noqa: PTH113 - false, and no error, for a name that is too long
            raise InputError(
                f"data must be a frame, a file or a dataset of the store, found {os.fspath(data)!r:.200}, "
                "which is none; "
                f"the current folder is {str(Path.cwd())!r}."
            )
        frame, source = read_file(path)
        digest, size = file_digest(path), path.stat().st_size
        name = name or path.name.partition(".")[0] or path.name
        place = str(path.absolute())
    else:
        frame = as_frame(data)
        digest = frame_digest(frame)
        name = name or "data"
    return schema.DatasetAdded(
        time=time.time_ns(),
        dataset_id=schema.new_id("dataset"),
        name=name,
        digest=digest,
        source=source,
        project_id=project_id or None,
        path=place,
        rows=None if frame is None else len(frame),
        columns=None if frame is None else frame.shape[1],
        size=size,
        fields=[] if frame is None else [{"name": str(c), "type": str(t)} for c, t in frame.dtypes.items()],
        preview=None if frame is None else blobs.put(_parquet(frame.head(PREVIEW_ROWS))),
        description=description,
    )


def read_file(path: Path) -> tuple[pd.DataFrame | None, Literal["csv", "parquet", "file"]]:
    """Read a table from a file; None for a file of another kind, which is kept by its bytes alone."""
    suffixes = {suffix.lower() for suffix in path.suffixes}
    if suffixes & set(PARQUET_SUFFIXES):
        return read_table(path), "parquet"
    if suffixes & {".csv", ".tsv"}:
        return read_table(path), "csv"
    return None, "file"


def as_frame(data: Any) -> pd.DataFrame:
    """Return pandas, polars or Arrow tables, and mappings or matrices of columns, as a pandas frame."""
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    if isinstance(data, pd.Series):
        return data.to_frame()
    if hasattr(data, "to_pandas"):
        return as_frame(data.to_pandas())
    if isinstance(data, dict) or getattr(data, "ndim", 0) == 2:
        try:
            return pd.DataFrame(data)
        except ValueError as error:
            raise InputError(f"data must be a table, but its columns do not fit together: {error}.") from error
    raise InputError(
        f"data must be a frame, a file or a dataset of the store, found {type(data).__name__}; "
        "give a DataFrame, an Arrow table or a path."
    )


def frame_digest(frame: pd.DataFrame) -> str:
    """Return the SHA-256 of a frame's content: names, types and values, in order of rows and columns.

    The index and the layout in memory do not matter; nor does how a column says "missing".
    """
    import pyarrow as pa

    total = hashlib.sha256(f"{len(frame)} rows".encode())
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        values = column.astype(_plain(column)) if str(column.dtype) == "category" else column
        try:
            array = pa.array(values, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            array = pa.array(
                [None if v is None else f"{type(v).__name__}:{v!r}" for v in values], type=pa.large_string()
            )
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_string(array.type) or pa.types.is_string_view(array.type):
            array = array.cast(pa.large_string())
        title = str(name).encode("utf-8", "surrogatepass")
        total.update(b"%d %b %b\n" % (len(title), title, str(array.type).encode()))
        total.update(_canonical(array))
    return total.hexdigest()


def _plain(column: pd.Series) -> Any:
    """Return the type that a column of categories has without them."""
    kind = column.cat.categories.dtype
    return object if kind.kind in "iub" and column.isna().any() else kind  # NumPy's integers have no missing


def _canonical(array: Any) -> bytes:
    """Return an Arrow array as bytes that depend on its values alone."""
    import numpy as np
    import pyarrow as pa

    missing = np.packbits(array.is_null().to_numpy(zero_copy_only=False)).tobytes()
    kind = array.type
    if (
        pa.types.is_floating(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_temporal(kind)
    ):
        if pa.types.is_temporal(kind):
            array = array.cast(pa.int64()) if kind.bit_width == 64 else array.cast(pa.int32()).cast(pa.int64())
        values = array.fill_null(False if pa.types.is_boolean(kind) else 0).to_numpy(zero_copy_only=False)
        return missing + np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"))).tobytes()
    texts = [
        b""
        if v is None
        else v.encode("utf-8", "surrogatepass")
        if isinstance(v, str)
        else v
        if isinstance(v, bytes)
        else repr(v).encode()
        for v in array.to_pylist()
    ]
    lengths = np.array([len(t) for t in texts], dtype="<i8").tobytes()
    return missing + lengths + b"".join(texts)


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    shown = frame.reset_index(drop=True)
    shown.columns = _unique([str(c) for c in frame.columns])
    try:
        shown.to_parquet(buffer)
    except (ValueError, TypeError, OverflowError, NotImplementedError):  # columns of mixed types: Parquet has none
        buffer = io.BytesIO()
        shown.astype(str).to_parquet(buffer)
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
