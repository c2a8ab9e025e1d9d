"""Digests that tell whether two evaluations saw the same rows."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from evalharness.schemas import Sample


def of_labels(sample: Sample) -> str:
    """Return the SHA-256 of the labels in order, with weights, groups and strata where given.

    Labels count as values: the order of the classes and the container they came in do not matter.
    """
    sha = hashlib.sha256(f"{sample.task_type} {sample.n}\n".encode())
    if sample.task == "regression":
        _numbers(sha, sample.labels)
    else:
        names = [json.dumps(str(c) if isinstance(c, str) else float(c)) for c in sample.classes]
        order = sorted(range(len(names)), key=names.__getitem__)
        met = [c for c in order if np.any(sample.labels == c)]
        rank = np.zeros(len(names), dtype="<i4")
        rank[met] = np.arange(len(met))
        sha.update("\n".join(names[c] for c in met).encode())
        sha.update(np.ascontiguousarray(rank[sample.labels]).tobytes())
    if sample.weights is not None:
        sha.update(b"weights")
        _numbers(sha, np.round(sample.weights, 9))
    if sample.groups is not None:
        sha.update(b"groups")
        sha.update(np.ascontiguousarray(sample.groups, dtype="<i8").tobytes())
    if sample.strata is not None:
        sha.update(b"strata")
        sha.update(np.ascontiguousarray(sample.strata, dtype="<i8").tobytes())
    return sha.hexdigest()


def of_rows(sample: Sample) -> str | None:
    """Return the SHA-256 of the features in order; None without data."""
    if sample.frame is None:
        return None
    sha = hashlib.sha256(f"{len(sample.frame)}\n".encode())
    for i, name in enumerate(sample.frame.columns):
        sha.update(json.dumps(str(name)).encode())
        column = sample.frame.iloc[:, i]
        if getattr(column.dtype, "kind", "O") in "biuf" and isinstance(column.dtype, np.dtype):
            sha.update(b"n")
            _numbers(sha, column.to_numpy())
        else:
            if _times(sha, column):
                continue
            codes, values = _texts(column)
            sha.update(b"s" + json.dumps(values).encode())
            sha.update(np.ascontiguousarray(codes, dtype="<i8").tobytes())
    return sha.hexdigest()


def _times(sha: Any, column: Any) -> bool:
    """Add a column of times as microseconds and what is beyond them, in UTC if it has a zone; False for others."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return False
    zone = getattr(column.dt, "tz", None)
    stamps = column if zone is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
    held = stamps.to_numpy(dtype=None if isinstance(stamps.dtype, np.dtype) else "datetime64[us]")
    coarse = held.astype("datetime64[us]")
    sha.update(b"t" if zone is None else b"z")
    sha.update(coarse.astype("<i8").tobytes())
    if held.dtype == np.dtype("datetime64[ns]"):
        beyond = np.where(np.isnat(held), 0, (held - coarse).astype(np.int64))
        if beyond.any():
            sha.update(b"n" + beyond.astype("<i8").tobytes())
    return True


def _texts(column: Any) -> tuple[Any, list[str]]:
    """Return the different texts of a column in order of appearance, and which each row has (-1: missing)."""
    import pandas as pd

    mixed = column.dtype == object and pd.api.types.infer_dtype(column, skipna=True).startswith("mixed")
    if mixed:  # 1 and True, or values that cannot be hashed
        cells = zip(column.tolist(), column.isna().tolist(), strict=True)
        codes, values = pd.factorize(np.array([None if missing else str(v) for v, missing in cells], dtype=object))
        return codes, list(values)
    codes, values = pd.factorize(column)
    places, texts = pd.factorize(np.array([str(v) for v in values], dtype=object))
    return np.append(places, -1)[codes], list(texts)


def _numbers(sha: Any, values: np.ndarray[Any, Any]) -> None:
    plain = np.ascontiguousarray(values, dtype="<f8") + 0.0
    if np.isnan(plain).any():
        plain = np.where(np.isnan(plain), np.nan, plain)
    sha.update(plain.tobytes())
