"""Small bars: how the values of a column are spread, and how many runs there were when; as shares and as SVG.

``labextension/src/core/bars.ts`` puts days together by the same rule.
"""

from __future__ import annotations

import base64
import datetime as dt
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from modellab_jupyter.widgets.saved import cut, number, one_line
from modellab_jupyter.widgets.saved import escape as html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from modellab_jupyter.summary import Column

BINS = 20
LEVELS = 10
_FINITE = 1.7e308
_BLUE, _ORANGE, _QUIET, _INK = "#0072B2", "#D55E00", "#767676", "#333"
_HATCH = (
    '<defs><pattern id="f" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<rect width="4" height="4" fill="{_ORANGE}"/><path d="M0 0v4" stroke="#fff" stroke-width="1.5"/></pattern></defs>'
)

DAYS, WEEKS = 92, 160
"""Longest spans that are shown by days and by weeks; longer ones by months, at most `MOST`."""
MOST = 400


def histogram(column: Column, low: float | None = None, high: float | None = None) -> list[float]:
    """Return the shares of a column's values in equal bins from its least to its greatest value, or from low to high.

    Between values whose place is known they are taken as evenly spread. Nothing where no value is finite.
    """
    import numpy as np

    ends = limits(column)
    if ends is None:
        return []
    low, high = ends[0] if low is None else low, ends[1] if high is None else high
    n = column.n - column.missing
    if low == high:
        return [1.0]
    steps = np.linspace(0.0, 1.0, BINS + 1)
    upto = _upto(column, low * (1 - steps) + high * steps)
    upto[0] = _below(column, low)
    return [round(max(0.0, float(part)) / n, 4) for part in np.diff(upto)]


def limits(column: Column) -> tuple[float, float] | None:
    """Return the least and greatest finite value that is known of a column of numbers or times."""
    finite = [value for value in (*column.values[:2], *column.values[-2:]) if abs(value) < _FINITE]
    return (min(finite), max(finite)) if finite else None


def _upto(column: Column, at: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return how many values there are up to each point."""
    import numpy as np

    values = np.asarray(column.values)
    up_to, below = np.asarray(column.up_to, float), np.asarray(column.below, float)
    place = np.searchsorted(values, at, "right")
    left, right = np.maximum(place, 1) - 1, np.minimum(place, len(values) - 1)
    with np.errstate(all="ignore"):
        # Halves, because the span of doubles is wider than any double.
        way = (at / 2 - values[left] / 2) / (values[right] / 2 - values[left] / 2)
    way = np.where(np.isfinite(way), np.clip(way, 0.0, 1.0), 0.0)
    between = up_to[left] + way * np.maximum(0.0, below[right] - up_to[left])
    return np.where(place == 0, 0.0, np.where(place == len(values), up_to[-1], between))


def _below(column: Column, at: float) -> float:
    import numpy as np

    values = np.asarray(column.values)
    place = int(np.searchsorted(values, at, "left"))
    if place == 0:
        return 0.0
    known = place < len(values) and values[place] == at
    return float(column.below[place]) if known else float(_upto(column, np.array([at]))[0])


def levels(column: Column, names: Sequence[str] | None = None) -> list[float]:
    """Return the shares of a column's most frequent categories, or of those named, and of the rest if any."""
    n = column.n - column.missing
    if not n:
        return []
    counts = dict(column.labels)
    shares = [counts.get(name, 0) / n for name in (names or [name for name, _ in column.labels[:LEVELS]])]
    rest = 1 - sum(shares)
    return [round(s, 4) for s in (*shares, *([rest] if rest > 1e-9 else []))]


def spread(column: Column) -> list[float]:
    """Return the shares that stand for a column: of its bins, or of its categories."""
    return levels(column) if column.kind == "category" else histogram(column)


def side_by_side(old: Column | None, new: Column | None) -> tuple[list[float], list[float]]:
    """Return the shares of two versions of a column in the same bins or categories."""
    if old is None or new is None or old.kind != new.kind or "other" in (old.kind, new.kind):
        return (spread(old) if old else [], spread(new) if new else [])
    if old.kind == "category":
        counts: dict[str, float] = {}
        for column in (old, new):
            for name, n in column.labels:
                counts[name] = counts.get(name, 0.0) + n / max(1, column.n - column.missing)
        names = sorted(counts, key=lambda name: -counts[name])[:LEVELS]
        a, b = levels(old, names), levels(new, names)
        width = max(len(a), len(b))
        return [*a, *[0.0] * (width - len(a))], [*b, *[0.0] * (width - len(b))]
    ends = [found for found in (limits(old), limits(new)) if found is not None]
    if not ends:
        return [], []
    low, high = min(e[0] for e in ends), max(e[1] for e in ends)
    return histogram(old, low, high), histogram(new, low, high)


# Runs over time
# ------------------------------------------------------------------------------------------------------


def periods(days: Mapping[dt.date, tuple[int, int]]) -> tuple[str, list[tuple[dt.date, int, int]]]:
    """Return days put together to days, weeks or months, none left out: the unit, and of each its start and counts.

    Of more than `MOST` months the last ones.
    """
    if not days:
        return "day", []
    last = max(days)
    first = max(min(days), last - dt.timedelta(days=31 * MOST))
    span = (last - first).days + 1
    unit = "day" if span <= DAYS else "week" if span <= 7 * WEEKS else "month"
    found: dict[dt.date, tuple[int, int]] = {}
    at = _start(first, unit)
    while at <= last:
        found[at] = (0, 0)
        at = _start(at + dt.timedelta(days={"day": 1, "week": 7}.get(unit, 32)), unit)
    for day, (runs, failed) in days.items():
        if _start(day, unit) not in found:
            continue
        known = found[_start(day, unit)]
        found[_start(day, unit)] = (known[0] + runs, known[1] + failed)
    return unit, [(start, *both) for start, both in found.items()]


def _start(day: dt.date, unit: str) -> dt.date:
    if unit == "day":
        return day
    return day - dt.timedelta(days=day.weekday()) if unit == "week" else day.replace(day=1)


# SVG, for pages without a script
# ------------------------------------------------------------------------------------------------------


def strips(columns: Sequence[Column], across: int = 4) -> bytes:
    """Draw a small histogram of each column, under its name."""
    wide, tall = 176, 74
    rows = -(-len(columns) // across)
    parts = []
    for i, column in enumerate(columns):
        x, y = (i % across) * wide, (i // across) * tall
        shares = spread(column)
        parts.append(_text(x + 4, y + 14, column.name, 24, weight="600"))
        top = max(shares, default=1.0) or 1.0
        parts.append(_path([part / top for part in shares], x + 4, y + 54, (wide - 16) / max(1, len(shares)), 34))
        parts.append(f'<path d="M{x + 4} {y + 54.5}h{wide - 16}" stroke="{_QUIET}"/>')
        parts.append(_text(x + 4, y + 67, ends(column), 32, fill="#595959", size=10))
    return _svg(across * wide, rows * tall + 4, parts)


def ends(column: Column) -> str:
    """Return in a few words from where to where a column goes, or what is most frequent in it."""
    if column.kind == "category":
        return ", ".join(name for name, _ in column.labels[:3])
    known = limits(column)
    if known is None:
        return "no values" if column.kind != "other" else column.type
    if column.kind == "time":
        return " to ".join(moment(seconds)[:10] for seconds in known)
    return " to ".join(map(number, known))


def moment(seconds: float) -> str:
    """Return seconds since 1970 UTC as date and time; of a year that no calendar has, as a number."""
    try:
        at = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
    except OverflowError:
        return f"{seconds:.4g} s"
    return at.strftime("%Y-%m-%d %H:%M")


def activity(days: Mapping[dt.date, tuple[int, int]]) -> bytes:
    """Draw runs by day, week or month, with those that did not finish apart."""
    unit, bars = periods(days)
    wide, tall, base = 680, 120, 92
    top = max((runs for _, runs, _ in bars), default=1)
    each = min(28.0, (wide - 40) / max(1, len(bars)))
    parts = [
        _HATCH,
        _text(4, 14, f"runs by {unit}, most {top:,}", 60, fill="#595959", size=11),
    ]
    good = [(runs - failed) / top for _, runs, failed in bars]
    parts.append(_path(good, 4, base, each, 68))
    failing = [failed / top for *_, failed in bars]
    parts.append(_path(failing, 4, base, each, 68, good, f'fill="url(#f)" stroke="{_ORANGE}" stroke-width="0.6"'))
    parts.append(f'<path d="M4 {base + 0.5}h{each * len(bars):.1f}" stroke="{_QUIET}"/>')
    if bars:
        parts.append(_text(4, 108, str(bars[0][0]), 12, fill="#595959", size=11))
        if len(bars) > 1:
            parts.append(
                _text(max(120.0, 4 + each * len(bars)), 108, str(bars[-1][0]), 12, fill="#595959", size=11, end=True)
            )
    if any(failed for *_, failed in bars):
        parts.append(f'<rect x="{wide - 176}" y="6" width="9" height="9" fill="url(#f)" stroke="{_ORANGE}"/>')
        parts.append(_text(wide - 162, 14, "failed, stopped or stale", 40, fill="#595959", size=11))
    return _svg(wide, tall, parts)


def _path(
    shares: Sequence[float],
    x: float,
    base: float,
    each: float,
    tall: float,
    above: Sequence[float] = (),
    look: str = "",
) -> str:
    """Return bars as one path; those of `above` are already below them. What is there is at least a pixel high."""
    drawn = ""
    width = max(1.0, each - 1.5)
    for i, part in enumerate(shares):
        if part > 0:
            foot = base - tall * (above[i] if above else 0.0)
            height = max(1.0, tall * part)
            drawn += f"M{x + i * each:.1f} {foot:.1f}v{-height:.1f}h{width:.1f}v{height:.1f}z"
    look = look or f'fill="{_BLUE}"'
    return f'<path d="{drawn}" {look}/>' if drawn else ""


def image(svg: bytes, caption: str, alt: str) -> str:
    """Return a picture as HTML that needs no script and no network."""
    data = base64.b64encode(svg).decode("ascii")
    return (
        f'<figure style="margin:8px 0"><figcaption style="font-weight:600"><bdi>{html(caption)}</bdi></figcaption>'
        f'<img alt="{html(alt, 1000)}" style="max-width:100%;background:#fff" '
        f'src="data:image/svg+xml;base64,{data}"></figure>'
    )


def _svg(width: int, height: int, parts: Sequence[str]) -> bytes:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'{head} font-family="system-ui,sans-serif">{"".join(parts)}</svg>'.encode()


def _text(
    x: float,
    y: float,
    text: str,
    length: int,
    *,
    fill: str = _INK,
    size: int = 12,
    weight: str = "400",
    end: bool = False,
) -> str:
    anchor = ' text-anchor="end"' if end else ""
    shown = escape(cut(one_line(text), length))
    return (
        f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" font-weight="{weight}" fill="{fill}"{anchor}>{shown}</text>'
    )
