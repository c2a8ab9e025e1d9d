"""A figure as a still picture: SVG of a few KB, the same bytes for the same figure, from Plotly's data alone."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.words import cut, number, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

WIDTH, HEIGHT = 620, 320
_DASHES = {"dash": "6 4", "dot": "1.5 3", "dashdot": "6 3 1.5 3"}
# Steps of a marker's outline from its first point, which is seen from the middle; in marker sizes.
_SHAPES = {
    "diamond": ((0, -0.6), (0.6, 0.6), (-0.6, 0.6), (-0.6, -0.6)),
    "triangle-up": ((0, -0.6), (0.55, 1.0), (-1.1, 0)),
    "triangle-down": ((0, 0.6), (0.55, -1.0), (-1.1, 0)),
    "circle-open": ((-0.2, -0.5), (0.4, 0), (0.3, 0.3), (0, 0.4), (-0.3, 0.3), (-0.4, 0), (-0.3, -0.3), (0, -0.4)),
}
_INK, _LINES = "#333", "#e2e2e2"
_LETTER = 6.1  # pixels that a letter of eleven takes, about


@dataclass(frozen=True, slots=True)
class _Scale:
    """Values of an axis -> pixels; places of its ticks with their words."""

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]]

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def svg(figure: Mapping[str, Any], width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """Draw a figure of `figures` or `judged`: scatter traces with lines, markers, error bars and bands.

    Parameters
    ----------
    figure
        Plotly's ``data`` and ``layout``; names have passed `figures.label`.
    width, height
        In pixels.
    """
    data, layout = figure["data"], figure["layout"]
    keys = [trace for trace in data if trace.get("showlegend", True) and trace.get("name")]
    if len(keys) < 2 or layout.get("showlegend") is False:
        keys = []
    legend, rows = _legend(keys, width)
    bottom = height - 42 - 16 * rows
    spans = {side: _span(data, side, layout.get(f"{side}axis", {})) for side in "xy"}
    ups = _ticks(layout.get("yaxis", {}), *spans["y"], max(2, int(bottom / 36)))
    left = 30 + _LETTER * max((len(text) for _, text in ups), default=0)
    across = _ticks(layout.get("xaxis", {}), *spans["x"], max(2, int((width - left) / 80)))
    x, y = _Scale(*spans["x"], left, width - 10.0, across), _Scale(*spans["y"], float(bottom), 8.0, ups)
    size = f'width="{width}" height="{height}"'
    look = f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11" fill="{_INK}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>',
        f'<rect {size} fill="#fff"/>',
        _axes(x, y),
        f'<clipPath id="c"><path d="M{_n(left)} 2H{width - 4}V{bottom + 6}H{_n(left)}z"/></clipPath>',
        '<g clip-path="url(#c)" fill="none">',
        *_traces(data, x, y),
        "</g>",
        _title(layout, "x", f'x="{_n((x.start + x.end) / 2)}" y="{bottom + 34}"'),
        _title(layout, "y", f'transform="translate(12 {_n((bottom + 8) / 2)})rotate(-90)"'),
        *legend(bottom + 52),
        "</svg>",
    ]
    return "".join(parts).encode("utf-8")


def _n(value: float) -> str:
    """Return a tenth of a pixel, which is finer than most screens."""
    return f"{value:.1f}".removesuffix(".0")


def _words(text: Any, length: int = 60) -> str:
    return html.escape(cut(one_line(html.unescape(str(text))), length), quote=True)


def _values(column: Any) -> list[float | None]:
    return [float(v) if isinstance(v, int | float) and math.isfinite(v) else None for v in column]


def _span(data: Iterable[Mapping[str, Any]], side: str, axis: Mapping[str, Any]) -> tuple[float, float]:
    """Return both ends of an axis: as told, else what holds all values with their error bars."""
    given = axis.get("range")
    if given is not None and given[0] != given[1]:
        return float(given[0]), float(given[1])
    ends: list[float] = []
    for trace in data:
        values, bars = _values(trace[side]), trace.get(f"error_{side}") or {}
        ends += [v for v in values if v is not None]
        for sign, name in ((1, "array"), (-1, "arrayminus")):
            pairs = zip(values, _values(bars.get(name, ())), strict=False)
            ends += [v + sign * e for v, e in pairs if v is not None and e is not None]
    low, high = min(ends, default=0.0), max(ends, default=1.0)
    pad = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return low - pad, high + pad


def _ticks(axis: Mapping[str, Any], low: float, high: float, most: int) -> list[tuple[float, str]]:
    if "tickvals" in axis:
        pairs = zip(axis["tickvals"], axis["ticktext"], strict=True)
        return [(float(value), cut(html.unescape(text), 30)) for value, text in pairs]
    step = abs(high - low) / most
    size = 10.0 ** math.floor(math.log10(step))
    step = next(size * part for part in (1, 2, 5, 10) if size * part >= step * 0.999)
    first = math.ceil(min(low, high) / step - 1e-9)
    last = math.floor(max(low, high) / step + 1e-9)
    return [(i * step, number(float(f"{i * step:.12g}"))) for i in range(first, last + 1)]


def _axes(x: _Scale, y: _Scale) -> str:
    grid = "".join(f"M{_n(x(at))} {_n(y.end)}V{_n(y.start)}" for at, _ in x.ticks)
    grid += "".join(f"M{_n(x.start)} {_n(y(at))}H{_n(x.end)}" for at, _ in y.ticks)
    below = "".join(f'<text x="{_n(x(at))}" y="{_n(y.start + 15)}">{_words(text)}</text>' for at, text in x.ticks)
    beside = "".join(f'<text x="{_n(x.start - 6)}" y="{_n(y(at) + 4)}">{_words(text)}</text>' for at, text in y.ticks)
    return (
        f'<path d="{grid}" stroke="{_LINES}"/><path d="M{_n(x.start)} {_n(y.end)}V{_n(y.start)}H{_n(x.end)}" '
        f'fill="none" stroke="#999"/><g text-anchor="middle">{below}</g><g text-anchor="end">{beside}</g>'
    )


def _title(layout: Mapping[str, Any], side: str, place: str) -> str:
    text = layout.get(f"{side}axis", {}).get("title", {}).get("text", "")
    return f'<text text-anchor="middle" {place}>{_words(text)}</text>' if text else ""


def _color(trace: Mapping[str, Any]) -> str:
    line, marker = trace.get("line", {}), trace.get("marker", {})
    return str(line.get("color") or marker.get("color") or "#0072B2")


def _traces(data: Sequence[Mapping[str, Any]], x: _Scale, y: _Scale) -> Iterable[str]:
    before: list[tuple[float, float]] = []
    for trace in data:
        pairs = list(zip(_values(trace["x"]), _values(trace["y"]), strict=True))
        points = [None if a is None or b is None else (x(a), y(b)) for a, b in pairs]
        known = [p for p in points if p is not None]
        color, mode = _color(trace), trace.get("mode", "lines")
        if trace.get("fill") == "tonexty" and before and known:
            yield f'<path d="{_path([*before, *reversed(known)])}z" fill="{color}" fill-opacity=".2"/>'
        before = known
        for side in "xy":
            yield from _bars(trace, side, points, x if side == "x" else y, color)
        line = trace.get("line", {})
        if "lines" in mode and line.get("width", 2) > 0 and known:
            dash = _DASHES.get(line.get("dash", "solid"))
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            yield f'<path d="{_path(points)}" stroke="{color}" stroke-width="{line.get("width", 2) * 0.8:g}"{dashes}/>'
        if "markers" in mode and known:
            yield _markers(known, trace.get("marker", {}), color)


def _path(points: Sequence[tuple[float, float] | None]) -> str:
    """Return a line through points, interrupted where one is missing."""
    made, pen = [], "M"
    for point in points:
        if point is None:
            pen = "M"
            continue
        made.append(f"{pen}{_n(point[0])} {_n(point[1])}")
        pen = "L"
    return "".join(made)


def _markers(points: Sequence[tuple[float, float]], marker: Mapping[str, Any], color: str) -> str:
    size, opacity = marker.get("size", 6), marker.get("opacity", 1)
    faint = f' stroke-opacity="{opacity}"' if opacity != 1 else ""
    shape = _SHAPES.get(marker.get("symbol", "circle"))
    if shape is not None:
        steps = " ".join(f"{_n(dx * size)} {_n(dy * size)}" for dx, dy in shape[1:])
        (x, y), hollow = shape[0], "none" if str(marker["symbol"]).endswith("-open") else color
        d = "".join(f"M{_n(a + x * size)} {_n(b + y * size)}l{steps}z" for a, b in points)
        return f'<path d="{d}" fill="{hollow}" stroke="{color}"/>'
    # A line without length and with round ends is a dot: all of them are one path.
    d = "".join(f"M{_n(a)} {_n(b)}h0" for a, b in points)
    return f'<path d="{d}" stroke="{color}" stroke-width="{size * 0.8:g}" stroke-linecap="round"{faint}/>'


def _bars(
    trace: Mapping[str, Any], side: str, points: Sequence[tuple[float, float] | None], scale: _Scale, color: str
) -> Iterable[str]:
    bars = trace.get(f"error_{side}")
    if not bars:
        return
    d = []
    columns = (_values(trace[side]), _values(bars["arrayminus"]), _values(bars["array"]))
    for point, value, minus, plus in zip(points, *columns, strict=True):
        if point is None or value is None or not (minus or plus):
            continue
        low, high = scale(value - (minus or 0.0)), scale(value + (plus or 0.0))
        a, b = point
        if side == "x":
            d.append(f"M{_n(low)} {_n(b)}H{_n(high)}M{_n(low)} {_n(b - 3)}v6M{_n(high)} {_n(b - 3)}v6")
        else:
            d.append(f"M{_n(a)} {_n(low)}V{_n(high)}M{_n(a - 3)} {_n(low)}h6M{_n(a - 3)} {_n(high)}h6")
    if d:
        yield f'<path d="{"".join(d)}" stroke="{color}" stroke-width="1.3"/>'


def _legend(keys: Sequence[Mapping[str, Any]], width: int) -> tuple[Any, int]:
    """Return what draws the names of traces from a height on, and the number of lines that takes."""
    places: list[tuple[float, int, Mapping[str, Any], str]] = []
    across, row = 12.0, 0
    for trace in keys:
        text = cut(one_line(html.unescape(str(trace["name"]))), 34)
        wide = 44 + _LETTER * len(text)
        if across + wide > width and across > 12:
            across, row = 12.0, row + 1
        places.append((across, row, trace, text))
        across += wide

    def draw(top: float) -> Iterable[str]:
        for a, line, trace, text in places:
            b, color = top + 16 * line, _color(trace)
            dash = _DASHES.get(trace.get("line", {}).get("dash", "solid"))
            dashes = f' stroke-dasharray="{dash}"' if dash else ""
            thick = 8 if trace.get("fill") or "lines" not in trace.get("mode", "lines") else 2
            faint = ' stroke-opacity=".3"' if trace.get("fill") else ""
            yield (
                f'<path d="M{_n(a)} {_n(b - 4)}h22" stroke="{color}" stroke-width="{thick}"{dashes}{faint}/>'
                f'<text x="{_n(a + 27)}" y="{_n(b)}">{_words(text)}</text>'
            )

    return draw, row + 1 if places else 0
