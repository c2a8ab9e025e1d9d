"""Tables to figures: plain Plotly data, and the same figure as a still SVG.

Every name in a figure passes :func:`label`, because Plotly reads markup in all that it draws. Colours are
those of Okabe and Ito [1]_, told apart by people with any colour vision; lines differ in dashes too.

References
----------
.. [1] M. Okabe and K. Ito, Color Universal Design, https://jfly.uni-koeln.de/color/
"""

from __future__ import annotations

import html
import io
import math
import re
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets.saved import cut, number, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#F0E442")
DASHES = ("solid", "dash", "dot", "dashdot")
QUIET = "#808080"

Figure = dict[str, Any]


def label(text: str, length: int = 40) -> str:
    """Return `text` so that Plotly draws it letter by letter, on one line."""
    return html.escape(cut(one_line(text), length), quote=False)


def _axis(title: str, **more: Any) -> dict[str, Any]:
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
    return {"data": data, "layout": {"xaxis": _axis("step"), "yaxis": _axis(metric)}}


def estimates(rows: Sequence[Mapping[str, Any]], title: str, *, zero: bool = False) -> Figure:
    """Return one dot with its interval on a line of its own for each row, the first on top.

    Parameters
    ----------
    rows
        Each with ``label``, ``value`` and, where known, ``low``, ``high`` and ``color``.
    title
        What the horizontal axis is.
    zero
        Draw the line of no difference.
    """
    known = [r for r in rows if _finite(r.get("value")) is not None]
    # The place is a number and the name a tick: equal names stay apart.
    places = list(range(len(known)))
    groups = dict.fromkeys(str(r.get("color") or PALETTE[0]) for r in known)
    data: list[dict[str, Any]] = []
    for color in groups:
        mine = [i for i in places if str(known[i].get("color") or PALETTE[0]) == color]
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
                    "symbol": "circle" if color == PALETTE[0] else "diamond",
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
        data.insert(0, _guide([0.0, 0.0], [-0.5, len(known) - 0.5], "no difference"))
    ticks = {
        "tickvals": places,
        "ticktext": [label(str(r["label"]), 36) for r in known],
        "range": [len(known) - 0.5, -0.5],
        "zeroline": False,
    }
    return {
        "data": data,
        "layout": {"xaxis": _axis(title, zeroline=False), "yaxis": ticks, "showlegend": False},
    }


def _guide(x: list[float], y: list[float], name: str) -> dict[str, Any]:
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


def _numbers(columns: Mapping[str, Any], *names: str) -> list[float | None]:
    for name in names:
        if columns.get(name) is not None:
            return [_finite(v) for v in (columns[name].tolist() if hasattr(columns[name], "tolist") else columns[name])]
    raise ValueError(
        f"a curve needs a column {' or '.join(map(repr, names))}, found {', '.join(map(repr, columns)) or 'none'}"
    )


def _band(x: list[float | None], columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    if columns.get("low") is None or columns.get("high") is None:
        return []
    low, high = _numbers(columns, "low"), _numbers(columns, "high")
    edge = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "hoverinfo": "skip",
        "showlegend": False,
        "line": {"width": 0, "color": PALETTE[0]},
    }
    return [{**edge, "y": low}, {**edge, "y": high, "fill": "tonexty", "fillcolor": "rgba(0,114,178,0.18)"}]


def _rate(title: str) -> dict[str, Any]:
    return _axis(title, range=[-0.02, 1.02])


def roc(columns: Mapping[str, Any]) -> Figure:
    """Return the ROC curve of columns ``fpr``, ``tpr`` and, if known, ``low`` and ``high`` of tpr."""
    x, y = _numbers(columns, "fpr", "false_positive_rate"), _numbers(columns, "tpr", "true_positive_rate")
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "name": "ROC",
        "line": {"color": PALETTE[0], "width": 2},
        "showlegend": False,
    }
    data = [_guide([0.0, 1.0], [0.0, 1.0], "chance"), *_band(x, columns), line]
    return {
        "data": data,
        "layout": {"xaxis": _rate("false positive rate"), "yaxis": _rate("true positive rate")},
    }


def precision_recall(columns: Mapping[str, Any]) -> Figure:
    """Return the curve of columns ``recall``, ``precision`` and, if known, ``low`` and ``high``."""
    x, y = _numbers(columns, "recall"), _numbers(columns, "precision")
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": x,
        "y": y,
        "name": "precision",
        "line": {"color": PALETTE[0], "width": 2},
        "showlegend": False,
    }
    return {
        "data": [*_band(x, columns), line],
        "layout": {"xaxis": _rate("recall"), "yaxis": _rate("precision")},
    }


def calibration(columns: Mapping[str, Any]) -> Figure:
    """Return observed frequency against predicted probability, with intervals where known.

    `columns` has ``predicted`` and ``observed`` for each bin, and may have ``low``, ``high`` and ``n``.
    """
    x = _numbers(columns, "predicted", "mean_predicted", "prob_pred")
    y = _numbers(columns, "observed", "fraction_positive", "prob_true")
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
        low, high = _numbers(columns, "low"), _numbers(columns, "high")
        dots["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [0.0 if h is None or v is None else h - v for h, v in zip(high, y, strict=True)],
            "arrayminus": [0.0 if b is None or v is None else v - b for b, v in zip(low, y, strict=True)],
            "color": PALETTE[0],
            "thickness": 1.4,
            "width": 4,
        }
    data = [_guide([0.0, 1.0], [0.0, 1.0], "perfect"), dots]
    return {
        "data": data,
        "layout": {"xaxis": _rate("predicted probability"), "yaxis": _rate("observed frequency")},
    }


# A still picture
# ----------------------------------------------------------------------------------------------------------

_STYLES = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-."}
_SYMBOLS = {"circle": "o", "diamond": "D"}


def svg(figure: Mapping[str, Any], width: float = 7.2, height: float = 3.4) -> bytes:
    """Draw a figure of this module as SVG, the same bytes for the same figure.

    Parameters
    ----------
    figure
        What a function of this module returned: scatter traces with lines, markers, error bars and bands.
    width, height
        In inches.
    """
    import warnings

    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    plain: dict[Any, Any] = {
        "text.parse_math": False,
        "svg.hashsalt": "modellab",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
    }
    with mpl.rc_context(plain), warnings.catch_warnings():
        # A name may use letters that the font lacks: readers' own fonts draw them.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        canvas = Canvas(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(canvas)
        axes = canvas.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, color="#e4e4e4", linewidth=0.8)
        axes.set_axisbelow(True)
        legend = []
        for trace in figure["data"]:
            drawn = _draw(axes, trace)
            if trace.get("showlegend", True) and trace.get("name"):
                legend.append((drawn, html.unescape(trace["name"])))
        for side in ("x", "y"):
            _set_axis(axes, side, figure["layout"].get(f"{side}axis", {}))
        if len(legend) > 1:
            # Names are given here and not as labels of lines: matplotlib hides labels that begin
            # with an underscore.
            axes.legend(
                [h for h, _ in legend],
                [cut(n, 28) for _, n in legend],
                loc="upper left",
                bbox_to_anchor=(1.0, 1.0),
                frameon=False,
                fontsize=8,
            )
        out = io.BytesIO()
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    # A hundredth of a point is finer than any screen, and half the size. Only inside tags: letters stay.
    return re.sub(rb"<[^>]*>", lambda tag: re.sub(rb"(\d\.\d\d)\d+", rb"\1", tag[0]), out.getvalue())


def _draw(axes: Any, trace: Mapping[str, Any]) -> Any:
    x = [math.nan if v is None else v for v in trace["x"]]
    y = [math.nan if v is None else v for v in trace["y"]]
    line, marker, mode = trace.get("line", {}), trace.get("marker", {}), trace.get("mode", "lines")
    color = line.get("color") or marker.get("color") or PALETTE[0]
    if trace.get("fill") == "tonexty" and axes.lines:
        axes.fill_between(x, axes.lines[-1].get_ydata(), y, color=color, alpha=0.18, linewidth=0)
    (drawn,) = axes.plot(
        x,
        y,
        color=color,
        linewidth=line.get("width", 1.5) * 0.8 if "lines" in mode else 0,
        linestyle=_STYLES[line.get("dash", "solid")],
        marker=_SYMBOLS[marker.get("symbol", "circle")] if "markers" in mode else "",
        markersize=marker.get("size", 5) * 0.6,
    )
    for side in ("x", "y"):
        bars = trace.get(f"error_{side}")
        if bars:
            both = [[0.0 if v is None else max(0.0, v) for v in bars[end]] for end in ("arrayminus", "array")]
            axes.errorbar(x, y, **{f"{side}err": both}, fmt="none", ecolor=color, elinewidth=1.3, capsize=2.5)
    return drawn


def _set_axis(axes: Any, side: str, axis: Mapping[str, Any]) -> None:
    title = axis.get("title", {}).get("text", "")
    getattr(axes, f"set_{side}label")(html.unescape(title))
    if "tickvals" in axis:
        getattr(axes, f"set_{side}ticks")(axis["tickvals"], [html.unescape(t) for t in axis["ticktext"]])
    if axis.get("range") is not None and axis["range"][0] != axis["range"][1]:
        getattr(axes, f"set_{side}lim")(axis["range"])


def describe(figure: Mapping[str, Any]) -> str:
    """Return the last value of each named line as a sentence, for those who do not see the figure."""
    parts = []
    for trace in figure["data"]:
        last = next((v for v in reversed(trace["y"]) if v is not None), None)
        if trace.get("name") and trace.get("showlegend", True) and last is not None:
            parts.append(f"{html.unescape(trace['name'])} ends at {number(last)}")
    return "; ".join(parts)
