"""What the widgets show, read from the store: dashboard, runs side by side, one evaluation, datasets, projects."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

from modellab_jupyter import catalog, differing, judgement, schema, session
from modellab_jupyter import summary as summary_
from modellab_jupyter.data import no_version
from modellab_jupyter.errors import DamagedError, InputError, NotFoundError, StoreError, hint
from modellab_jupyter.schema import RunRecord, greater_is_better
from modellab_jupyter.store import overview, queries
from modellab_jupyter.tracking import Run
from modellab_jupyter.widgets.base import Source, Widget

if TYPE_CHECKING:
    import pyarrow as pa

    from evalharness import Report
    from modellab_jupyter.drift import Drift
    from modellab_jupyter.widgets.dashboard import Dashboard
    from modellab_jupyter.widgets.datasets import DatasetList
    from modellab_jupyter.widgets.projects import ProjectList
    from modellab_jupyter.widgets.saved import Page

latest_evaluations = judgement.latest
NAME_LENGTH = 200  # characters of the name of a view
COMPARED = (
    "run", "metric", "estimate", "baseline", "difference", "low", "high", "p_value", "q_value", "evidence", "reason",
)  # fmt: skip


class StoreSource(Source):
    """One store as the widgets read it; every call sees what was logged until then.

    It stays with the store of its making, also when the notebook chooses another one.
    """

    verbs = ("tag", "note", "trash", "compare")

    def __init__(self) -> None:
        self._owner = session.current()
        self.looks = self._owner.looks

    def project(self, project_id: str | None) -> dict[str, Any]:
        """Return a project's name and statistics; without one, those of the whole store."""
        store = self._owner.store
        if project_id is not None:
            found = catalog.outline(store, project_id)
        else:
            table = store.projects().to_pylist()
            found = {
                "project_id": None,
                "name": "all projects",
                "runs": sum(row["runs"] for row in table),
                "datasets": store.read(queries.datasets).num_rows,
                "last_activity": max((row["last_activity"] for row in table), default=None),
                "best_run": None,
                "best_metric": None,
            }
        last = found["last_activity"]
        kept = ("project_id", "name", "runs", "datasets", "best_run", "best_metric")
        return {**{key: found[key] for key in kept}, "last_activity": None if last is None else last.isoformat()}

    def runs(self, project_id: str | None) -> pa.Table:
        """Return the wide table of runs, with what is better of each metric as far as the harness knows it."""
        table = self._owner.store.runs(project_id)
        better = {name: greater_is_better(name) for name in metric_names(table)}
        return table.replace_schema_metadata({"modellab": json.dumps({"greater_is_better": better})})

    def judged(self, project_id: str | None) -> pa.Table:
        """Return on which rows each evaluation of each run was made, and which data each run used."""
        return self._owner.store.read(overview.judged, project_id)

    def series(self, run_ids: list[str], key: str, points: int, steps: tuple[float, float] | None = None) -> pa.Table:
        """Return one metric of some runs, at most about `points` each, extremes kept; of `steps` or of all."""
        return self._owner.store.series(run_ids, key, points, steps).drop_columns(["key"])

    def progress(self, project_id: str | None) -> list[dict[str, Any]]:
        """Return how far the runs are that are being recorded."""
        return self._owner.store.progress(project_id)

    def saved_views(self, project_id: str | None) -> dict[str, dict[str, Any]]:
        """Return the views of a project's dashboard that were given a name."""
        return self._owner.store.read(queries.saved_views, project_id, "dashboard")

    def keep_view(self, project_id: str | None, name: str, state: dict[str, Any] | None) -> None:
        """Give a view a name, or with None forget it."""
        name = schema.text("name", name.strip())
        if len(name) > NAME_LENGTH:
            raise InputError(f"name must have at most {NAME_LENGTH} characters, found {len(name)}; give a shorter one.")
        text = None if state is None else json.dumps(state, ensure_ascii=False)
        event = schema.ViewKept(
            time=time.time_ns(), project_id=project_id or "", widget="dashboard", name=name, state=text
        )
        self._owner.submit(event)

    def watch(self, widget: Widget) -> None:
        """Have a dashboard told now and then that runs of this process logged something."""
        self._owner.watch(widget)

    def moment(self) -> AbstractContextManager[None]:
        """Have what is read within the block be of about one moment."""
        return self._owner.store.moment()

    def changes(self, project_id: str | None) -> str:
        """Return a short text that differs whenever something to show has changed."""
        with suppress(StoreError):  # who holds the store now is told by whoever reads
            self._owner.store.ingest(wait=0.0)  # else taking in what waits would be one more change
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


def dashboard(project_id: str | None = None, *, view: str | None = None, live: bool | None = None) -> Dashboard:
    """Show a project: its statistics, its runs as a table, curves and figures.

    It is shown where a cell ends with it; ``display(ml.dashboard())`` shows it within a cell, before a training.

    Parameters
    ----------
    project_id : str, optional
        Id or name; default: the project of `configure`, or all projects where it has no run yet.
    view : str, optional
        A view that was kept under this name in the dashboard; default: how this cell showed the project last.
    live : bool, optional
        Whether the output stays connected to the kernel; default: where a person's front end listens.

    Raises
    ------
    NotFoundError
        There is no such project, or it has no such view.
    """
    from modellab_jupyter.widgets.dashboard import Dashboard

    view, live = None if view is None else schema.text("view", view), _choice(live)
    owner = session.current()
    try:
        found = owner.store.resolve("project", owner.settings.project if project_id is None else project_id)
    except NotFoundError:
        if project_id is not None:
            raise
        found = None
    source = StoreSource()
    if view is not None and view not in (names := source.saved_views(found)):
        known = hint(view, list(names)) or (f"; it has {', '.join(names)}." if names else "; it has none yet.")
        raise NotFoundError(f"the dashboard has no view named {view!r:.80}{known}")
    return Dashboard(source, found, view=view, live=live)


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
    from modellab_jupyter.widgets.words import named

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
    what = " and ".join(map(named, table.column("name").to_pylist())) if len(ids) <= 4 else f"{len(ids)} runs"
    return page(table, found, differing.details(table, names, known), title=f"Comparison of {what}")


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


def _choice(live: Any) -> bool | None:
    return None if live is None else schema.truth("live", live)


def _id(run: str | Run | RunRecord) -> str:
    if isinstance(run, Run):
        return run.id
    if isinstance(run, RunRecord):
        return run.run_id
    return session.current().store.resolve("run", run)


# Datasets and projects
# ------------------------------------------------------------------------------------------------------

HEADLINES = ("roc_auc", "accuracy", "root_mean_squared_error", "r2", "val_loss", "loss")
MOST_SUMMARIES = 300  # datasets whose missing values a list tells


class DatasetStore:
    """Datasets of one store as their list reads them; it stays with the store of its making."""

    def __init__(self) -> None:
        self._owner = session.current()
        self._missing: dict[str, float | None] = {}  # by the digest of a summary, so it stays true

    def title(self, project_id: str | None) -> str:
        """Return the heading."""
        if project_id is None:
            return "Datasets"
        return f"Datasets of {self._owner.store.projects(project_id=project_id).column('name')[0].as_py()}"

    def changes(self, project_id: str | None) -> str:
        """Return a short text that differs whenever something to show has changed."""
        return self._owner.store.token(project_id)

    def datasets(self, project_id: str | None) -> pa.Table:
        """Return datasets with their newest version, the most recent first."""
        import pyarrow as pa

        table = self._owner.store.read(overview.datasets, project_id=project_id)
        digests = table.column("summary").to_pylist()
        shares = [None if d is None else self._share(d) for d in digests[:MOST_SUMMARIES]]
        shares += [None] * (len(digests) - len(shares))
        return table.drop_columns(["summary"]).append_column("missing", pa.array(shares, pa.float64()))

    def _share(self, digest: str) -> float | None:
        """Return the share of missing values; None where it cannot be read, which choosing the dataset tells."""
        if digest not in self._missing:
            try:
                columns = summary_.decode(self._owner.store.blobs.get(digest)).columns
            except (DamagedError, NotFoundError):
                return None
            cells = sum(column.n for column in columns)
            self._missing[digest] = sum(column.missing for column in columns) / cells if cells else None
        return self._missing[digest]

    def versions(self, dataset_id: str) -> pa.Table:
        """Return the versions of a dataset, the newest first."""
        import pyarrow as pa

        kinds = {
            "version": pa.int64(), "digest": pa.string(), "source": pa.string(), "path": pa.string(),
            "rows": pa.int64(), "columns": pa.int64(), "size": pa.int64(), "created_at": pa.timestamp("us", "UTC"),
            "registered_at": pa.timestamp("us", "UTC"),
        }  # fmt: skip
        found = self._owner.store.read(queries.versions, dataset_id)[::-1]
        rows = [{name: one[name] for name in kinds} for one in found]
        rows = [row | {name: _utc(row[name]) for name in ("created_at", "registered_at")} for row in rows]
        return pa.Table.from_pylist(rows, pa.schema(kinds))

    def runs(self, dataset_id: str) -> pa.Table:
        """Return the runs that used a dataset, the latest first, each with its headline metric."""
        import pyarrow as pa

        used = self._owner.store.read(overview.lineage, dataset_id)
        ids = [row["run_id"] for row in used]
        told = headlined(self._owner.store.runs(run_ids=ids), self._owner.store.read(overview.judged, run_ids=ids))
        known = {row["run_id"]: row for row in told.to_pylist()}
        rows = [
            known[row["run_id"]] | row | {"used_at": _utc(row["used_at"])} for row in used if row["run_id"] in known
        ]
        texts = pa.string()
        more = [("version", pa.int64()), ("split", texts), ("project", texts), ("used_at", pa.timestamp("us", "UTC"))]
        return pa.Table.from_pylist(rows, pa.schema([*told.schema, *(pa.field(*one) for one in more)]))

    def summary(self, dataset_id: str, version: int) -> summary_.Summary | None:
        """Return what was kept of a version's columns; None where it is no table."""
        digest = self._version(dataset_id, version)["summary"]
        return None if digest is None else summary_.decode(self._owner.store.blobs.get(digest))

    def preview(self, dataset_id: str, version: int) -> pa.Table | None:
        """Return the first rows of a version; None where it is no table."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        digest = self._version(dataset_id, version)["preview"]
        return None if digest is None else pq.read_table(pa.BufferReader(self._owner.store.blobs.get(digest)))

    def drift(self, dataset_id: str, old: int, new: int) -> Drift:
        """Return what changed from one version to another."""
        from modellab_jupyter import drift as drift_

        versions = self._owner.store.read(queries.versions, dataset_id)
        sides = [drift_.side(dataset_id, one, versions, self._owner.store.blobs) for one in (old, new)]
        return drift_.compare(dataset_id, *sides)

    def _version(self, dataset_id: str, version: int) -> dict[str, Any]:
        found = self._owner.store.read(queries.versions, dataset_id)
        for one in found:
            if one["version"] == version:
                return dict(one)
        raise no_version(dataset_id, version, found)


class ProjectStore:
    """Projects of one store as their list reads them; it stays with the store of its making."""

    def __init__(self) -> None:
        self._owner = session.current()

    def changes(self, project_id: str | None) -> str:
        """Return a short text that differs whenever something to show has changed."""
        return self._owner.store.token(project_id)

    def projects(self) -> pa.Table:
        """Return projects with their statistics, the most recent first."""
        import pyarrow as pa

        from modellab_jupyter.widgets.projects import STATUSES

        table = self._owner.store.projects()
        runs, owners = self._runs()
        counts: Counter[tuple[str | None, str]] = Counter(zip(owners, runs.column("status").to_pylist(), strict=True))
        ids = table.column("project_id").to_pylist()
        scored = self._owner.store.read(overview.scores)
        best = {id_: catalog.best_score(scored.get(id_, ())) for id_ in ids}
        shown = _scored(runs, {found[0]: found[1] for found in best.values() if found is not None})
        rows = [
            {status: counts[id_, status] for status in STATUSES} | ({} if found is None else shown.get(found[0], {}))
            for id_, found in best.items()
        ]
        counted = [(status, pa.int64()) for status in STATUSES]
        more = [*counted, ("best_run", pa.string()), ("best_run_id", pa.string()), *_metric_fields()]
        beside = pa.Table.from_pylist(rows, pa.schema(more))
        kept = table.select(["project_id", "name", "description", "runs", "datasets", "last_activity", "created_at"])
        for name in beside.column_names:
            kept = kept.append_column(name, beside.column(name))
        return kept

    def _runs(self) -> tuple[pa.Table, list[str | None]]:
        """Return all runs, and the project of each."""
        runs = self._owner.store.runs()
        owners = self._owner.store.read(overview.owners)
        known = dict(zip(*(owners.column(name).to_pylist() for name in ("run_id", "project_id")), strict=True))
        return runs, [known.get(run_id) for run_id in runs.column("run_id").to_pylist()]

    def activity(self) -> pa.Table:
        """Return runs by project and day, the latest day first."""
        import pyarrow as pa
        import pyarrow.compute as pc

        runs, owners = self._runs()
        ended = pc.is_in(runs.column("status"), pa.array(["finished", "running"]))
        table = pa.table({
            "project_id": pa.array(owners, pa.string()),
            "day": pc.floor_temporal(runs.column("started_at"), unit="day"),
            "failed": pc.cast(pc.invert(ended), pa.int64()),
        })  # fmt: skip
        found = table.group_by(["project_id", "day"]).aggregate([("failed", "count"), ("failed", "sum")])
        names = {"failed_count": "runs", "failed_sum": "failed"}
        found = found.rename_columns([names.get(name, name) for name in found.column_names])
        order = [("day", "descending"), ("project_id", "ascending")]
        return found.select(["project_id", "day", "runs", "failed"]).sort_by(order)

    def runs(self, project_id: str, most: int) -> pa.Table:
        """Return at most so many runs of a project, the newest first, each with its headline metric."""
        store = self._owner.store
        return headlined(store.runs(project_id).slice(0, most), store.read(overview.judged, project_id))

    def datasets(self, project_id: str) -> pa.Table:
        """Return the datasets of a project and those that its runs used."""
        table = self._owner.store.read(overview.datasets, project_id=project_id)
        return table.select(["dataset_id", "name", "version", "rows", "columns", "runs", "last_used"])

    def dashboard(self, project_id: str) -> Dashboard:
        """Return the dashboard of a project as it is now."""
        from modellab_jupyter.widgets.dashboard import Dashboard

        if session.current() is not self._owner:
            raise InputError("this list shows another store than the notebook uses now; run its cell again.")
        return Dashboard(StoreSource(), self._owner.store.resolve("project", project_id), live=False)


def headlined(runs: pa.Table, judged: pa.Table | None = None) -> pa.Table:
    """Return runs with the one metric that says most about each, and whether it is the best of those it compares with.

    That is ROC-AUC, accuracy or RMSE where a run has one of them, else one that was evaluated, else one of which it is
    known what is better, else any.
    """
    import numpy as np
    import pyarrow as pa

    from modellab_jupyter.widgets.best import Comparable
    from modellab_jupyter.widgets.saved import metric_parts

    heads = ["run_id", "name", "status", "started_at", "duration"]
    names = metric_names(runs)
    parts = metric_parts(runs)
    better = {name: greater_is_better(name) for name in names}
    ranked = sorted(names, key=lambda n: (_place(n), "n" not in parts.get(f"metrics.{n}", {}), better[n] is None))
    columns = {name: runs.column(f"metrics.{name}").to_pylist() for name in ranked}
    ids = runs.column("run_id").to_pylist()
    chosen = {
        run_id: name
        for row, run_id in enumerate(ids)
        if (name := next((n for n in ranked if columns[n][row] is not None), None)) is not None
    }
    told = _scored(runs, chosen)
    best: set[str] = set()
    comparable = Comparable(runs, judged)
    for name in set(chosen.values()):
        direction = better[name]
        values = [told[run_id]["value"] if chosen.get(run_id) == name else math.nan for run_id in ids]
        top = None if direction is None else comparable.best(f"metrics.{name}", direction, np.array(values))
        best |= set(top.runs) if top is not None else set()
    fields = _metric_fields()
    rows = [
        row | {name: found[name] for name, _ in fields if name in found} | {"best": row["run_id"] in best}
        for row in runs.select(heads).to_pylist()
        for found in [told.get(row["run_id"], {})]
    ]
    schema = [*(runs.schema.field(name) for name in heads), *(pa.field(*one) for one in fields)]
    return pa.Table.from_pylist(rows, pa.schema([*schema, pa.field("best", pa.bool_())]))


def _place(metric: str) -> int:
    return HEADLINES.index(metric) if metric in HEADLINES else len(HEADLINES)


def _scored(runs: pa.Table, metrics: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return of each run that is named its name and the metric that is named, with interval and n."""
    from modellab_jupyter.widgets.saved import metric_parts

    parts = metric_parts(runs)
    place = {run_id: row for row, run_id in enumerate(runs.column("run_id").to_pylist())}
    found = {}
    for run_id, metric in metrics.items():
        row = place.get(run_id)
        if row is None or f"metrics.{metric}" not in runs.column_names:
            continue
        ends = {end: runs.column(name)[row].as_py() for end, name in parts.get(f"metrics.{metric}", {}).items()}
        value = runs.column(f"metrics.{metric}")[row].as_py()
        name = runs.column("name")[row].as_py()
        found[run_id] = {"best_run": name, "best_run_id": run_id, "metric": metric, "value": value, **ends}
    return found


def _metric_fields() -> list[tuple[str, Any]]:
    import pyarrow as pa

    numbers = [(name, pa.float64()) for name in ("value", "low", "high")]
    return [("metric", pa.string()), *numbers, ("n", pa.int64())]


def _utc(moment: Any) -> Any:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def dataset_list(project_id: str | None = None, *, live: bool | None = None) -> DatasetList:
    """Show datasets: their versions, columns, first rows, what changed, and which runs used them.

    Parameters
    ----------
    project_id : str, optional
        Id or name; default: all projects.
    live : bool, optional
        Whether the output stays connected to the kernel; default: where a person's front end listens.
    """
    from modellab_jupyter.widgets.datasets import DatasetList

    live, source = _choice(live), DatasetStore()
    found = None if project_id is None else session.current().store.resolve("project", project_id)
    return DatasetList(source, found, live=live)


def project_list(*, live: bool | None = None) -> ProjectList:
    """Show projects: their statistics, what happened when, and the newest runs and the datasets of each.

    Parameters
    ----------
    live : bool, optional
        Whether the output stays connected to the kernel; default: where a person's front end listens.
    """
    from modellab_jupyter.widgets.projects import ProjectList

    return ProjectList(ProjectStore(), live=_choice(live))


class Datasets(catalog.Datasets):
    """Named sources and their exact contents; in a notebook they show themselves as a list to look into."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return dataset_list()._repr_mimebundle_(include, exclude)

    def _display_(self) -> Any:
        return dataset_list()._display_()


class Projects(catalog.Projects):
    """Named collections of runs; in a notebook they show themselves as a list to look into."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return project_list()._repr_mimebundle_(include, exclude)

    def _display_(self) -> Any:
        return project_list()._display_()


datasets = Datasets()
projects = Projects()
