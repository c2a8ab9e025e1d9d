"""Evaluations as figures: curves of classes, errors of numbers, runs laid over each other, stress."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets import figures
from modellab_jupyter.widgets.figures import DASHES, PALETTE, QUIET, Figure, label
from modellab_jupyter.widgets.sections import Picture, Thresholds
from modellab_jupyter.widgets.words import named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DRAWN = 120
"""Points of a curve in a still picture or beside other curves."""
LEGEND = {"legend": {"orientation": "h", "x": 0, "y": -0.25}, "margin": {"t": 12, "r": 16, "b": 44, "l": 56}}
"""Names of lines below a figure, where they leave it its width."""
_KINDS = {
    "roc": ("ROC curve", "fpr", "tpr", "false positive rate", "true positive rate"),
    "pr": ("Precision and recall", "recall", "precision", "recall", "precision"),
}


def pictures(part: Thresholds) -> list[Picture]:
    """Return the curves of a slider's classes as figures: one class with its bands, more laid over each other."""
    made = []
    only = part.classes[0] if len(part.classes) == 1 else None
    for kind, (caption, x, y, *_) in _KINDS.items():
        lines = [(one.name, fewer(one.curve(kind), x, y)) for one in part.classes[: len(PALETTE)]]
        band = only.bands.get(kind) if only is not None else None
        alt = f"{caption} of {', '.join(named(name, 60) for name, _ in lines)}"
        made.append(Picture(caption, overlaid(kind, lines, band), alt, 280, width=400))
    calibrated = [(one.name, one.calibration) for one in part.classes[: len(PALETTE)] if one.calibration]
    if calibrated:
        names = ", ".join(named(name, 60) for name, _ in calibrated)
        alt = f"Calibration of {names}: observed share against probability"
        made.append(Picture("Calibration", reliability(calibrated), alt, 280, width=400))
    return made


def fewer(columns: Mapping[str, Sequence[float | None]], x: str, y: str, most: int = DRAWN) -> dict[str, list[Any]]:
    """Return the points of a curve that a screen can show: those that stand farthest from a straight line.

    A curve of steps keeps its corners, and with them its lowest and highest points (Douglas & Peucker 1973,
    doi:10.3138/FM57-6770-U75U-7727).
    """
    xs, ys = list(columns[x]), list(columns[y])
    known = [(a, b) for a, b in zip(xs, ys, strict=True) if a is not None and b is not None]
    if len(known) <= most:
        return {x: [a for a, _ in known], y: [b for _, b in known]}
    tolerance = 0.0005
    while True:
        kept = _corners(known, tolerance)
        if len(kept) <= most:
            return {x: [known[i][0] for i in kept], y: [known[i][1] for i in kept]}
        tolerance *= 1.5


def _corners(points: Sequence[tuple[float, float]], tolerance: float) -> list[int]:
    kept, waiting = {0, len(points) - 1}, [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        (x0, y0), (x1, y1) = points[first], points[last]
        length = math.hypot(x1 - x0, y1 - y0)
        far, place = tolerance, None
        for i in range(first + 1, last):
            x, y = points[i]
            away = abs((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0)) / length if length else math.hypot(x - x0, y - y0)
            if away > far:
                far, place = away, i
        if place is not None:
            kept.add(place)
            waiting += [(first, place), (place, last)]
    return sorted(kept)


def overlaid(
    kind: str,
    lines: Sequence[tuple[str, Mapping[str, Sequence[Any]]]],
    band: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """Return the ``roc`` or ``pr`` curves of some runs or classes in one figure, told apart by colour and dashes."""
    _, x, y, across, up = _KINDS[kind]
    data: list[dict[str, Any]] = []
    if kind == "roc":
        data.append(figures.guide([0.0, 1.0], [0.0, 1.0], "chance"))
    if band is not None:
        data += figures.band(figures.numbers(band, "x"), band)
    for i, (name, columns) in enumerate(lines):
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": label(name),
                "x": figures.numbers(columns, x),
                "y": figures.numbers(columns, y),
                "line": _line(i),
                "showlegend": len(lines) > 1,
                "hovertemplate": f"%{{fullData.name}}<br>{across} %{{x:.3f}}, {up} %{{y:.3f}}<extra></extra>",
            }
        )
    return {"data": data, "layout": {"xaxis": figures.rate(across), "yaxis": figures.rate(up), **_legend(len(lines))}}


def reliability(lines: Sequence[tuple[str, Mapping[str, Sequence[Any]]]]) -> Figure:
    """Return observed share against predicted probability, of one with the intervals of its bins."""
    if len(lines) == 1:
        return figures.calibration(lines[0][1])
    data = [figures.guide([0.0, 1.0], [0.0, 1.0], "perfect")]
    for i, (name, columns) in enumerate(lines):
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": label(name),
                "x": figures.numbers(columns, "predicted"),
                "y": figures.numbers(columns, "observed"),
                "line": _line(i),
                "marker": {"size": 6, "color": PALETTE[i % len(PALETTE)]},
                "hovertemplate": "%{fullData.name}<br>predicted %{x:.3f}, observed %{y:.3f}<extra></extra>",
            }
        )
    axes = {"xaxis": figures.rate("predicted probability"), "yaxis": figures.rate("observed share")}
    return {"data": data, "layout": {**axes, **_legend(len(lines))}}


def _line(i: int) -> dict[str, Any]:
    return {"color": PALETTE[i % len(PALETTE)], "width": 2, "dash": DASHES[i % len(DASHES)]}


def _legend(lines: int) -> dict[str, Any]:
    return {"showlegend": lines > 1, **LEGEND}


def predicted_against_actual(points: Mapping[str, Sequence[float]], width: float | None, told: str) -> Figure:
    """Return predictions against labels, with a prediction interval of that half width around equality."""
    ends = [min(*points["label"], *points["prediction"]), max(*points["label"], *points["prediction"])]
    pad = 0.03 * (ends[1] - ends[0]) or 1.0
    reach = [ends[0] - pad, ends[1] + pad]
    data = []
    if width is not None:
        edge = {
            "type": "scatter",
            "mode": "lines",
            "x": reach,
            "hoverinfo": "skip",
            "line": {"width": 0, "color": PALETTE[4]},
        }
        data.append({**edge, "y": [v - width for v in reach], "showlegend": False})
        data.append(
            {
                **edge,
                "y": [v + width for v in reach],
                "fill": "tonexty",
                "fillcolor": "rgba(230,159,0,0.2)",
                "name": told,
            }
        )
    data.append(_dots(points["label"], points["prediction"], "label %{x:.4g}, prediction %{y:.4g}<extra></extra>"))
    data.append({**figures.guide(reach, reach, "prediction = label"), "showlegend": True})
    axes = {"xaxis": figures.axis("label", range=reach), "yaxis": figures.axis("prediction", range=reach)}
    return {"data": data, "layout": {**axes, **_legend(2)}}


def residuals(points: Mapping[str, Sequence[float]], parts: Mapping[str, Sequence[float]] | None) -> Figure:
    """Return errors against predictions, with median and middle 80 % over parts of equal size where there are any."""
    guess = list(points["prediction"])
    data: list[dict[str, Any]] = []
    if parts is not None:
        x = figures.numbers(parts, "prediction")
        edges = figures.band(x, parts, PALETTE[4], "rgba(230,159,0,0.25)")
        data += [edges[0], {**edges[1], "name": "middle 80 %", "showlegend": True}]
    data.append(_dots(guess, points["error"], "prediction %{x:.4g}, error %{y:.4g}<extra></extra>"))
    data.append(figures.guide([min(guess), max(guess)], [0.0, 0.0], "no error"))
    if parts is not None:
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "median",
                "x": x,
                "y": figures.numbers(parts, "median"),
                "line": {"color": PALETTE[1], "width": 2},
                "marker": {"size": 5, "color": PALETTE[1]},
            }
        )
    axes = {"xaxis": figures.axis("prediction"), "yaxis": figures.axis("prediction − label")}
    return {"data": data, "layout": {**axes, **_legend(2)}}


def _dots(x: Sequence[float], y: Sequence[float], hover: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "x": list(x),
        "y": list(y),
        "name": "rows",
        "showlegend": False,
        "marker": {"size": 5, "color": PALETTE[0], "opacity": 0.5},
        "hovertemplate": hover,
    }


def stress(rows: Sequence[Mapping[str, Any]], metric: str) -> Figure:
    """Return a metric against the step of each perturbation, from the clean rows on.

    Severities mean something else in each perturbation, so steps are drawn and severities are told.
    """
    mine = [row for row in rows if row["metric"] == metric and row["estimate"] is not None]
    clean = next((row for row in mine if row["perturbation"] == "none"), None)
    names = list(dict.fromkeys(row["perturbation"] for row in mine if row is not clean))
    by_name = {
        name: sorted((row for row in mine if row["perturbation"] == name), key=lambda row: row["severity"])
        for name in names
    }
    top = max(map(len, by_name.values()), default=1)
    data: list[dict[str, Any]] = []
    if clean is not None:
        reach = [0.0, float(top)]
        if clean["low"] is not None and clean["high"] is not None:
            ends = {"low": [clean["low"]] * 2, "high": [clean["high"]] * 2}
            data += figures.band(reach, ends, QUIET, "rgba(128,128,128,0.18)")
        data.append({**figures.guide(reach, [clean["estimate"]] * 2, "clean rows"), "showlegend": True})
    for i, (name, points) in enumerate(by_name.items()):
        # Points of one step stand a little beside each other, so that each interval is seen.
        shift = 0.05 * (i - (len(names) - 1) / 2)
        drawn = points if clean is None else [clean, *points]
        y = [row["estimate"] for row in drawn]
        bars = figures.bars(y, [row["low"] for row in drawn], [row["high"] for row in drawn], i)
        first = 1 if clean is None else 0
        if clean is not None:
            bars["array"][0] = bars["arrayminus"][0] = 0.0
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": label(name),
                "x": [step + (shift if step else 0.0) for step in range(first, first + len(drawn))],
                "y": y,
                "line": _line(i),
                "marker": {"size": 6, "color": PALETTE[i % len(PALETTE)]},
                "error_y": bars,
                "text": ["clean" if row is clean else f"severity {row['severity']:g}" for row in drawn],
                "hovertemplate": "%{fullData.name}<br>%{text}: %{y:.4g}<extra></extra>",
            }
        )
    steps = {"tickvals": list(range(top + 1)), "ticktext": ["clean", *(f"step {i}" for i in range(1, top + 1))]}
    axes = {"xaxis": figures.axis("severity, by steps of each perturbation", **steps), "yaxis": figures.axis(metric)}
    return {"data": data, "layout": {**axes, **_legend(2)}}
