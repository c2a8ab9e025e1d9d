"""Runs side by side: only what differs, and whether the difference is real."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets import figures, saved

if TYPE_CHECKING:
    import pyarrow as pa

EVIDENCE = ("better", "worse", "no evidence of a difference")
_COLORS = {"better": figures.PALETTE[2], "worse": figures.PALETTE[1]}


def compare(runs: pa.Table, differences: Any = None, *, title: str = "Comparison") -> saved.Page:
    """Show what differs between runs, and their paired differences.

    Parameters
    ----------
    runs
        The chosen rows of a runs table (:meth:`~modellab_jupyter.widgets.base.Source.runs`), in the order
        to show.
    differences
        A table with ``run, metric, estimate, baseline, difference, low, high, p_value, q_value, evidence``,
        one row for each run and metric judged on the same rows as the baseline; None where nothing could be
        paired. ``evidence`` is ``better``, ``worse`` or ``no evidence of a difference``.
    title
        Heading of the page.

    Returns
    -------
    Page
        Displays itself in Jupyter, and stays readable in the saved notebook.

    Raises
    ------
    ValueError
        If there are fewer than two runs, or `differences` lacks a column.
    """
    if runs.num_rows < 2:
        raise ValueError(f"a comparison needs at least two runs, got {runs.num_rows}")
    names = _names(runs)
    sections: list[saved.Section] = [_what_differs(runs, "params.", "Params that differ", names)]
    sections.append(_what_differs(runs, "metrics.", "Metrics that differ", names))
    paired = saved.as_table(differences)
    if paired.num_rows == 0:
        sections.append(
            saved.Text(
                "No paired differences: these runs were not evaluated on the same rows, or no baseline is among them.",
                "note",
            )
        )
        return saved.Page(title, sections)
    wanted = (
        "run",
        "metric",
        "estimate",
        "baseline",
        "difference",
        "low",
        "high",
        "p_value",
        "q_value",
        "evidence",
    )
    lacking = [n for n in wanted if n not in paired.column_names]
    if lacking:
        raise ValueError(f"differences must have the column {lacking[0]!r}, found {', '.join(paired.column_names)}")
    rows = paired.to_pylist()
    sections[:0] = [_conclusion(rows)]
    drawn = [r for r in rows if r["difference"] is not None]
    for metric in list(dict.fromkeys(r["metric"] for r in drawn))[:6]:
        mine = [
            {
                "label": r["run"],
                "value": r["difference"],
                "low": r["low"],
                "high": r["high"],
                "color": _COLORS.get(r["evidence"]),
            }
            for r in drawn
            if r["metric"] == metric
        ]
        figure = figures.estimates(mine[:30], f"difference in {metric} to the baseline", zero=True)
        said = "; ".join(
            f"{m['label']} {saved.number(m['value'])} {saved.interval(m['low'], m['high'])}" for m in mine[:30]
        )
        sections.append(
            saved.Picture(str(metric), figure, f"Paired differences in {metric}: {said}", 110 + 34 * min(30, len(mine)))
        )
    titles = {"p_value": "p", "q_value": "q (corrected)", "difference": "difference [interval]"}
    sections.append(
        saved.Grid(
            "Paired differences to the baseline",
            paired.select(list(wanted)),
            titles,
            {"difference": ("low", "high")},
            note="Intervals and p-values are of the difference on the same rows; "
            "q-values are corrected for the number of comparisons.",
        )
    )
    return saved.Page(title, sections)


def _names(runs: pa.Table) -> list[str]:
    """Name of each run, with its id where two share a name."""
    pairs = list(zip(runs.column("name").to_pylist(), runs.column("run_id").to_pylist(), strict=True))
    given = [name or run_id for name, run_id in pairs]
    return [g if given.count(g) == 1 else f"{g} ({run_id})" for g, (_, run_id) in zip(given, pairs, strict=True)]


def _what_differs(runs: pa.Table, prefix: str, caption: str, names: list[str]) -> saved.Grid:
    import pyarrow as pa

    parts = {f"{n}{end}" for n in runs.column_names if n.startswith("metrics.") for end in (".low", ".high", ".n")}
    rows = []
    for name in runs.column_names:
        if not name.startswith(prefix) or (prefix == "metrics." and name in parts):
            continue
        values = runs.column(name).to_pylist()
        if len({json.dumps(v, default=str) for v in values}) > 1:
            rows.append((name, values))
    # One row for each run reads well for many runs, and columns keep their own type.
    table: dict[str, pa.Array] = {"run": pa.array(names, pa.string())}
    ends: dict[str, tuple[str, str]] = {}
    for name, _ in rows:
        table[name] = runs.column(name).combine_chunks()
        low, high = f"{name}.low", f"{name}.high"
        if prefix == "metrics." and low in runs.column_names and high in runs.column_names:
            table[low], table[high] = runs.column(low).combine_chunks(), runs.column(high).combine_chunks()
            ends[name] = (low, high)
    made = pa.table(table) if rows else pa.table({"run": pa.array([], pa.string())})
    word = prefix.removesuffix(".")
    return saved.Grid(
        caption, made, {n: n.removeprefix(prefix) for n in table}, ends, empty=f"All {word} are the same."
    )


def _conclusion(rows: list[dict[str, Any]]) -> saved.Text:
    better, worse, none = (sum(r["evidence"] == word for r in rows) for word in EVIDENCE)
    pairs = f"{len(rows)} paired comparison{'s' if len(rows) != 1 else ''} with the baseline"
    return saved.Text(f"Of {pairs}: {better} better, {worse} worse, {none} without evidence of a difference.", "lede")
