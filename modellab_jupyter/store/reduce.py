"""Long series made as short as a screen needs, without losing a peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


def kept(values: np.ndarray[Any, Any], buckets: int) -> np.ndarray[Any, Any]:
    """Return the places of a series that are shown, in order: all, or each bucket's first, last, lowest and highest.

    Parameters
    ----------
    values : array of float64, shape (n,)
        In the order of the series; NaN and infinities are never the lowest or highest of a bucket.
    buckets : int
        Into how many parts, at most, a series of more than four times as many points is cut.
    """
    import numpy as np

    n = len(values)
    if n <= 4 * buckets:
        return np.arange(n)
    width = -(-n // buckets)
    rows = -(-n // width)
    starts = np.arange(rows) * width
    finite = np.isfinite(values)
    padded = np.full(rows * width, np.inf)
    np.copyto(padded[:n], values, where=finite)
    lowest = padded.reshape(rows, width).argmin(axis=1)
    padded[n:] = -np.inf
    np.copyto(padded[:n], -np.inf, where=~finite)
    highest = padded.reshape(rows, width).argmax(axis=1)
    ends = np.minimum(starts + width, n) - 1
    return np.unique(np.concatenate([starts, starts + lowest, starts + highest, ends]))


def reduced(names: Sequence[tuple[str, str]], found: Mapping[str, Any], buckets: int) -> pa.Table:
    """Return the shown points of several series as one table, ordered by run, metric, step, time.

    Parameters
    ----------
    names : sequence of (run, key)
        In the order of the result.
    found : mapping
        Columns ``step``, ``value``, ``us`` (microseconds since 1970, UTC) of all points and, where there are several
        series, ``which``, the series of each, from 1.
    """
    import numpy as np
    import pyarrow as pa

    step, value, us = (np.ma.getdata(found[name]) for name in ("step", "value", "us"))
    which = np.ma.getdata(found["which"]) if "which" in found else None
    chosen: list[Any] = []
    counts = []
    for number in range(1, len(names) + 1):
        own = np.arange(len(step)) if which is None else np.flatnonzero(which == number)
        later, tied = np.diff(step[own]), np.diff(us[own])
        if ((later < 0) | ((later == 0) & (tied < 0))).any():
            own = own[np.lexsort((us[own], step[own]))]
        own = own[kept(value[own], buckets)]
        chosen.append(own)
        counts.append(len(own))
    places = np.concatenate([np.empty(0, dtype=np.int64), *chosen])
    series = np.repeat(np.arange(len(names)), counts)
    times = pa.array(us[places]).cast(pa.timestamp("us", tz="UTC"))
    return pa.table({
        "run_id": pa.array([run for run, _ in names], type=pa.string()).take(pa.array(series)),
        "key": pa.array([key for _, key in names], type=pa.string()).take(pa.array(series)),
        "step": pa.array(step[places]), "value": pa.array(value[places], from_pandas=False), "time": times,
    })  # fmt: skip
