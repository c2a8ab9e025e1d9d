"""Projects, datasets, runs, artifacts and evaluations of the store: list, get, change, trash.

The objects ``ml.projects``, ``ml.datasets``, … hold no state; each call asks the session of this process.
An id, the beginning or end of one (at least six characters), or a name says which one is meant.
"""

from __future__ import annotations

import io
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modellab_jupyter import environment, schema, session, tracking
from modellab_jupyter.assets import Artifacts, Datasets, Trash, artifacts, datasets, trash
from modellab_jupyter.collection import Collection, frame
from modellab_jupyter.errors import InputError, NotFoundError, hint
from modellab_jupyter.store import queries
from modellab_jupyter.store.wide import SUMMARIES

if TYPE_CHECKING:
    import pandas as pd

    from modellab_jupyter.store import Store


class Projects(Collection[schema.ProjectRecord]):
    """Named collections of runs."""

    kind = "project"

    def create(self, name: str, description: str = "") -> schema.ProjectRecord:
        """Make a project, or return the one of that name."""
        self._check({"name": name, "description": description})
        owner = session.current()
        project_id = owner.project(name)
        owner.submit(
            schema.ProjectAdded(time=time.time_ns(), project_id=project_id, name=name, description=description)
        )
        return self.get(project_id)

    def _check(self, fields: dict[str, Any]) -> None:
        super()._check(fields)
        if str(fields.get("name", "")).startswith("proj_"):
            raise InputError(f"name must not begin with 'proj_', which ids do, found {fields['name']!r}.")

    def _submit(self, event: schema.Event | None) -> None:
        super()._submit(event)
        session.current().forget_projects()

    def update(self, id: str, **fields: Any) -> schema.ProjectRecord:  # noqa: A002
        """Give ``name`` or ``description`` other values; a name that another project has is refused."""
        store = session.current().store
        found = store.resolve(self.kind, id)
        taken = {row["name"]: row["project_id"] for row in store.projects().to_pylist()}
        if taken.get(fields.get("name", ""), found) != found:
            raise InputError(f"name must be one that no other project has, found {fields['name']!r}; give another.")
        return super().update(found, **fields)

    def list(self, *, trash: bool = False) -> pd.DataFrame:
        """Return projects with their numbers of runs and datasets and last activity, the most recent first."""
        return frame(session.current().store.projects(trash=trash))

    def get(self, id: str) -> schema.ProjectRecord:  # noqa: A002
        """Return one project."""
        store = session.current().store
        found = store.read(
            queries.rows,
            """SELECT project_id, name, description, created_at, updated_at, deleted_at
            FROM projects WHERE project_id = ?""",
            [store.resolve(self.kind, id, trash=True)],
        )
        return schema.ProjectRecord(**found[0])

    def stats(self, id: str) -> dict[str, Any]:  # noqa: A002
        """Return a project's numbers of runs and datasets, last activity, runs by status, best run and its metric.

        The best run is chosen among those whose latest evaluation named ``"test"`` was on the labels that most of the
        project's runs share: by ROC-AUC where all of them have it, else by accuracy, or by RMSE for regression. None
        where no run was evaluated.
        """
        store = session.current().store
        return statistics(store, store.resolve(self.kind, id))

    def datasets(self, id: str) -> pd.DataFrame:  # noqa: A002
        """Return the datasets of a project and those that its runs used."""
        store = session.current().store
        return frame(store.read(queries.datasets, project_id=store.resolve(self.kind, id)))

    def runs(self, id: str) -> pd.DataFrame:  # noqa: A002
        """Return the runs of a project; see `Runs.list`."""
        store = session.current().store
        return frame(store.runs(store.resolve(self.kind, id)))


class Runs(Collection[schema.RunRecord]):
    """Recorded executions."""

    kind = "run"

    def update(self, id: str, **fields: Any) -> schema.RunRecord:  # noqa: A002
        """Give ``name``, ``note``, ``baseline`` or ``tags`` other values and return the record as it stands then.

        Parameters
        ----------
        **fields
            ``tags`` are given as for `Run.set_tags` and take the place of all that the run had.
        """
        tags = tracking.as_tags(fields.pop("tags")) if "tags" in fields else None
        record = super().update(id, **fields)
        if tags is None:
            return record
        gone = [tag for tag in record.tags if tag not in tags]
        self._submit(schema.TagsSet(time=time.time_ns(), run_id=record.run_id, tags=tags, removed=gone))
        return self.get(record.run_id)

    def create(self, name: str | None = None, project_id: str | None = None, **settings: Any) -> tracking.Run:
        """Start a run; the same as `start_run`."""
        return tracking.start_run(name, project_id, **settings)

    def list(
        self,
        project_id: str | None = None,
        *,
        sort: str | None = None,
        ascending: bool = False,
        limit: int | None = None,
        trash: bool = False,
        where: str | None = None,
        order_by: str | None = None,
        summary: str = "last",
    ) -> pd.DataFrame:
        """Return runs, one row each, the newest first.

        Columns ``params.KEY`` and ``metrics.KEY`` hold what was logged; a metric that was evaluated has its estimate,
        with ``metrics.KEY.low``, ``.high`` and ``.n`` beside it. `summary` has another value of each metric shown.
        A list of all projects names each run's in ``project``. Where a run of the list could not record everything,
        there is a column ``lost`` that counts what is missing.

        Parameters
        ----------
        project_id : str, optional
            Id or name; default: all projects.
        sort : str, optional
            A column, the largest first unless `ascending`; its prefix may be left out.
        limit : int, optional
            At most so many, after sorting.
        where : str, optional
            Only runs of which this is true: comparisons of ``metrics.KEY``, ``params.KEY``, ``tags.KEY`` and fields
            (``name``, ``status``, ``started_at``, ``duration``, ``project``, ``dataset``, ``lost``, …) with ``AND``,
            ``OR``, ``NOT``, ``IN``, ``BETWEEN``, ``LIKE`` and ``IS NULL``, as in ``metrics.roc_auc > 0.8 AND NOT
            tags.draft``. ``metrics.KEY.min``, ``.max``, ``.last`` and ``.best`` (the least of a loss or an error, the
            most of a score) are of what was logged, ``.low``, ``.high`` and ``.n`` of the interval. Names with other
            signs stand in double quotes. A comparison with a missing value, or with NaN, is neither true nor false.
            Times are UTC.
        order_by : str, optional
            Names with ``asc``, as in SQL the default, or ``desc``, separated by commas; missing values come last.
            Takes the place of `sort`.
        summary : {"last", "min", "max", "best"}
            What columns of metrics show: the latest estimate, or else the last value; or of what was logged the lowest
            or highest finite value, or the best, which is the lowest of a loss or an error, the highest of a score,
            and the last where nobody knows whether more is better.

        Raises
        ------
        InputError
            `where` or `order_by` cannot be read, or names what no run has; nearest name included.
        """
        store = session.current().store
        project = None if project_id is None else store.resolve("project", project_id)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
            raise InputError(f"limit must be a whole number of at least 0, found {limit!r}.")
        if sort is not None and order_by is not None:
            raise InputError(f"sort and order_by say the same, found {sort!r} and {order_by!r}; give one of them.")
        if not isinstance(summary, str) or summary not in SUMMARIES:
            raise InputError(f"summary must be one of {', '.join(SUMMARIES)}, found {summary!r:.80}.")
        cut = None if limit is None or sort is not None else min(limit, sys.maxsize)
        told: dict[str, Any] = {"where": where, "order_by": order_by, "summary": summary, "projects": project is None}
        found = frame(store.runs(project, trash=trash, limit=cut, **told))
        if sort is not None:
            names = [sort, f"metrics.{sort}", f"params.{sort}"]
            column = next((name for name in names if name in found.columns), None)
            if column is None:
                raise InputError(f"sort must be a column, found {sort!r}{hint(sort, found.columns) or '.'}")
            if column == "tags":
                raise InputError("sort must be a column of numbers, texts or times, found 'tags', which holds lists.")
            found = found.sort_values(column, ascending=ascending, kind="stable", na_position="last")
            found = found.head(len(found) if limit is None else limit).reset_index(drop=True)
        return found

    def tag(self, id: str, tags: Any, remove: Sequence[str] = ()) -> schema.RunRecord:  # noqa: A002
        """Add labels to a run that may have ended, and take others off; see `Run.set_tags`."""
        owner = session.current()
        found = owner.store.resolve(self.kind, id)
        added, gone = tracking.as_tags(tags), list(tracking.as_tags(remove))
        owner.submit(schema.TagsSet(time=time.time_ns(), run_id=found, tags=added, removed=gone))
        return self.get(found)

    def get(self, id: str) -> schema.RunRecord:  # noqa: A002
        """Return everything about one run but its series."""
        store = session.current().store
        return schema.RunRecord(**store.run(store.resolve(self.kind, id, trash=True)))

    def metrics(self, id: str, key: str | None = None) -> pd.DataFrame:  # noqa: A002
        """Return a run's values of one metric, or of all: ``key``, ``step``, ``value``, ``time`` (UTC)."""
        store = session.current().store
        found = store.resolve(self.kind, id)
        series = frame(store.series([found], key)).drop(columns="run_id")
        if key is not None and not len(series):
            known = store.run(found)["metrics"]
            raise NotFoundError(
                f"run {id!r} has no metric {key!r}"
                f"{hint(key, known) or '; it has ' + (', '.join(known) or 'none') + '.'}"
            )
        return series

    def latency(self, id: str) -> pd.DataFrame:  # noqa: A002
        """Return P50, P95 and P99 of a run's durations in seconds, with n and an interval; see `latency.quantiles`."""
        import pandas as pd

        from modellab_jupyter.latency import quantiles

        store = session.current().store
        rows = [
            {"name": one["name"], "quantile": f"P{q.quantile * 100:.0f}", "seconds": q.seconds,
             "low": q.low, "high": q.high,
             "n": q.n, "warmup": one["warmup"], "confidence_level": q.confidence_level, "reason": q.reason}
            for one in store.read(queries.latencies, store.resolve(self.kind, id))
            if one["seconds"]
            for q in quantiles(one["seconds"])
        ]  # fmt: skip
        columns = ["name", "quantile", "seconds", "low", "high", "n", "warmup", "confidence_level", "reason"]
        return pd.DataFrame(rows, columns=columns)

    def diff(self, *ids: str) -> pd.DataFrame:
        """Return only what differs between runs: a row for each param, metric, dataset or part of the environment."""
        import pandas as pd

        if len(ids) < 2:
            raise InputError(f"ids must name at least two runs, found {len(ids)}.")
        records = [self.get(ref) for ref in ids]
        parts = [_parts(record) for record in records]
        rows = []
        for key in dict.fromkeys(key for part in parts for key in part):
            values = [part.get(key) for part in parts]
            if any(repr(value) != repr(values[0]) for value in values[1:]):
                rows.append([*key, *values])
        return pd.DataFrame(rows, columns=["part", "name", *_titles(records)])

    def cells(self, id: str) -> pd.DataFrame:  # noqa: A002
        """Return the cells that a run's kernel executed up to the run's end; ``during`` marks the run's own."""
        store = session.current().store
        return frame(store.read(queries.cells, store.resolve(self.kind, id)))

    def packs(self, id: str) -> pd.DataFrame:  # noqa: A002
        """Return what was done with a run's packs, the latest first.

        ``act`` is ``"made"``, ``"verified"`` or ``"reproduced"``, ``conclusion`` and ``verdict`` (JSON) what was found.
        """
        store = session.current().store
        return frame(store.read(queries.packs, store.resolve(self.kind, id, trash=True)))


class Evaluations(Collection[schema.EvaluationRecord]):
    """What runs scored, and on which rows."""

    kind = "evaluation"

    def list(self, run_id: str | None = None, *, trash: bool = False) -> pd.DataFrame:
        """Return evaluations, the newest first; equal ``labels_digest`` and ``rows_digest`` can be compared."""
        store = session.current().store
        runs = None if run_id is None else [store.resolve("run", run_id)]
        return frame(store.read(queries.evaluations, run_ids=runs, trash=trash))

    def get(self, id: str) -> schema.EvaluationRecord:  # noqa: A002
        """Return one evaluation with its estimates and intervals."""
        store = session.current().store
        found = store.resolve(self.kind, id, trash=True)
        row = store.read(queries.rows, "SELECT * FROM evaluations WHERE evaluation_id = ?", [found])[0]
        estimates = store.read(queries.estimates, [found]).to_pylist()
        return schema.EvaluationRecord(**{**row, "settings": json.loads(row["settings"])}, estimates=estimates)

    def predictions(self, id: str) -> pd.DataFrame:  # noqa: A002
        """Return the rows that were judged: label, prediction, probabilities."""
        import pandas as pd

        return pd.read_parquet(io.BytesIO(session.current().store.blobs.get(self.get(id).predictions)))

    def folder(self, id: str) -> Path:  # noqa: A002
        """Return the standard artifact folder of an evaluation."""
        return session.current().store.folder(self.get(id).folder)


def sql(query: str, params: Any = None) -> pd.DataFrame:
    """Run one SELECT over the store, read only, without access to files or the network.

    Parameters
    ----------
    query : str
        DuckDB's SQL; tables are ``projects``, ``datasets``, ``dataset_versions``, ``runs``, ``params``, ``tags``,
        ``metrics``, ``metric_summary``, ``latencies``, ``artifacts``, ``evaluations``, ``estimates``, ``cells``.
    params : sequence or mapping, optional
        Values for ``?`` or ``$name``.

    Raises
    ------
    InputError
        The query is not one SELECT, or DuckDB refuses it.
    """
    if not isinstance(query, str):
        raise InputError(f"query must be a text, found {type(query).__name__}.")
    found = session.current().store.sql(query, params)
    try:
        return frame(found)
    except (ValueError, OverflowError, NotImplementedError) as error:  # of Arrow: no such value in pandas
        said = " ".join(str(error).split())
        raise InputError(
            f"the answer has values that pandas cannot hold ({said:.200}); cast them to VARCHAR."
        ) from error


def storage() -> pd.DataFrame:
    """Return what takes space: each table, the file, the trash, blobs, evaluations and journals.

    Columns are ``what``, ``name``, ``count`` (rows, objects or files) and ``bytes``; a table's by whole blocks.
    """
    import pandas as pd

    return pd.DataFrame(session.current().store.storage())


def act(one: Any) -> str:
    """Return what was done with a pack, what was found and when, of a row of `Runs.packs`."""
    found = f" ({one.conclusion})" if isinstance(one.conclusion, str) else ""  # pandas has no text as NaN
    return f"{one.act}{found} {one.acted_at:%Y-%m-%d %H:%M} UTC, pack {one.pack_id[:12]}"


def statistics(store: Store, project_id: str) -> dict[str, Any]:
    """Return the statistics of a project; see `Projects.stats`."""
    status = store.runs(project_id).column("status").to_pylist()
    return outline(store, project_id) | {"by_status": {word: status.count(word) for word in sorted(set(status))}}


def outline(store: Store, project_id: str) -> dict[str, Any]:
    """Return the statistics of a project that need no look at each of its runs."""
    found = store.projects(project_id=project_id).to_pylist()
    if not found or found[0]["deleted_at"] is not None:
        project_id = store.resolve("project", project_id)  # which says where it went
        found = store.projects(project_id=project_id).to_pylist()
    row: dict[str, Any] = found[0]
    best, metric = best_score(store.read(queries.headlines, project_id)) or (None, None)
    return row | {"best_run": best, "best_metric": metric}


def best_score(scored: Sequence[dict[str, Any]]) -> tuple[str, str] | None:
    """Return the best of the runs that were judged on the labels most of them share, and the metric it is best by.

    See `Projects.stats`; None where no run was judged.
    """
    shared = Counter(digest for digest, _ in {(row["labels_digest"], row["run_id"]) for row in scored})
    if not shared:
        return None
    newest = {row["labels_digest"]: row["evaluation_id"] for row in scored}
    labels = max(shared, key=lambda digest: (shared[digest], newest[digest]))
    for metric, sign in (("roc_auc", 1), ("accuracy", 1), ("root_mean_squared_error", -1)):
        found = [row for row in scored if row["labels_digest"] == labels and row["metric"] == metric]
        if len(found) == shared[labels]:
            return str(max(found, key=lambda row: sign * row["estimate"])["run_id"]), metric
    return None


def _parts(record: schema.RunRecord) -> dict[tuple[str, str], Any]:
    parts: dict[tuple[str, str], Any] = {("param", key): value for key, value in record.params.items()}
    parts |= {("metric", key): value for key, value in record.metrics.items()}
    parts |= {("dataset", f"{d['name']} {d['split']}".strip()): f"version {d['version']}" for d in record.datasets}
    parts |= {("run", "seed"): record.seed, ("run", "git commit"): record.git_commit}
    content = environment.flat(record.environment or {})
    return parts | {("environment", key): value for key, value in content.items()}


def _titles(records: Sequence[schema.RunRecord]) -> list[str]:
    names = [record.name for record in records]
    return names if len(set(names)) == len(names) else [f"{r.name} ({r.run_id[-6:]})" for r in records]


projects = Projects()
runs = Runs()
evaluations = Evaluations()

__all__ = [
    "Artifacts",
    "Datasets",
    "Evaluations",
    "Projects",
    "Runs",
    "Trash",
    "artifacts",
    "best_score",
    "datasets",
    "evaluations",
    "frame",
    "projects",
    "runs",
    "sql",
    "statistics",
    "trash",
]
