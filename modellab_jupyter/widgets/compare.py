"""Runs side by side: only what differs, and whether the difference is real."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets import figures, saved

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

UNDEFINED = "not comparable"
EVIDENCE = ("better", "worse", "different", "no evidence of a difference", UNDEFINED)
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
        paired. ``evidence`` is ``better``, ``worse``, ``different`` (where no direction is better) or ``no
        evidence of a difference``. A row without a ``difference`` is shown as ``not comparable``, and
        why, if there is a column ``reason``.
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
    paired = _told(paired.select([n for n in (*wanted, "reason") if n in paired.column_names]))
    rows = paired.to_pylist()
    sections[:0] = [_conclusion(rows)]
    drawn = [r for r in rows if r["evidence"] != UNDEFINED]
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
    titles = {
        "p_value": "p",
        "q_value": "q (corrected)",
        "difference": "difference [interval]",
        "reason": "what is missing, and why",
    }
    sections.append(
        saved.Grid(
            "Paired differences to the baseline",
            paired,
            titles,
            {"difference": ("low", "high")},
            forms={"p_value": "p", "q_value": "p", "evidence": "evidence"},
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

    parts = saved.metric_parts(runs)
    rows = []
    for name in parts if prefix == "metrics." else [n for n in runs.column_names if n.startswith(prefix)]:
        values = runs.column(name).to_pylist()
        if len({json.dumps(v, default=str) for v in values}) > 1:
            rows.append((name, values))
    # One row for each run reads well for many runs, and columns keep their own type.
    table: dict[str, pa.Array] = {"run": pa.array(names, pa.string())}
    ends: dict[str, tuple[str, str]] = {}
    for name, _ in rows:
        table[name] = runs.column(name).combine_chunks()
        mine = parts.get(name, {})
        if "low" in mine and "high" in mine:
            ends[name] = (mine["low"], mine["high"])
            table |= {end: runs.column(end).combine_chunks() for end in ends[name]}
    made = pa.table(table) if rows else pa.table({"run": pa.array([], pa.string())})
    word = prefix.removesuffix(".")
    return saved.Grid(
        caption, made, {n: n.removeprefix(prefix) for n in table}, ends, empty=f"All {word} are the same."
    )


def _conclusion(rows: list[dict[str, Any]]) -> saved.Text:
    counts = [(sum(r["evidence"] == word for r in rows), word) for word in EVIDENCE]
    # Of a metric without a better direction there may be none at all; the other counts are said also when zero.
    shown = [(n, word) for n, word in counts if n or word not in ("different", UNDEFINED)]
    words = {"no evidence of a difference": "without evidence of a difference"}
    said = ", ".join(f"{n} {words.get(word, word)}" for n, word in shown)
    undefined = next((n for n, word in shown if word == UNDEFINED), 0)
    why = " (the difference is undefined; the table says why)" if undefined and any(map(_reason, rows)) else ""
    pairs = f"{len(rows)} paired comparison{'s' if len(rows) != 1 else ''} with the baseline"
    return saved.Text(f"Of {pairs}: {said}{why}.", "lede")


def _reason(row: Mapping[str, Any]) -> str:
    return str(row.get("reason") or "")


def _told(paired: pa.Table) -> pa.Table:
    """Say of each row without a difference that nothing was compared; keep reasons if there is one."""
    import pyarrow as pa

    rows = paired.to_pylist()
    evidence = [UNDEFINED if _is_undefined(r["difference"]) else r["evidence"] for r in rows]
    made = paired.set_column(paired.column_names.index("evidence"), "evidence", pa.array(evidence, pa.string()))
    if "reason" in made.column_names and not any(map(_reason, rows)):
        made = made.drop_columns(["reason"])
    return made


def _is_undefined(value: Any) -> bool:
    return not isinstance(value, int | float) or not math.isfinite(value)
