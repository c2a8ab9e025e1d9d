"""What differs between runs beside params and metrics: environment, data, code, series and curves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modellab_jupyter import drift as drift_
from modellab_jupyter import environment, judgement, session
from modellab_jupyter import summary as summary_
from modellab_jupyter.errors import DamagedError, NotFoundError
from modellab_jupyter.store import queries

if TYPE_CHECKING:
    import pyarrow as pa

    from evalharness import Report
    from modellab_jupyter.widgets.compare import Details, Run

METRICS = 4
"""Metrics whose curves over steps are drawn."""
POINTS = 100
"""Points of a curve, extremes kept, where few runs are compared."""
_FINE = 4
"""Columns whose change is told one by one."""


def details(table: pa.Table, names: Sequence[str], known: dict[str, Report]) -> Details:
    """Return what a comparison of the runs of `table` shows; `known` holds reports that were rebuilt already."""
    from modellab_jupyter.widgets.compare import Details, drawn

    store = session.current().store
    ids, flags = table.column("run_id").to_pylist(), table.column("baseline").to_pylist()
    lead = flags.index(True) if True in flags else 0
    records = [store.run(run_id) for run_id in ids]
    shown = drawn(len(ids), lead)
    curves, notes = _curves([ids[i] for i in shown], [names[i] for i in shown], known)
    return Details(
        baseline=lead,
        runs=[_run(record) for record in records],
        drift=_drift(records[lead], [records[i] for i in shown if i != lead]),
        series=_series([ids[i] for i in shown], [records[i]["last_steps"] for i in shown]),
        curves=curves,
        notes=notes,
    )


def _run(record: dict[str, Any]) -> Run:
    from modellab_jupyter.widgets import diff
    from modellab_jupyter.widgets.compare import Run

    content = {
        re.sub(r"^(packages|variables)\.", lambda part: "" if part[1] == "packages" else "variable ", key): value
        for key, value in environment.flat(record["environment"] or {}).items()
    }
    state = {
        "git commit": record["git_commit"],
        "git, uncommitted changes": record["git_dirty"],
        "seed": record["seed"],
    }
    data = {
        f"{one['name']} {one['split']}".strip(): (
            f"version {one['version']}, {one['rows']:,} × {one['columns']}, {one['digest'][:10]}"
            if one["rows"] is not None and one["columns"] is not None
            else f"version {one['version']}, {one['digest'][:10]}"
        )
        for one in record["datasets"]
    }
    cells = session.current().store.read(queries.cells, record["run_id"]).to_pylist()
    return Run({**state, **content}, data, diff.cells(cells) if cells else None)


def _drift(lead: dict[str, Any], others: Sequence[dict[str, Any]]) -> list[str]:
    """Say what changed between versions of one dataset that two runs used, by the summaries that were kept."""
    told: dict[tuple[str, int, int], str] = {}
    base = {(one["dataset_id"], one["split"]): one for one in lead["datasets"]}
    for record in others:
        for one in record["datasets"]:
            before = base.get((one["dataset_id"], one["split"]))
            if before is None or before["digest"] == one["digest"]:
                continue
            key = (one["dataset_id"], before["version"], one["version"])
            if key not in told:
                told[key] = _headline(one["dataset_id"], one["name"], before["version"], one["version"])
    return list(told.values())


def _headline(dataset_id: str, name: str, old: int, new: int) -> str:
    from modellab_jupyter.widgets.words import named

    store = session.current().store
    versions = {one["version"]: one for one in store.read(queries.versions, dataset_id)}
    head = f"{named(name)}, version {old} → {new}"
    sides = []
    for number in (old, new):
        one = versions.get(number)
        if one is None or one["summary"] is None:
            return f"{head}: what changed is not known, since no summary of version {number} was kept."
        try:
            kept = summary_.decode(store.blobs.get(one["summary"]))
        except (DamagedError, NotFoundError):
            return f"{head}: what changed is not known, since the summary of version {number} is gone or damaged."
        sides.append(drift_.Side(f"version {number}", one["digest"], None, kept))
    found = drift_.compare(name, *sides)
    parts = [f"rows {found.rows_old:,} → {found.rows_new:,}"]
    for change in ("added", "removed", "retyped"):
        columns = [c.column for c in found.columns if c.change == change]
        if columns:
            parts.append(f"columns {change}: {_some(columns)}")
    moved = sorted((c for c in found.changed if c.change == "kept"), key=lambda c: -(c.distance or 0.0))
    tested = sum(c.q is not None for c in found.columns)
    if moved:
        most = [c.column if c.distance is None else f"{c.column:.48} (by {c.distance:.2g})" for c in moved]
        parts.append(f"distribution changed in {len(moved)} of {tested} columns: {_some(most)}")
    elif tested:
        parts.append(f"no evidence of another distribution in {tested} columns")
    return f"{head}: {'; '.join(parts)}."


def _some(names: Sequence[str]) -> str:
    from modellab_jupyter.widgets.words import named

    more = f" and {len(names) - _FINE} more" if len(names) > _FINE else ""
    return ", ".join(named(name, 60) for name in names[:_FINE]) + more


def _series(ids: Sequence[str], steps: Sequence[dict[str, Any]]) -> dict[str, pa.Table]:
    """Return the metrics that have steps, reduced with their extremes; those of most runs first."""
    store = session.current().store
    keys = dict.fromkeys(key for one in steps for key, step in one.items() if step)
    order = sorted(keys, key=lambda key: -sum(key in one for one in steps))
    points = max(40, POINTS * 3 // max(3, len(ids)))
    return {key: store.series(ids, key, points).drop_columns(["key"]) for key in order[:METRICS]}


def _curves(
    ids: Sequence[str], names: Sequence[str], known: dict[str, Report]
) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return ROC, precision and recall, and calibration of the runs that were judged by probabilities."""
    from evalharness import curves
    from modellab_jupyter.widgets import judged
    from modellab_jupyter.widgets.saved import Scored

    found = judgement.latest(ids)
    drawn: dict[str, dict[str, Any]] = {"roc": {}, "pr": {}, "calibration": {}}
    labels, positives, many = set(), set(), False
    for run_id, name in zip(ids, names, strict=True):
        if run_id not in found or found[run_id]["task_type"] != "classification":
            continue
        report = judgement.report_of(found[run_id], known)
        columns, bins = curves.thresholds(report, 400), curves.reliability(report)
        if bins is not None:
            drawn["calibration"][name] = bins
            labels.add(found[run_id]["labels_digest"])
            many = many or columns is None
        if columns is not None and columns["tp"][-1] > 0 and columns["fp"][-1] > 0:
            one = Scored(name, columns, 0.5)
            positives.add(str(report.positive))
            drawn["roc"][name] = judged.fewer(one.curve("roc"), "fpr", "tpr", 80)
            drawn["pr"][name] = judged.fewer(one.curve("pr"), "recall", "precision", 80)
    notes = []
    if len(labels) > 1:
        notes.append("The curves are of evaluations on different rows.")
    if len(positives) > 1:
        notes.append("The curves are of different positive classes.")
    if many:
        notes.append("Calibration of more than two classes is of the most probable class.")
    return drawn, notes
