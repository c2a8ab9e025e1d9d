"""Runs side by side: only what differs, and whether the difference is real."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modellab_jupyter.widgets import diff, figures, judged, saved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

DRAWN = 8
"""Runs that are drawn, and whose code is compared; tables have all."""
UNDEFINED = "not comparable"
UNTESTED = "not tested"
EVIDENCE = ("better", "worse", "different", "no evidence of a difference", UNTESTED, UNDEFINED)
WANTED = (
    "run", "metric", "estimate", "baseline", "difference", "low", "high", "p_value", "q_value", "evidence",
)  # fmt: skip
_ENVIRONMENT = 200
"""Parts of the environment that are listed."""


@dataclass(frozen=True)
class Run:
    """What is known of a run beside its row in the table of runs.

    Attributes
    ----------
    environment : mapping
        Version or setting by name.
    data : mapping
        What was used, by dataset and split.
    cells : sequence of diff.Cell
        Executed code up to the run's end; None where nobody knows.
    """

    environment: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    cells: Sequence[diff.Cell] | None = None


@dataclass(frozen=True)
class Details:
    """What a comparison shows beside tables of params and metrics.

    Attributes
    ----------
    baseline : int
        Place of the run that the others are compared with.
    runs : sequence of Run
        In the order of the table; empty where nothing is known.
    drift : sequence of str
        Sentences on what changed between versions of the data.
    series : mapping
        Metric -> table of ``run_id, step, value``.
    curves : mapping
        ``roc``, ``pr`` and ``calibration`` -> name of a run -> columns.
    notes : sequence of str
    """

    baseline: int = 0
    runs: Sequence[Run] = ()
    drift: Sequence[str] = ()
    series: Mapping[str, pa.Table] = field(default_factory=dict)
    curves: Mapping[str, Mapping[str, Mapping[str, Sequence[Any]]]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def compare(
    runs: pa.Table, differences: Any = None, details: Details | None = None, *, title: str = "Comparison"
) -> saved.Page:
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
    details
        Environments, data, code, series and curves, where they are known.
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
    details = details or Details()
    names = names_of(runs)
    paired = saved.as_table(differences)
    sections = _paired(paired, names[details.baseline])
    sections.append(_metrics(runs, names))
    if runs.num_rows > DRAWN:
        left = runs.num_rows - DRAWN
        which = f"first {DRAWN} runs" if details.baseline < DRAWN else f"first {DRAWN - 1} runs and the baseline"
        told = f"Figures and code are of the {which}; {left} more are in the tables alone."
        sections.append(saved.Text(told, "note"))
    sections += _drawn(runs, names, details)
    sections.append(_params(runs, names))
    if details.runs:
        sections += _where_and_on_what(details, names)
        sections += _code(details, names)
    sections += [saved.Text(note, "note") for note in details.notes]
    return saved.Page(title, sections)


def drawn(count: int, baseline: int) -> list[int]:
    """Return the places of the runs that are drawn: the first, and the baseline wherever it stands."""
    first = list(range(min(count, DRAWN)))
    return first if baseline in first else [*first[:-1], baseline]


def names_of(runs: pa.Table) -> list[str]:
    """Return the name of each run, with its id where two share a name."""
    pairs = list(zip(runs.column("name").to_pylist(), runs.column("run_id").to_pylist(), strict=True))
    given = [name or run_id for name, run_id in pairs]
    return [g if given.count(g) == 1 else f"{g} ({run_id})" for g, (_, run_id) in zip(given, pairs, strict=True)]


# Differences ----------------------------------------------------------------------------------------------


def _paired(paired: pa.Table, lead: str) -> list[saved.Section]:
    if paired.num_rows == 0:
        told = "No paired differences: these runs were not evaluated on the same rows, or no baseline is among them."
        return [saved.Text(told, "note")]
    lacking = [n for n in WANTED if n not in paired.column_names]
    if lacking:
        raise ValueError(f"differences must have the column {lacking[0]!r}, found {', '.join(paired.column_names)}")
    paired = _told(paired.select([n for n in (*WANTED, "reason") if n in paired.column_names]))
    rows = paired.to_pylist()
    others = list(dict.fromkeys(r["run"] for r in rows))
    sections: list[saved.Section] = [_conclusion(rows, lead), *_by_run(rows, others)]
    titles = {
        "run": "run",
        "evidence": "verdict",
        "estimate": others[0] if len(others) == 1 else "estimate",
        "baseline": lead,
        "p_value": "p",
        "q_value": "q (corrected)",
        "difference": "difference [interval]",
        "reason": "what is missing, and why",
    }
    order = ["metric", "evidence", "difference", "low", "high", "estimate", "baseline", "p_value", "q_value"]
    order = [*([] if len(others) == 1 else ["run"]), *order, *(["reason"] if "reason" in paired.column_names else [])]
    sections.append(
        saved.Grid(
            "Paired differences to the baseline",
            paired.select(order),
            titles,
            {"difference": ("low", "high")},
            forms={"p_value": "p", "q_value": "p", "evidence": "evidence"},
            note="Intervals and p-values are of the difference on the same rows; q-values are corrected for the number "
            "of comparisons, and decide. Whether intervals of two runs overlap decides nothing.",
            plain=60,
        )
    )
    return [*sections, *_forests([r for r in rows if r["evidence"] not in (UNDEFINED, UNTESTED)])]


def _forests(rows: Sequence[Mapping[str, Any]]) -> list[saved.Picture]:
    """Return the differences as dots with intervals: metrics of one scale together, the others by themselves."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        ends = [v for v in (row["difference"], row["low"], row["high"]) if not _is_undefined(v)]
        groups.setdefault(row["metric"], []).append({**row, "size": max(map(abs, ends))})
    small = [metric for metric, mine in groups.items() if max(r["size"] for r in mine) <= 1]
    figures_of = [([*small], "Paired differences, metrics")] if len(small) > 1 else [([m], m) for m in small]
    figures_of += [([metric], metric) for metric in groups if metric not in small]
    made: list[saved.Picture] = []
    for metrics, caption in figures_of[:6]:
        mine = [r for metric in metrics for r in groups[metric][:DRAWN]][:40]
        alone = len({r["run"] for r in rows}) == 1
        dots = [
            {
                "label": r["metric"] if alone else r["run"] if len(metrics) == 1 else f"{r['metric']}, {r['run']}",
                "value": r["difference"],
                "low": r["low"],
                "high": r["high"],
                "color": figures.LOOKS.get(r["evidence"], (figures.QUIET, ""))[0],
                "symbol": figures.LOOKS.get(r["evidence"], ("", "circle-open"))[1],
            }
            for r in mine
        ]
        axis = f"difference in {metrics[0]} to the baseline" if len(metrics) == 1 else "difference to the baseline"
        said = "; ".join(f"{figures.told(d)} {r['evidence']}" for d, r in zip(dots, mine, strict=True))
        picture = saved.Picture(
            caption,
            figures.estimates(dots, axis, zero=True),
            f"Paired differences: {said}",
            110 + 26 * len(dots),
            still=not made,
        )
        made.append(picture)
    return made


def _conclusion(rows: list[dict[str, Any]], lead: str) -> saved.Text:
    counts = [(sum(r["evidence"] == word for r in rows), word) for word in EVIDENCE]
    # Of a metric without a better direction there may be none at all; the other counts are said also when zero.
    shown = [(n, word) for n, word in counts if n or word not in ("different", UNTESTED, UNDEFINED)]
    words = {"no evidence of a difference": "without evidence of a difference"}
    said = ", ".join(f"{n} {words.get(word, word)}" for n, word in shown)
    undefined = next((n for n, word in shown if word == UNDEFINED), 0)
    why = " (the difference is undefined; the table says why)" if undefined and any(map(_reason, rows)) else ""
    pairs = f"{len(rows)} paired comparison{'s' if len(rows) != 1 else ''} with the baseline {saved.named(lead, 80)}"
    return saved.Text(f"Of {pairs}: {said}{why}.", "lede")


def _by_run(rows: Sequence[Mapping[str, Any]], others: Sequence[str]) -> list[saved.Text]:
    """Say of each run in which metrics it really differs."""
    made = []
    for run in others[:DRAWN]:
        parts = []
        for word in EVIDENCE[:3]:
            metrics = [str(r["metric"]) for r in rows if r["run"] == run and r["evidence"] == word]
            if metrics:
                more = f" and {len(metrics) - 8} more" if len(metrics) > 8 else ""
                parts.append(f"{word} in {', '.join(saved.named(m, 60) for m in metrics[:8])}{more}")
        if parts:
            made.append(saved.Text(f"{saved.named(str(run), 80)}: {'; '.join(parts)}."))
    return made


def _reason(row: Mapping[str, Any]) -> str:
    return str(row.get("reason") or "")


def _told(paired: pa.Table) -> pa.Table:
    """Say of each row without a difference or a p-value what that means; keep reasons if there is one."""
    import pyarrow as pa

    rows = paired.to_pylist()
    evidence = [
        UNDEFINED if _is_undefined(r["difference"]) else UNTESTED if _is_undefined(r["p_value"]) else r["evidence"]
        for r in rows
    ]
    made = paired.set_column(paired.column_names.index("evidence"), "evidence", pa.array(evidence, pa.string()))
    if "reason" in made.column_names and not any(map(_reason, rows)):
        made = made.drop_columns(["reason"])
    return made


def _is_undefined(value: Any) -> bool:
    return not isinstance(value, int | float) or not math.isfinite(value)


# What differs ---------------------------------------------------------------------------------------------


def side_by_side(
    caption: str, what: str, names: Sequence[str], rows: Sequence[tuple[str, Sequence[Any]]], empty: str, **more: Any
) -> saved.Grid:
    """Return a table with a row for each thing that differs and a column for each run."""
    import pyarrow as pa

    table = {"name": pa.array([name for name, _ in rows], pa.string())}
    for i in range(len(names)):
        table[f"run {i}"] = saved.as_table({"v": [_word(values[i]) for _, values in rows]}).column("v")
    titles = {"name": what, **{f"run {i}": name for i, name in enumerate(names)}}
    return saved.Grid(caption, pa.table(table), titles, empty=empty, **more)


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    return saved.number(value) if isinstance(value, int | float) else str(value)


def _differs(values: Sequence[Any]) -> bool:
    return len({json.dumps(v, default=str) for v in values}) > 1


def _params(runs: pa.Table, names: Sequence[str]) -> saved.Grid:
    columns = [(n, runs.column(n).to_pylist()) for n in runs.column_names if n.startswith("params.")]
    rows = [(name.removeprefix("params."), values) for name, values in columns if _differs(values)]
    same = len(columns) - len(rows)
    note = f"{same} more {'is' if same == 1 else 'are'} the same." if same and rows else ""
    return side_by_side("Params that differ", "param", names, rows, "All params are the same.", note=note)


def _metrics(runs: pa.Table, names: Sequence[str]) -> saved.Grid:
    """Return metrics by run, each with its interval."""
    import pyarrow as pa

    parts = saved.metric_parts(runs)
    found = [(metric, runs.column(metric).to_pylist()) for metric in parts]
    shown = [metric for metric, values in found if _differs(values)]

    def column(end: str | None, i: int) -> pa.Array:
        names_ = [metric if end is None else parts[metric].get(end) for metric in shown]
        return pa.array([None if n is None else runs.column(n)[i].as_py() for n in names_], pa.float64())

    table = {"metric": pa.array([m.removeprefix("metrics.") for m in shown], pa.string())}
    titles, ends, supports = {}, {}, {}
    for i, name in enumerate(names):
        mine = f"run {i}"
        table |= {mine: column(None, i), **{f"{mine} {end}": column(end, i) for end in ("low", "high", "n")}}
        titles[mine], ends[mine], supports[mine] = name, (f"{mine} low", f"{mine} high"), f"{mine} n"
    note = "Each with its own interval, where it has one; the paired differences say what is real." if shown else ""
    empty = "All metrics are the same."
    return saved.Grid(
        "Metrics that differ", pa.table(table), titles, ends, note=note, empty=empty, plain=60, supports=supports
    )


def _where_and_on_what(details: Details, names: Sequence[str]) -> list[saved.Section]:
    data = _rows([run.data for run in details.runs])
    named = any(run.data for run in details.runs)
    same = "All runs used the same data." if named else "No run named its data; run.log_dataset(...) does."
    sections: list[saved.Section] = [
        side_by_side("Data that differ", "dataset", names, data, same),
        *(saved.Text(told) for told in details.drift),
    ]
    rows = _rows([run.environment for run in details.runs])
    grid = side_by_side(
        "Environment that differs",
        "part",
        names,
        rows[:_ENVIRONMENT],
        "Python, packages, platform and git commit are the same.",
        note="" if len(rows) <= _ENVIRONMENT else f"{len(rows) - _ENVIRONMENT} more parts differ.",
        plain=40,
    )
    if len(names) == 2 and rows:
        lead = details.baseline
        changes = [_change(values[lead], values[1 - lead]) for _, values in rows[:_ENVIRONMENT]]
        grid = _with(grid, "change", changes)
    return [*sections, grid]


def _rows(parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    keys = dict.fromkeys(key for part in parts for key in part)
    found = [(key, [part.get(key) for part in parts]) for key in keys]
    return [(key, values) for key, values in found if _differs(values)]


def _change(old: Any, new: Any) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _with(grid: saved.Grid, name: str, values: Sequence[str]) -> saved.Grid:
    from dataclasses import replace

    import pyarrow as pa

    return replace(grid, table=grid.table.append_column(name, pa.array(list(values), pa.string())))


def _code(details: Details, names: Sequence[str]) -> list[saved.Section]:
    lead = details.runs[details.baseline]
    made: list[saved.Section] = []
    same = []
    for i in drawn(len(details.runs), details.baseline):
        run = details.runs[i]
        if i == details.baseline or run.cells is None or lead.cells is None:
            continue
        pieces = diff.of_cells(lead.cells, run.cells)
        if not pieces:
            same.append(names[i])
            continue
        counts = {kind: sum(p.kind == kind for p in pieces) for kind in ("changed", "added", "removed", "moved")}
        told = ", ".join(f"{n} {kind}" for kind, n in counts.items() if n)
        heading = f"Code: {saved.named(names[details.baseline], 60)} → {saved.named(names[i], 60)}, cells {told}"
        note = "Each cell as it was executed last before the run ended."
        made.append(saved.Fold(heading, [saved.Diff("", pieces, note)], is_open=not made))
    if same:
        told = ", ".join(saved.named(name, 60) for name in same)
        made.append(saved.Text(f"Code: the executed cells of {told} are those of the baseline."))
    if not made:
        made.append(saved.Text("Code: no executed cells were recorded for these runs.", "note"))
    return made


# Curves ---------------------------------------------------------------------------------------------------


def _drawn(runs: pa.Table, names: Sequence[str], details: Details) -> list[saved.Section]:
    ids = runs.column("run_id").to_pylist()
    by_id = {ids[i]: names[i] for i in drawn(len(ids), details.baseline)}
    made: list[saved.Section] = []
    for kind, caption in (("roc", "ROC curves"), ("pr", "Precision and recall"), ("calibration", "Calibration")):
        lines = list(details.curves.get(kind, {}).items())[:DRAWN]
        if len(lines) < 2:
            continue
        figure = judged.reliability(lines) if kind == "calibration" else judged.overlaid(kind, lines)
        alt = f"{caption} of {', '.join(saved.named(name, 60) for name, _ in lines)}, laid over each other"
        made.append(saved.Picture(caption, figure, alt, 320, still=kind != "pr"))
    still = True
    for metric, series in details.series.items():
        figure = figures.curves(series, by_id, metric)
        if not figure["data"]:
            continue
        figure["layout"] |= {"showlegend": True, **judged.LEGEND}
        alt = f"{saved.named(metric, 60)} against step: {figures.describe(figure)}"
        made.append(saved.Picture(f"{saved.named(metric, 60)} by step", figure, alt, 320, still=still))
        still = False
    return made
