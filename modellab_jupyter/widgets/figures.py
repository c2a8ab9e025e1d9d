"""Tables to figures: plain Plotly data, which `still` draws as SVG.

Every name in a figure passes :func:`label`, because Plotly reads markup in all that it draws. Colours are
those of Okabe and Ito [1]_, told apart by people with any colour vision; lines differ in dashes too.

References
----------
.. [1] M. Okabe and K. Ito, Color Universal Design, https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.still import svg
from modellab_jupyter.widgets.words import cut, interval, named, number, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

__all__ = [
    "DASHES", "LOOKS", "PALETTE", "QUIET", "Figure", "axis", "band", "bars", "calibration", "curves", "describe",
    "estimates", "guide", "label", "numbers", "rate", "svg", "told",
]  # fmt: skip

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#F0E442")
DASHES = ("solid", "dash", "dot", "dashdot")
QUIET = "#808080"
LOOKS = {
    "better": (PALETTE[2], "triangle-up"),
    "worse": (PALETTE[1], "triangle-down"),
    "different": (PALETTE[3], "diamond"),
}
"""Colour and shape of what was judged."""

Figure = dict[str, Any]


def label(text: str, length: int = 40) -> str:
    """Return `text` so that Plotly draws it letter by letter, on one line."""
    return html.escape(cut(one_line(text), length), quote=False)


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis of that title."""
    return {"title": {"text": label(title, 60)}, **more}


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def curves(series: pa.Table, names: Mapping[str, str], metric: str) -> Figure:
    """Return metric against step, a line for each run.

    Parameters
    ----------
    series
        Columns ``run_id``, ``step`` and ``value``.
    names
        Name of each run by its id, in the order of the legend.
    metric
        What the values are.
    """
    lines: dict[str, tuple[list[Any], list[Any]]] = {run_id: ([], []) for run_id in names}
    for row in series.select(["run_id", "step", "value"]).to_pylist():
        if row["run_id"] in lines:
            x, y = lines[row["run_id"]]
            x.append(row["step"])
            y.append(_finite(row["value"]))
    data = [
        {
            "type": "scatter",
            "mode": "lines+markers" if len(x) < 40 else "lines",
            "name": label(names[run_id] or run_id),
            "x": x,
            "y": y,
            "line": {
                "color": PALETTE[i % len(PALETTE)],
                "width": 2,
                "dash": DASHES[i // len(PALETTE) % len(DASHES)],
            },
        }
        for i, (run_id, (x, y)) in enumerate(lines.items())
        if x
    ]
    return {"data": data, "layout": {"xaxis": axis("step"), "yaxis": axis(metric)}}


def estimates(rows: Sequence[Mapping[str, Any]], title: str, *, zero: bool = False) -> Figure:
    """Return one dot with its interval on a line of its own for each row, the first on top.

    Parameters
    ----------
    rows
        Each with ``label``, ``value`` and, where known, ``low``, ``high``, ``color`` and ``symbol``.
    title
        What the horizontal axis is.
    zero
        Draw the line of no difference.
    """
    known = [r for r in rows if _finite(r.get("value")) is not None]
    # The place is a number and the name a tick: equal names stay apart.
    places = list(range(len(known)))
    looks = [
        (str(r.get("color") or PALETTE[0]), str(r.get("symbol") or ("diamond" if r.get("color") else "circle")))
        for r in known
    ]
    data: list[dict[str, Any]] = []
    for color, symbol in dict.fromkeys(looks):
        mine = [i for i in places if looks[i] == (color, symbol)]
        value = [float(known[i]["value"]) for i in mine]
        low = [_finite(known[i].get("low")) for i in mine]
        high = [_finite(known[i].get("high")) for i in mine]
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": value,
                "y": mine,
                "marker": {
                    "size": 9,
                    "color": color,
                    "symbol": symbol,
                },
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [0.0 if h is None else h - v for h, v in zip(high, value, strict=True)],
                    "arrayminus": [0.0 if b is None else v - b for b, v in zip(low, value, strict=True)],
                    "color": color,
                    "thickness": 1.6,
                    "width": 4,
                },
                "text": [label(str(known[i]["label"]), 60) for i in mine],
                "hovertemplate": "%{text}: %{x:.5g}<extra></extra>",
                "showlegend": False,
            }
        )
    if zero and known:
        data.insert(0, guide([0.0, 0.0], [-0.5, len(known) - 0.5], "no difference"))
    ticks = {
        "tickvals": places,
        "ticktext": [label(str(r["label"]), 36) for r in known],
        "range": [len(known) - 0.5, -0.5],
        "zeroline": False,
    }
    return {
        "data": data,
        "layout": {"xaxis": axis(title, zeroline=False), "yaxis": ticks, "showlegend": False},
    }


def guide(x: list[float], y: list[float], name: str) -> dict[str, Any]:
    """Return a quiet dashed line to compare with."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "name": name,
        "line": {"color": QUIET, "width": 1.2, "dash": "dash"},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def numbers(columns: Mapping[str, Any], *names: str) -> list[float | None]:
    """Return the first of some columns that is there, None in place of what is no finite number."""
    for name in names:
        if columns.get(name) is not None:
            return [_finite(v) for v in (columns[name].tolist() if hasattr(columns[name], "tolist") else columns[name])]
    raise ValueError(
        f"a curve needs a column {' or '.join(map(repr, names))}, found {', '.join(map(repr, columns)) or 'none'}"
    )


def band(
    x: Sequence[float | None],
    columns: Mapping[str, Any],
    color: str = PALETTE[0],
    fill: str = "rgba(0,114,178,0.18)",
) -> list[dict[str, Any]]:
    """Return both edges of the area between the columns ``low`` and ``high``; nothing where they are not there."""
    if columns.get("low") is None or columns.get("high") is None:
        return []
    low, high = numbers(columns, "low"), numbers(columns, "high")
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": list(x),
        "hoverinfo": "skip",
        "showlegend": False,
        "line": {"width": 0, "color": color},
    }
    return [{**edge, "y": low}, {**edge, "y": high, "fill": "tonexty", "fillcolor": fill}]


def bars(y: Sequence[Any], low: Sequence[Any], high: Sequence[Any], color: int = 0) -> dict[str, Any]:
    """Return the error bars of values with their intervals, of no length where an end is unknown."""
    lows, highs, values = ([_finite(v) for v in column] for column in (low, high, y))
    return {
        "type": "data",
        "symmetric": False,
        "array": [0.0 if h is None or v is None else h - v for h, v in zip(highs, values, strict=True)],
        "arrayminus": [0.0 if b is None or v is None else v - b for b, v in zip(lows, values, strict=True)],
        "color": PALETTE[color % len(PALETTE)],
        "thickness": 1.4,
        "width": 4,
    }


def rate(title: str) -> dict[str, Any]:
    """Return an axis from 0 to 1."""
    return axis(title, range=[-0.02, 1.02])


def calibration(columns: Mapping[str, Any]) -> Figure:
    """Return observed frequency against predicted probability, with intervals where known.

    `columns` has ``predicted`` and ``observed`` for each bin, and may have ``low``, ``high`` and ``n``.
    """
    x = numbers(columns, "predicted", "mean_predicted", "prob_pred")
    y = numbers(columns, "observed", "fraction_positive", "prob_true")
    dots: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": x,
        "y": y,
        "name": "observed",
        "line": {"color": PALETTE[0], "width": 1.5},
        "marker": {"size": 8, "color": PALETTE[0]},
        "showlegend": False,
    }
    if columns.get("low") is not None and columns.get("high") is not None:
        dots["error_y"] = bars(y, numbers(columns, "low"), numbers(columns, "high"))
    data = [guide([0.0, 1.0], [0.0, 1.0], "perfect"), dots]
    return {
        "data": data,
        "layout": {"xaxis": rate("predicted probability"), "yaxis": rate("observed frequency")},
    }


def told(row: Mapping[str, Any]) -> str:
    """Return the label of a row with its value and interval, for those who do not see the figure."""
    parts = (named(str(row["label"]), 60), number(row["value"]), interval(row.get("low"), row.get("high")))
    return " ".join(part for part in parts if part)


def describe(figure: Mapping[str, Any]) -> str:
    """Return the last value of each named line as a sentence, for those who do not see the figure."""
    parts = []
    for trace in figure["data"]:
        last = next((v for v in reversed(trace["y"]) if v is not None), None)
        if trace.get("name") and trace.get("showlegend", True) and last is not None:
            parts.append(f"{named(html.unescape(trace['name']))} ends at {number(last)}")
    return "; ".join(parts)
