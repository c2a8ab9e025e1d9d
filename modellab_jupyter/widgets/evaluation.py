"""One evaluation as a page: headline, metrics with intervals, thresholds, curves, errors, slices, failures, stress."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets import figures, judged, saved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

KEYS = (
    "title", "takeaway", "n", "level", "metrics", "confusion", "classes", "all_classes", "thresholds",
    "errors", "slices", "failures", "categories", "stress", "notes",
)  # fmt: skip
FIRST = (
    "accuracy", "roc_auc", "roc_auc_ovr", "average_precision", "f1", "f1_macro", "balanced_accuracy", "log_loss",
    "root_mean_squared_error", "mean_absolute_error", "median_absolute_error", "r2",
)  # fmt: skip
"""Metrics that a headline shows before others."""
P_VALUES = {"p_value": "p", "q_value": "p", "evidence": "evidence"}
SLICES = 120
FAILURES = 100
STRESSED = 3
"""Metrics whose stress curves are drawn; the table has all."""
_HTML = {"slices": 20, "failures": 10, "examples": 2}
"""Rows of tables in plain HTML, which is read where nothing folds."""


def evaluation(report: Mapping[str, Any]) -> saved.Page:
    """Show an evaluation.

    Parameters
    ----------
    report
        A mapping with any of

        - ``title`` and ``takeaway`` (texts, the first line of the takeaway is the headline), ``n`` (rows judged),
          ``level`` (of the intervals), ``notes`` (texts);
        - ``metrics``: rows with ``metric, estimate`` and, where known, ``low, high, n, reason`` (why a number
          or its interval is missing);
        - ``confusion``: a `saved.Matrix`; ``classes``: rows with ``class`` and what each class scored,
          ``all_classes``: how many classes there are;
        - ``thresholds``: a `saved.Thresholds`;
        - ``errors``: of numbers: ``points`` (``label, prediction, error``), ``parts`` (``prediction, median, low,
          high``), ``deciles`` (rows with ``label``, ``value``, ``low``, ``high``), ``intervals`` (rows with ``level,
          half_width, coverage, low, high, test_rows, reason``), ``width`` and ``told`` (half width and name of the
          interval that is drawn), ``tests`` (sentences), ``note``;
        - ``slices``: rows with ``slice, support, metric, estimate, low, high, q_value`` and more if there is;
        - ``failures``: rows, whatever their columns; ``categories``: each with ``category, rule, count, share, low,
          high`` and ``examples`` (rows);
        - ``stress``: rows with ``perturbation, severity, metric, estimate, low, high``, or why there are none.

        Rows are an Arrow table, a DataFrame, a list of dicts, or columns by name.

    Returns
    -------
    Page
        Displays itself in Jupyter, and stays readable in the saved notebook.

    Raises
    ------
    ValueError
        If `report` has another key.
    """
    unknown = [k for k in report if k not in KEYS]
    if unknown:
        raise ValueError(f"an evaluation has the parts {', '.join(KEYS)}; found {unknown[0]!r}")
    sections = _headline(report)
    sections += [report[key] for key in ("thresholds", "confusion") if report.get(key) is not None]
    if report.get("classes") is not None:
        sections.append(_classes(saved.as_table(report["classes"]), report.get("all_classes")))
    if report.get("errors") is not None:
        sections += _errors(report["errors"])
    metrics = saved.as_table(report.get("metrics"))
    if metrics.num_rows:
        sections.append(_metrics(metrics, report.get("level")))
    sections += _slices(report.get("slices"))
    if report.get("categories") is not None:
        sections += _categories(report["categories"])
    if report.get("failures") is not None:
        failures = saved.as_table(report["failures"])
        sections.append(_limited("Failures", failures, FAILURES, "No failures were listed.", _HTML["failures"]))
    sections += _stress(report.get("stress"))
    sections += [saved.Text(str(note), "note") for note in report.get("notes") or ()]
    return saved.Page(str(report.get("title") or "Evaluation"), sections)


def _headline(report: Mapping[str, Any]) -> list[saved.Section]:
    first, _, rest = str(report.get("takeaway") or "").strip().partition("\n")
    sections: list[saved.Section] = [saved.Text(first, "lede")] if first else []
    if rest:
        sections.append(saved.Text(" ".join(rest.split("\n"))))
    rows = saved.as_table(report.get("metrics")).to_pylist()
    rows = sorted(rows, key=lambda r: FIRST.index(r["metric"]) if r.get("metric") in FIRST else len(FIRST))[:5]
    stats = [
        saved.Stat(
            str(r.get("metric")),
            r.get("estimate"),
            r.get("low"),
            r.get("high"),
            None if r.get("n") == report.get("n") else _count(r.get("n")),
            str(r.get("reason") or ""),
        )
        for r in rows
    ]
    if report.get("n") is not None:
        stats.append(saved.Stat("rows judged", float(report["n"])))
    return [*sections, saved.Stats(stats)] if stats else sections


def _metrics(metrics: pa.Table, level: float | None) -> saved.Grid:
    ends = {"estimate": ("low", "high")} if {"low", "high"} <= set(metrics.column_names) else {}
    if "reason" in metrics.column_names and not any(metrics.column("reason").to_pylist()):
        metrics = metrics.drop_columns(["reason"])
    titles = {"estimate": "estimate [interval]", "reason": "why a number or its interval is missing"}
    note = f"{100 * level:g} % intervals, each by the method named." if level and ends else ""
    return saved.Grid("Metrics", metrics, titles if ends else {}, ends, forms=P_VALUES, note=note, plain=40)


def _count(value: Any) -> int | None:
    return None if value is None or value != value else int(value)


def _known(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


# Classes and numbers --------------------------------------------------------------------------------------


def _classes(table: pa.Table, known: int | None) -> saved.Grid:
    ends = {
        name: (f"{name}_low", f"{name}_high")
        for name in table.column_names
        if f"{name}_low" in table.column_names and f"{name}_high" in table.column_names
    }
    shown = table.num_rows
    note = f"{shown} of {known} classes are here, those with the most errors." if known and shown < known else ""
    return saved.Grid("By class", table, {"support": "rows"}, ends, note=note, plain=30)


def _errors(errors: Mapping[str, Any]) -> list[saved.Section]:
    points = errors["points"]
    told = str(errors.get("told") or "prediction interval")
    note = str(errors.get("note") or "")
    drawn = f"Predictions against labels of {len(points['label']):,} rows"
    made: list[saved.Section] = [
        saved.Picture(
            "Predicted against actual", judged.predicted_against_actual(points, errors.get("width"), told), drawn, 360
        ),
        saved.Picture("Residuals", judged.residuals(points, errors.get("parts")), "Errors against predictions", 360),
    ]
    deciles = list(errors.get("deciles") or ())
    if deciles:
        figure = figures.estimates(deciles, "mean absolute error")
        said = "; ".join(f"{d['label']}: {saved.number(d['value'])}" for d in deciles)
        made.append(
            saved.Picture(
                "Error by size of the label", figure, f"Mean absolute error by label: {said}", 360, still=False
            )
        )
    if note:
        made.append(saved.Text(note, "note"))
    found = saved.as_table(errors.get("intervals"))
    if found.num_rows:
        titles = {
            "level": "asked for",
            "half_width": "± around a prediction",
            "coverage": "held in [interval]",
            "test_rows": "of other rows",
        }
        columns = [n for n in ("level", "half_width", "coverage", "low", "high", "test_rows", "reason")
                   if n in found.column_names and (n != "reason" or any(found.column(n).to_pylist()))]  # fmt: skip
        text = "A new label lies within this of its prediction in at least the share asked for (split conformal)."
        made.append(
            saved.Grid("Prediction intervals", found.select(columns), titles, {"coverage": ("low", "high")}, note=text)
        )
    return [*made, *(saved.Text(sentence) for sentence in errors.get("tests") or ())]


# Slices, failures, stress ---------------------------------------------------------------------------------


def _look(row: Mapping[str, Any]) -> dict[str, str]:
    color, symbol = figures.LOOKS.get(str(row.get("evidence")), ("", ""))
    return {"color": color, "symbol": symbol}


def _slices(given: Any) -> list[saved.Section]:
    if given is None:
        return []
    table = saved.as_table(given)
    grid = {"empty": "No slices were computed.", "plain": _HTML["slices"]}
    if not {"slice", "estimate", "low", "high"} <= set(table.column_names) or table.num_rows == 0:
        return [_limited("Slices", table, SLICES, str(grid["empty"]), _HTML["slices"], forms=P_VALUES)]
    # Those worth a look first: the smallest corrected p-value.
    rows = sorted(table.to_pylist(), key=lambda r: (_known(r.get("q_value")) is None, _known(r.get("q_value")) or 0.0))
    metric = rows[0].get("metric")
    mine = [r for r in rows if r.get("metric") == metric]
    dots = [
        {
            "label": r["slice"],
            "value": r["estimate"],
            "low": r["low"],
            "high": r["high"],
            **_look(r),
        }
        for r in mine[:10]
    ]
    figure = figures.estimates(dots, str(metric or "estimate"))
    alt = f"{metric or 'Estimate'} of {len(dots)} slices with intervals; the table below has the numbers"
    picture = saved.Picture(f"{metric or 'Estimate'} by slice", figure, alt, 110 + 22 * len(dots))
    order = ["slice", "support", "metric", "estimate", "low", "high", "q_value", "evidence", "adjusted_estimate",
             "adjusted_low", "adjusted_high"]  # fmt: skip
    if len({r.get("metric") for r in rows}) == 1:
        order.remove("metric")
    kept = saved.as_table(rows).select([n for n in order if n in table.column_names])
    ends = {"estimate": ("low", "high")}
    if "adjusted_estimate" in kept.column_names:
        if any(_known(v) is not None for v in kept.column("adjusted_estimate").to_pylist()):
            ends["adjusted_estimate"] = ("adjusted_low", "adjusted_high")
        else:
            kept = kept.drop_columns([n for n in order[-3:] if n in kept.column_names])
    titles = {
        "slice": "rows where",
        "support": "rows",
        "estimate": f"{metric or 'estimate'} [interval]",
        "q_value": "q (corrected)",
        "evidence": "against the rest",
        "adjusted_estimate": "after selection [interval]",
    }
    note = (
        "A slice was chosen for standing out; after selection is what is left of it once that is taken into account. "
        "Slices that differ from each other by no more than chance share one value there."
        if "adjusted_estimate" in ends
        else ""
    )
    made = _limited(
        "Slices", kept, SLICES, str(grid["empty"]), _HTML["slices"],
        titles=titles, intervals=ends, forms=P_VALUES, note=note,
    )  # fmt: skip
    return [picture, made]


def _categories(given: Sequence[Mapping[str, Any]]) -> list[saved.Section]:
    """Return failures by category, each with its rule, and the listed rows of each under a line of its own."""
    if not given:
        return []
    names = ("category", "rule", "count", "share", "low", "high", "lift", "lift_low", "lift_high")
    table = saved.as_table([{n: c.get(n) for n in names} for c in given])
    ends = {"share": ("low", "high"), "lift": ("lift_low", "lift_high")}
    titles = {"count": "errors", "share": "share of all errors [interval]", "lift": "lift [interval]"}
    note = "Lift is the share of the errors over the share of all rows that the rule takes; 1 is no association."
    made: list[saved.Section] = [saved.Grid("Failures by category", table, titles, ends, note=note)]
    for one in given:
        rows = saved.as_table(one.get("examples") or [])
        if not rows.num_rows:
            continue
        some = rows.num_rows < (one.get("count") or 0)
        head = f"{one['category']}: {'the first ' if some else ''}{rows.num_rows:,} of {one.get('count'):,} failures"
        grid = _limited("", rows, FAILURES, "", _HTML["examples"])
        made.append(saved.Fold(head, [saved.Text(str(one.get("rule") or "")), grid]))
    return made


def _stress(given: Any) -> list[saved.Section]:
    if given is None:
        return []
    if isinstance(given, str):
        return [saved.Text(f"Stress tests: {given}", "note")]
    table = saved.as_table(given)
    rows = table.to_pylist()
    made: list[saved.Section] = []
    for metric in list(dict.fromkeys(r["metric"] for r in rows))[:STRESSED]:
        alt = f"{metric} against the severity of each perturbation; the table below has the numbers"
        picture = saved.Picture(f"Stress: {metric}", judged.stress(rows, metric), alt, 340, still=not made)
        made.append(picture)
    order = ["perturbation", "severity", "metric", "estimate", "low", "high", "drop", "drop_low", "drop_high", "n",
             "error", "reason"]  # fmt: skip
    empty = {n for n in ("error", "reason") if n in table.column_names and not any(table.column(n).to_pylist())}
    kept = table.select([n for n in order if n in table.column_names and n not in empty])
    ends = {
        name: pair
        for name, pair in {"estimate": ("low", "high"), "drop": ("drop_low", "drop_high")}.items()
        if set(pair) <= set(kept.column_names)
    }
    titles = {"estimate": "estimate [interval]", "drop": "worse than clean by [interval]", "n": "rows"}
    return [*made, saved.Fold("Stress tests in numbers", [saved.Grid("", kept, titles, ends, plain=16)])]


def _limited(caption: str, table: pa.Table, most: int, empty: str, plain: int, **more: Any) -> saved.Grid:
    told = f"The first {most:,} of {table.num_rows:,} rows." if table.num_rows > most else ""
    notes = " ".join(note for note in (told, more.pop("note", "")) if note)
    if table.num_rows > most:  # Arrow gives a part of a table without columns as many rows as were asked for
        table = table.slice(0, most)
    return saved.Grid(caption, table, note=notes, empty=empty, plain=plain, **more)
