"""One evaluation as a page: headline, metrics with intervals, slices, failures, curves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets import figures, saved

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CURVES: dict[str, tuple[str, Callable[[Mapping[str, Any]], figures.Figure]]] = {
    "roc": ("ROC curve", figures.roc),
    "pr": ("Precision and recall", figures.precision_recall),
    "calibration": ("Calibration", figures.calibration),
}
KEYS = ("title", "takeaway", "task_type", "n", "metrics", "thresholds", "slices", "failures", "curves", "notes")
P_VALUES = {"p_value": "p", "q_value": "p"}
SLICES = 200
FAILURES = 100


def evaluation(report: Mapping[str, Any]) -> saved.Page:
    """Show an evaluation.

    Parameters
    ----------
    report
        A mapping with any of

        - ``title`` and ``takeaway`` (texts), ``n`` (rows judged), ``notes`` (texts);
        - ``metrics``: rows with ``metric, estimate`` and, where known, ``low, high, n, reason`` (why a number
          is missing);
        - ``thresholds``: a `saved.Thresholds`;
        - ``slices``: rows with ``slice, support, metric, estimate, low, high, q_value`` and more if there is;
        - ``failures``: rows, whatever their columns;
        - ``curves``: ``roc`` (``fpr, tpr``), ``pr`` (``recall, precision``) and ``calibration`` (``predicted,
          observed``) as columns, each with ``low`` and ``high`` where known.

        Rows are an Arrow table, a DataFrame, a list of dicts, or columns by name.

    Returns
    -------
    Page
        Displays itself in Jupyter, and stays readable in the saved notebook.

    Raises
    ------
    ValueError
        If `report` has another key, or a curve lacks a column.
    """
    unknown = [k for k in report if k not in KEYS]
    if unknown:
        raise ValueError(f"an evaluation has the parts {', '.join(KEYS)}; found {unknown[0]!r}")
    sections: list[saved.Section] = []
    if report.get("takeaway"):
        sections.append(saved.Text(str(report["takeaway"]), "lede"))
    metrics = saved.as_table(report.get("metrics"))
    rows = metrics.to_pylist()
    stats = [
        saved.Stat(
            str(r.get("metric")),
            r.get("estimate"),
            r.get("low"),
            r.get("high"),
            _count(r.get("n")),
            str(r.get("reason") or ""),
        )
        for r in rows[:5]
    ]
    if report.get("n") is not None:
        stats.append(saved.Stat("rows judged", float(report["n"])))
    if stats:
        sections.append(saved.Stats(stats))
    for name, columns in dict(report.get("curves") or {}).items():
        if name not in _CURVES:
            raise ValueError(f"curves are {', '.join(_CURVES)}; found {name!r}")
        caption, draw = _CURVES[name]
        if columns is not None:
            sections.append(saved.Picture(caption, draw(columns), f"{caption} of this evaluation"))
    if report.get("thresholds") is not None:
        sections.append(report["thresholds"])
    if rows:
        ends = {"estimate": ("low", "high")} if {"low", "high"} <= set(metrics.column_names) else {}
        titles = {"estimate": "estimate [interval]"} if ends else {}
        sections.append(saved.Grid("Metrics", metrics, titles, ends, forms=P_VALUES))
    sections += _slices(report.get("slices"))
    if report.get("failures") is not None:
        sections.append(_limited("Failures", saved.as_table(report["failures"]), FAILURES, "No failures were listed."))
    sections += [saved.Text(str(note), "note") for note in report.get("notes") or ()]
    return saved.Page(str(report.get("title") or "Evaluation"), sections)


def _count(value: Any) -> int | None:
    return None if value is None or value != value else int(value)


def _slices(given: Any) -> list[saved.Section]:
    if given is None:
        return []
    table = saved.as_table(given)
    grid = _limited("Slices", table, SLICES, "No slices were computed.")
    if not {"slice", "estimate", "low", "high"} <= set(table.column_names) or table.num_rows == 0:
        return [dataclasses.replace(grid, forms=P_VALUES)]
    rows = table.to_pylist()
    metric = rows[0].get("metric")
    mine = [r for r in rows if r.get("metric") == metric]
    # Those worth a look first: the smallest corrected p-value.
    mine.sort(key=lambda r: (r.get("q_value") is None, r.get("q_value") or 0.0))
    dots = [
        {
            "label": r["slice"],
            "value": r["estimate"],
            "low": r["low"],
            "high": r["high"],
            "color": figures.PALETTE[1] if r.get("significant") else None,
        }
        for r in mine[:15]
    ]
    figure = figures.estimates(dots, str(metric or "estimate"))
    alt = f"{metric or 'Estimate'} of {len(dots)} slices with intervals; the table below has the numbers"
    picture = saved.Picture(f"{metric or 'Estimate'} by slice", figure, alt, 120 + 24 * len(dots))
    titles = {"estimate": "estimate [interval]", "q_value": "q (corrected)"}
    return [picture, dataclasses.replace(grid, titles=titles, intervals={"estimate": ("low", "high")}, forms=P_VALUES)]


def _limited(caption: str, table: Any, most: int, empty: str) -> saved.Grid:
    note = f"The first {most:,} of {table.num_rows:,} rows." if table.num_rows > most else ""
    return saved.Grid(caption, table.slice(0, most), note=note, empty=empty)
