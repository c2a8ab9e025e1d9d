"""What the widgets show, read from the store: the dashboard of a project, runs side by side, one evaluation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modellab_jupyter import catalog, differing, judgement, session
from modellab_jupyter.errors import InputError, NotFoundError
from modellab_jupyter.schema import RunRecord, greater_is_better
from modellab_jupyter.store import queries
from modellab_jupyter.tracking import Run

if TYPE_CHECKING:
    import pyarrow as pa

    from evalharness import Report
    from modellab_jupyter.widgets.dashboard import Dashboard
    from modellab_jupyter.widgets.saved import Page

latest_evaluations = judgement.latest
COMPARED = (
    "run", "metric", "estimate", "baseline", "difference", "low", "high", "p_value", "q_value", "evidence", "reason",
)  # fmt: skip


class StoreSource:
    """One store as the widgets read it; every call sees what was logged until then.

    It stays with the store of its making, also when the notebook chooses another one.
    """

    verbs = ("tag", "note", "trash", "compare")

    def __init__(self) -> None:
        self._owner = session.current()

    def project(self, project_id: str | None) -> dict[str, Any]:
        """Return a project's name and statistics; without one, those of the whole store."""
        store = self._owner.store
        if project_id is not None:
            found = catalog.statistics(store, project_id)
        else:
            table = store.projects().to_pylist()
            found = {
                "project_id": None,
                "name": "all projects",
                "runs": sum(row["runs"] for row in table),
                "datasets": store.read(queries.datasets).num_rows,
                "last_activity": max((row["last_activity"] for row in table), default=None),
                "best_run": None,
            }
        last = found["last_activity"]
        kept = ("project_id", "name", "runs", "datasets", "best_run")
        return {**{key: found[key] for key in kept}, "last_activity": None if last is None else last.isoformat()}

    def runs(self, project_id: str | None) -> pa.Table:
        """Return the wide table of runs, with what is better of each metric as far as the harness knows it."""
        table = self._owner.store.runs(project_id)
        better = {name: greater_is_better(name) for name in metric_names(table)}
        return table.replace_schema_metadata({"modellab": json.dumps({"greater_is_better": better})})

    def series(self, run_ids: list[str], key: str, points: int) -> pa.Table:
        """Return one metric of some runs, at most about `points` each, extremes kept."""
        return self._owner.store.series(run_ids, key, points).drop_columns(["key"])

    def changes(self, project_id: str | None) -> str:
        """Return a short text that differs whenever something to show has changed."""
        return self._owner.store.token(project_id)

    def act(self, verb: str, run_ids: Sequence[str], payload: dict[str, Any]) -> Any:
        """Tag, annotate, trash or compare runs: all of those named, or none where one is not there."""
        if verb not in self.verbs:
            raise InputError(f"a selection of runs cannot be asked {verb!r}; {', '.join(self.verbs)} can be.")
        if session.current() is not self._owner:
            raise InputError("this dashboard shows another store than the notebook uses now; run its cell again.")
        found = [self._owner.store.resolve("run", run_id) for run_id in run_ids]
        if verb == "compare":
            return compare(*found)
        if verb == "trash":
            return catalog.runs.delete(*found)
        for run_id in found:
            if verb == "note":
                catalog.runs.update(run_id, note=str(payload.get("note", "")))
            else:
                catalog.runs.tag(run_id, str(payload.get("tag", "")))
        return None


def dashboard(project_id: str | None = None, *, live: bool | None = None) -> Dashboard:
    """Show a project: its statistics, its runs as a table, curves and figures.

    Parameters
    ----------
    project_id : str, optional
        Id or name; default: the project of `configure`, or all projects where it has no run yet.
    live : bool, optional
        Whether the output stays connected to the kernel; default: where a person's front end listens.
    """
    from modellab_jupyter.widgets.dashboard import Dashboard

    owner = session.current()
    try:
        found = owner.store.resolve("project", owner.settings.project if project_id is None else project_id)
    except NotFoundError:
        if project_id is not None:
            raise
        found = None
    return Dashboard(StoreSource(), found, live=live)


def compare(*runs: str | Run | RunRecord) -> Page:
    """Show what differs between runs, and for each metric whether the difference is real.

    Parameters
    ----------
    *runs : id, name or run
        Two or more. The first one marked as baseline, else the first, is what the others are compared with.
        Their latest evaluations are compared row by row where they were made on the same rows.

    Raises
    ------
    InputError
        There are fewer than two different runs.
    """
    from modellab_jupyter.widgets.compare import compare as page
    from modellab_jupyter.widgets.compare import names_of

    store = session.current().store
    ids = list(dict.fromkeys(_id(run) for run in runs))
    if len(ids) < 2:
        raise InputError(f"runs must be at least two different ones, found {len(ids)}; give their ids or names.")
    table = store.runs(run_ids=ids)
    order = [table.column("run_id").to_pylist().index(run) for run in ids]
    table = table.take(order)
    names = names_of(table)
    known: dict[str, Report] = {}
    found = differences(table, known)
    title = f"Comparison of {' and '.join(table.column('name').to_pylist()) if len(ids) <= 4 else f'{len(ids)} runs'}"
    return page(table, found, differing.details(table, names, known), title=title)


def differences(table: pa.Table, known: dict[str, Report] | None = None) -> Any:
    """Return the paired differences of runs with their baseline: a frame with the columns of `COMPARED`.

    Evaluations of one name on the same rows are paired, those named ``"test"`` before others. P-values are corrected
    over all metrics and runs together (Benjamini and Hochberg). Reports that are rebuilt are put into `known`.
    """
    import pandas as pd

    from evalharness import METRICS, adjusted, comparable
    from modellab_jupyter.widgets.compare import names_of

    names, ids = names_of(table), table.column("run_id").to_pylist()
    flags = table.column("baseline").to_pylist()
    lead = ids[flags.index(True) if True in flags else 0]
    found = judgement.evaluations(ids)
    reports = {} if known is None else known
    rows: list[dict[str, Any]] = []
    for run_id, title in zip(ids, names, strict=True):
        for name, base in found.get(lead, {}).items() if run_id != lead else ():
            other = found.get(run_id, {}).get(name)
            if other is None or other["labels_digest"] != base["labels_digest"]:
                continue
            mine, theirs = (judgement.report_of(one, reports) for one in (other, base))
            if comparable(mine, theirs) is not None:
                continue
            rows += [
                {"run": title, "metric": row.metric, "estimate": row.estimate, "baseline": row.other,
                 "difference": row.difference, "low": row.low, "high": row.high, "p_value": row.p_value,
                 "level": row.confidence_level, "reason": row.reason}
                for row in mine.compare(theirs).rows
            ]  # fmt: skip
            break
    for line, q_value in zip(rows, adjusted([line["p_value"] for line in rows]), strict=True):
        better = METRICS[line["metric"]].greater_is_better
        real = q_value is not None and line["difference"] and q_value <= 1 - line["level"] + 1e-12
        line["q_value"] = q_value
        line["evidence"] = (
            "no evidence of a difference"
            if not real
            else "different"
            if better is None
            else "better"
            if (line["difference"] > 0) == better
            else "worse"
        )
    return pd.DataFrame(rows, columns=list(COMPARED))


def evaluation(run: str | Run | RunRecord, name: str | None = None) -> Page:
    """Show a run's latest evaluation: takeaway, metrics with intervals, curves, slices, failures.

    Parameters
    ----------
    run : id, name or run
    name : str, optional
        Which of its evaluations; default: the one named ``"test"`` where there is one, else the newest.

    Raises
    ------
    NotFoundError
        There is no such run, or it was not evaluated under that name.
    DamagedError
        The evaluation's folder is not there any more.
    """
    from modellab_jupyter.widgets.evaluation import evaluation as page

    run_id = _id(run)
    found = latest_evaluations([run_id], name).get(run_id)
    if found is None:
        under = "" if name is None else f" as {name!r}"
        raise NotFoundError(
            f"run {run_id!r} was not evaluated{under}; run.evaluate(predictions=..., labels=...) does it."
        )
    return page(judgement.parts(found))


def metric_names(table: pa.Table) -> list[str]:
    """Return the metrics of a runs table."""
    own = [field.name for field in table.schema if not (field.metadata or {}).get(b"modellab.part")]
    return [name.removeprefix("metrics.") for name in own if name.startswith("metrics.")]


def _id(run: str | Run | RunRecord) -> str:
    if isinstance(run, Run):
        return run.id
    if isinstance(run, RunRecord):
        return run.run_id
    return session.current().store.resolve("run", run)
