"""Metrics as they were recorded against metrics as they came back: one row each, with the level at which they agree."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

Agreement = Literal["exact", "equal", "within", "differs", "missing", "additional"]
Worst = Literal["exact", "equal", "within", "differs", "unknown"]

RTOL: Final = 1e-9
RTOL_SINGLE: Final = 1e-5  # of float32, whose last bit is 6e-8
_LONG_MANTISSA: Final = 12  # bits; a fraction with fewer may be float64 that happens to be short, as 0.75 is
_ODD: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_RANK: Final = {"exact": 0, "equal": 1, "within": 2, "differs": 3, "missing": 3, "additional": 3}


@dataclass(frozen=True)
class Row:
    """One metric, recorded and found.

    Attributes
    ----------
    recorded, found : float or None
        The last values; None where there is none.
    level : {"exact", "equal", "within", "differs", "missing", "additional"}
    values : int
        How many values were recorded; 1 for an estimate.
    note : str
        Where the first difference is, if it is not in the last value alone.
    low, high : float or None
        The recorded interval.
    """

    metric: str
    recorded: float | None
    found: float | None
    level: Agreement
    values: int = 0
    note: str = ""
    low: float | None = None
    high: float | None = None


def number(value: Any) -> float | None:
    """Return a number of a pack's JSON, where ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` are texts; None for null.

    Raises
    ------
    ValueError, TypeError
        It is something else.
    """
    if value is None:
        return None
    if isinstance(value, str):
        if value not in _ODD:
            raise ValueError(f"{value!r} is no number")
        return _ODD[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def plain(value: float | None) -> float | str | None:
    """Return a number as strict JSON has it; the reverse of `number`."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def same(one: float | None, other: float | None) -> bool:
    """Tell whether two values are the same bit for bit; every NaN is the same, 0.0 and -0.0 are not."""
    if one is None or other is None:
        return one is other
    return (math.isnan(one) and math.isnan(other)) or struct.pack("<d", one) == struct.pack("<d", other)


def close(one: float | None, other: float | None, rtol: float) -> bool:
    """Tell whether two values agree within a relative tolerance of the larger one."""
    return same(one, other) or (one is not None and other is not None and math.isclose(one, other, rel_tol=rtol))


def single(values: Sequence[float | None]) -> bool:
    """Tell whether all values are float32, and at least one is a fraction too long to be so by chance."""
    numbers = [value for value in values if value is not None and math.isfinite(value)]
    return all(map(_is_single, numbers)) and any(
        value != int(value) and int(math.ldexp(math.frexp(value)[0], _LONG_MANTISSA)) != math.ldexp(
            math.frexp(value)[0], _LONG_MANTISSA
        )
        for value in numbers
    )  # fmt: skip


def _is_single(value: float) -> bool:
    try:
        return bool(struct.unpack("<f", struct.pack("<f", value))[0] == value)
    except OverflowError:
        return False


def compare(recorded: Mapping[str, Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]]) -> tuple[Row, ...]:
    """Compare the metrics of two runs, each as a pack's ``metrics.json`` has them.

    Returns
    -------
    tuple of Row
        Those that agree least first, then by name.

    Notes
    -----
    Numerically equal are values within a relative 1e-9, and within 1e-5 where all values on both sides are float32
    and not merely short. Within its interval is a last value that lies between the recorded `low` and `high`.
    """
    rows = [_row(name, recorded.get(name), found.get(name)) for name in recorded.keys() | found.keys()]
    return tuple(sorted(rows, key=lambda row: (-_RANK[row.level], row.metric)))


def _row(name: str, recorded: Mapping[str, Any] | None, found: Mapping[str, Any] | None) -> Row:
    if recorded is None or found is None:
        there = recorded if recorded is not None else found or {}
        last, count = number(there.get("last")), _count(there)
        if recorded is None:
            return Row(name, None, last, "additional", count, "was not recorded")
        return Row(
            name, last, None, "missing", count, "was not logged", number(there.get("low")), number(there.get("high"))
        )
    was, now = _values(recorded), _values(found)
    last, here = number(recorded.get("last")), number(found.get("last"))
    low, high = number(recorded.get("low")), number(recorded.get("high"))
    level: Agreement = "differs"
    note = ""
    if len(was) != len(now):
        note = f"{len(was) - 1} values were recorded, {len(now) - 1} came back"
    elif _steps(recorded) != _steps(found):
        note = "the steps are others"
    else:
        rtol = RTOL_SINGLE if single([*was, *now]) else RTOL
        if all(map(same, was, now)):
            level = "exact"
        elif all(close(a, b, rtol) for a, b in zip(was, now, strict=True)):
            level = "equal"
        if level != "exact":
            note = _first(_steps(recorded), was, now, 0.0 if level == "equal" else rtol)
    if level == "differs" and None not in (last, here, low, high) and low <= here <= high:  # type: ignore[operator]
        level = "within"
    return Row(name, last, here, level, _count(recorded), note, low, high)


def _values(metric: Mapping[str, Any]) -> list[float | None]:
    """Return the values of a series and after them the last, which may be the estimate of an evaluation."""
    series = metric.get("series") or {}
    return [*map(number, series.get("values") or []), number(metric.get("last"))]


def _count(metric: Mapping[str, Any]) -> int:
    return max(1, len(_steps(metric)))


def _steps(metric: Mapping[str, Any]) -> list[Any]:
    return list((metric.get("series") or {}).get("steps") or [])


def _first(steps: list[Any], was: list[float | None], now: list[float | None], rtol: float) -> str:
    if len(was) <= 2:  # one value and, again, the last
        return ""
    apart = [place for place, pair in enumerate(zip(was, now, strict=True)) if not close(*pair, rtol)]
    apart = apart or [place for place, pair in enumerate(zip(was, now, strict=True)) if not same(*pair)]
    place = apart[0]
    return f"first at step {steps[place]}" if place < len(steps) else "in its estimate"


def worst(rows: Sequence[Row], *, recorded: int) -> Worst:
    """Return the level of a whole run: that of its worst metric; unknown where none was recorded."""
    if not recorded:
        return "unknown"
    rank = max((_RANK[row.level] for row in rows), default=3)
    levels: tuple[Worst, ...] = ("exact", "equal", "within", "differs")
    return levels[rank]
