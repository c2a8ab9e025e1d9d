"""Take events into the database: one transaction for all of them and for the record that they were taken."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from modellab_jupyter import schema
from modellab_jupyter.schema import AnyEvent
from modellab_jupyter.store import wide

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

_EDITABLE = {
    "project": ("projects", "project_id", {"name", "description"}),
    "dataset": ("datasets", "dataset_id", {"name", "description", "project_id"}),
    "run": ("runs", "run_id", {"name", "note", "baseline"}),
    "artifact": ("artifacts", "artifact_id", {"name"}),
    "evaluation": ("evaluations", "evaluation_id", {"name"}),
}
_TRASHABLE = {kind: (table, key) for kind, (table, key, _) in _EDITABLE.items()}


def editable(kind: str) -> set[str]:
    """Return the names of the fields of a kind that `Changed` may set."""
    return _EDITABLE[kind][2]


def faults() -> tuple[type[Exception], ...]:
    """Return the errors that speak of what an event holds, not of the file, the disk or the tables."""
    import duckdb

    return ValueError, TypeError, ArithmeticError, LookupError, duckdb.DataError, duckdb.InvalidInputException


def apply(con: duckdb.DuckDBPyConnection, events: Iterable[AnyEvent]) -> None:
    """Apply events in their order, inside the caller's transaction."""
    names = _Names(con)
    part: list[AnyEvent] = []
    touched = _Touched()
    for event in events:
        part.append(event)
        touched.note(event)
        if _turns(event):
            _part(con, part, names)
            part = []
    _part(con, part, names)
    touched.refresh(con)


def _turns(event: AnyEvent) -> bool:
    """Tell whether what comes after an event must find its effect: a name is free or taken, an object gone or back."""
    return isinstance(event, schema.Trashed | schema.Restored | schema.Purged) or (
        isinstance(event, schema.Changed) and event.kind in {"project", "dataset"}
    )


def _part(con: duckdb.DuckDBPyConnection, ordered: Sequence[AnyEvent], names: _Names) -> None:
    """Apply events whose kinds may be taken together: all of one kind at once, then one by one what changes things."""
    by_type: dict[type, list[Any]] = {}
    for event in ordered:
        by_type.setdefault(type(event), []).append(event)
    for event in by_type.get(schema.ProjectAdded, []):
        _project(con, event, names)
    for event in by_type.get(schema.DatasetAdded, []):
        _dataset(con, event, names)
    _started(con, by_type.get(schema.RunStarted, []), names)
    _environments(con, by_type.get(schema.EnvironmentCaptured, []))
    _lives(con, ordered)
    _sessions(con, by_type)
    _used(con, by_type.get(schema.DatasetUsed, []), names)
    _params(con, by_type.get(schema.ParamsLogged, []))
    _metrics(con, by_type.get(schema.MetricsLogged, []))
    _latencies(con, by_type.get(schema.LatencyLogged, []))
    _artifacts(con, by_type.get(schema.ArtifactLogged, []))
    _evaluations(con, by_type.get(schema.EvaluationLogged, []))
    _cells(con, by_type.get(schema.CellExecuted, []))
    _randomness(con, by_type.get(schema.RandomSeen, []), by_type.get(schema.EntropyDrawn, []))
    _files(con, by_type.get(schema.FilesRead, []))
    _surroundings(con, by_type.get(schema.SurroundingsSeen, []))
    _packs(con, by_type.get(schema.PackHandled, []))
    for event in ordered:
        match event:
            case schema.TagsSet():
                _tags(con, event)
            case schema.Changed():
                _changed(con, event, names)
            case schema.Trashed():
                _bin(con, event.kind, event.ids, event.time)
            case schema.Restored():
                _bin(con, event.kind, event.ids, None)
            case schema.ViewKept():
                _view(con, event, names)
            case schema.Purged():
                _purge(con, event.time)
            case _:
                pass


class _Touched:
    """The runs whose row of the wide table no longer says what the other tables do."""

    def __init__(self) -> None:
        self._runs: set[str] = set()
        self._evaluations: set[str] = set()
        self._all = False

    def note(self, event: AnyEvent) -> None:
        match event:
            case (
                schema.MetricsLogged()
                | schema.RunStarted()
                | schema.ParamsLogged()
                | schema.TagsSet()
                | schema.EvaluationLogged()
                | schema.DatasetUsed()
            ):
                self._runs.add(event.run_id)
            case schema.Changed(kind="evaluation"):
                self._evaluations.add(event.id)
            case schema.Trashed(kind="evaluation") | schema.Restored(kind="evaluation"):
                self._evaluations.update(event.ids)
            case schema.Purged():
                self._all = True
            case _:
                pass

    def refresh(self, con: duckdb.DuckDBPyConnection) -> None:
        if self._evaluations and not self._all:
            found = con.execute(
                "SELECT run_id FROM evaluations WHERE list_contains(?::VARCHAR[], evaluation_id)",
                [list(self._evaluations)],
            ).fetchall()
            self._runs.update(row[0] for row in found)
        if self._all or self._runs:
            wide.refresh(con, None if self._all else _arrow({"run": sorted(self._runs)}))


class _Names:
    """Ids by which things are known; a proposed id may stand for an older one of the same name."""

    def __init__(self, con: duckdb.DuckDBPyConnection) -> None:
        self._con = con
        self._ids: dict[str, str] = dict(con.execute("SELECT proposed, id FROM aliases").fetchall())

    def id(self, proposed: str) -> str:
        return self._ids.get(proposed, proposed)

    def alias(self, proposed: str, real: str) -> None:
        if self.id(proposed) == real:
            return
        self._con.execute("DELETE FROM aliases WHERE proposed = ?", [proposed])
        self._ids[proposed] = real
        if proposed != real:
            self._con.execute("INSERT INTO aliases VALUES (?, ?)", [proposed, real])


def _project(con: duckdb.DuckDBPyConnection, event: schema.ProjectAdded, names: _Names) -> None:
    known = names.id(event.project_id)
    if con.execute("SELECT 1 FROM projects WHERE project_id = ?", [known]).fetchone():
        con.execute("UPDATE projects SET deleted_at = NULL WHERE project_id = ?", [known])  # somebody works in it again
        return
    same = con.execute(
        "SELECT project_id FROM projects WHERE name = ? AND deleted_at IS NULL ORDER BY project_id",
        [event.name],
    ).fetchone()
    if same:
        names.alias(event.project_id, same[0])
        return
    at = micros(event.time)
    names.alias(event.project_id, event.project_id)  # it stood for a project that is gone for good
    con.execute(
        "INSERT INTO projects VALUES (?, ?, ?, make_timestamp(?), make_timestamp(?), NULL)",
        [event.project_id, event.name, event.description, at, at],
    )


def _dataset(con: duckdb.DuckDBPyConnection, event: schema.DatasetAdded, names: _Names) -> None:
    project = names.id(event.project_id) if event.project_id else None
    at = micros(event.time)
    known = con.execute("SELECT dataset_id FROM datasets WHERE dataset_id = ?", [names.id(event.dataset_id)]).fetchone()
    same = (
        known
        or con.execute(
            """SELECT dataset_id FROM datasets
            WHERE name = ? AND project_id IS NOT DISTINCT FROM ? AND deleted_at IS NULL ORDER BY dataset_id""",
            [event.name, project],
        ).fetchone()
    )
    if same:
        names.alias(event.dataset_id, same[0])
    else:
        names.alias(event.dataset_id, event.dataset_id)  # it stood for a dataset that is gone for good
        con.execute(
            "INSERT INTO datasets VALUES (?, ?, ?, ?, make_timestamp(?), make_timestamp(?), NULL)",
            [event.dataset_id, project, event.name, event.description or "", at, at],
        )
    dataset = names.id(event.dataset_id)
    if event.description is not None and same:
        con.execute("UPDATE datasets SET description = ? WHERE dataset_id = ?", [event.description, dataset])
    last, there = con.execute(
        "SELECT coalesce(max(version), 0), count(*) FILTER (digest = ?) FROM dataset_versions WHERE dataset_id = ?",
        [event.digest, dataset],
    ).fetchall()[0]
    if there:  # current again; where it lies now, and what older writers did not keep of it
        con.execute(
            """UPDATE dataset_versions SET registered_at = greatest(registered_at, make_timestamp($at)),
            path = coalesce($path, path), summary = coalesce(summary, $summary)
            WHERE dataset_id = $id AND digest = $digest""",
            {"at": at, "path": event.path, "summary": event.summary, "id": dataset, "digest": event.digest},
        )
        con.execute(
            "UPDATE datasets SET updated_at = greatest(updated_at, make_timestamp(?)) WHERE dataset_id = ?",
            [at, dataset],
        )
        return
    con.execute(
        """INSERT INTO dataset_versions BY NAME SELECT $id AS dataset_id, $version AS version, $digest AS digest,
        $source AS source, $path AS path, $rows AS "rows", $columns AS columns, $size AS size, $fields AS fields,
        $preview AS preview, $summary AS summary, make_timestamp($at) AS created_at, created_at AS registered_at""",
        {"id": dataset, "version": last + 1, "digest": event.digest, "source": event.source, "path": event.path,
         "rows": event.rows, "columns": event.columns, "size": event.size, "preview": event.preview,
         "fields": json.dumps(event.fields, ensure_ascii=False), "summary": event.summary, "at": at},
    )  # fmt: skip
    con.execute("UPDATE datasets SET updated_at = make_timestamp(?) WHERE dataset_id = ?", [at, dataset])


def _started(con: duckdb.DuckDBPyConnection, events: Sequence[schema.RunStarted], names: _Names) -> None:
    for project, event in {names.id(e.project_id): e for e in events}.items():  # emptied from the trash meanwhile?
        con.execute(
            """INSERT INTO projects SELECT $id, $name, '', make_timestamp($at), make_timestamp($at), NULL
            WHERE NOT EXISTS (SELECT 1 FROM projects WHERE project_id = $id)
            AND NOT EXISTS (SELECT 1 FROM runs WHERE run_id = $run)""",
            {"id": project, "name": f"recovered-{project[-6:]}", "at": micros(event.time), "run": event.run_id},
        )
    _load(
        con,
        """INSERT INTO runs BY NAME
        SELECT * EXCLUDE (us), make_timestamp(us) AS started_at, started_at AS heartbeat_at, started_at AS updated_at
        FROM fresh WHERE run_id NOT IN (SELECT run_id FROM runs)""",
        {
            "run_id": [e.run_id for e in events],
            "project_id": [names.id(e.project_id) for e in events],
            "name": [e.name for e in events],
            "status": ["running"] * len(events),
            "baseline": [e.baseline for e in events],
            "note": [""] * len(events),
            "seed": [e.seed for e in events],
            "seeded": [json.dumps(e.seeded) for e in events],
            "host": [e.host for e in events],
            "pid": [e.pid for e in events],
            "process_started": [e.started for e in events],
            "lost": [0] * len(events),
            "notebook": [e.notebook for e in events],
            "script": [e.script for e in events],
            "total_steps": [e.total_steps for e in events],
            "us": [micros(e.time) for e in events],
        },
    )


def _lives(con: duckdb.DuckDBPyConnection, events: Sequence[AnyEvent]) -> None:
    """Apply what changes the life of a run; the last word of each run counts."""
    lives: dict[str, dict[str, Any]] = {}
    found: dict[str, schema.RunDescribed] = {}
    for event in events:
        match event:
            case schema.RunStarted():
                lives[event.run_id] = {"beat": event.time}
            case schema.RunResumed():
                lives[event.run_id] = {"beat": event.time, "resumed": event}
            case schema.Beat() | schema.MetricsLogged():
                lives.setdefault(event.run_id, {})["beat"] = event.time
            case schema.RunEnded():
                life = lives.setdefault(event.run_id, {})
                life.update(beat=event.time, ended=event)
            case schema.RunDescribed():
                found[event.run_id] = event
            case _:
                pass
    for event in events:
        if isinstance(event, schema.RunResumed) and event.seed is not None:
            con.execute(
                "UPDATE runs SET seed = ?, seeded = ? WHERE run_id = ?",
                [event.seed, json.dumps(event.seeded), event.run_id],
            )
    resumed = [(run, life["resumed"]) for run, life in lives.items() if "resumed" in life]
    for run, event in resumed:
        con.execute(
            """UPDATE runs SET status = 'running', ended_at = NULL, error = NULL, host = ?, pid = ?,
            process_started = ?, total_steps = coalesce(?, total_steps) WHERE run_id = ?""",
            [event.host, event.pid, event.started, event.total_steps, run],
        )
    _load(
        con,
        """UPDATE runs SET heartbeat_at = greatest(heartbeat_at, make_timestamp(fresh.us))
        FROM fresh WHERE runs.run_id = fresh.run""",
        {"run": list(lives), "us": [micros(life["beat"]) for life in lives.values()]},
    )
    ended: list[schema.RunEnded] = [life["ended"] for life in lives.values() if "ended" in life]
    missing = Counter[str]()
    for event in events:
        if isinstance(event, schema.RunEnded):
            missing[event.run_id] += event.lost
    _load(
        con,
        """UPDATE runs SET status = fresh.ending, error = fresh.message, duration = fresh.seconds,
        lost = coalesce(runs.lost, 0) + fresh.missing,
        ended_at = make_timestamp(fresh.us), updated_at = make_timestamp(fresh.us)
        FROM fresh WHERE runs.run_id = fresh.run""",
        {
            "run": [e.run_id for e in ended],
            "ending": [e.status for e in ended],
            "message": [e.error for e in ended],
            "seconds": [e.duration for e in ended],
            "missing": [missing[e.run_id] for e in ended],
            "us": [micros(e.time) for e in ended],
        },
    )
    _load(
        con,
        """UPDATE runs SET environment = coalesce(fresh.env, environment),
        git_commit = coalesce(fresh.commit_id, git_commit), git_dirty = coalesce(fresh.dirty, git_dirty)
        FROM fresh WHERE runs.run_id = fresh.run""",
        {
            "run": list(found),
            "env": [e.environment for e in found.values()],
            "commit_id": [e.git_commit for e in found.values()],
            "dirty": [e.git_dirty for e in found.values()],
        },
    )


def _sessions(con: duckdb.DuckDBPyConnection, by_type: dict[type, list[Any]]) -> None:
    """Note in which kernels runs lived, and from which cell to which."""
    begun = [*by_type.get(schema.RunStarted, []), *by_type.get(schema.RunResumed, [])]
    _load(
        con,
        """INSERT INTO run_sessions SELECT run, session, first_cell, NULL, make_timestamp(us), NULL FROM fresh
        WHERE NOT EXISTS (SELECT 1 FROM run_sessions s WHERE s.run_id = run AND s.session_id = session)""",
        {
            "run": [e.run_id for e in begun],
            "session": [e.session_id for e in begun],
            "first_cell": [e.first_cell for e in begun],
            "us": [micros(e.time) for e in begun],
        },
    )
    again = {(e.run_id, e.session_id): e for e in by_type.get(schema.RunResumed, [])}
    _load(
        con,
        """UPDATE run_sessions SET resumed_at = greatest(started_at, make_timestamp(fresh.us)) FROM fresh
        WHERE run_sessions.run_id = fresh.run AND run_sessions.session_id = fresh.session""",
        {
            "run": [run for run, _ in again],
            "session": [session for _, session in again],
            "us": [micros(e.time) for e in again.values()],
        },
    )
    ended = {(e.run_id, e.session_id): e.last_cell for e in by_type.get(schema.RunEnded, [])}
    _load(
        con,
        """UPDATE run_sessions SET last_cell = fresh.last_cell FROM fresh
        WHERE run_sessions.run_id = fresh.run AND run_sessions.session_id = fresh.session""",
        {
            "run": [run for run, _ in ended],
            "session": [session for _, session in ended],
            "last_cell": list(ended.values()),
        },
    )


def _environments(con: duckdb.DuckDBPyConnection, events: Sequence[schema.EnvironmentCaptured]) -> None:
    for event in {e.digest: e for e in events}.values():
        at = micros(event.time)
        con.execute(
            "INSERT INTO environments SELECT ?, ?, make_timestamp(?) "
            "WHERE NOT EXISTS (SELECT 1 FROM environments WHERE digest = ?)",
            [event.digest, json.dumps(event.content, ensure_ascii=False), at, event.digest],
        )
        con.execute(
            "UPDATE environments SET captured_at = make_timestamp($at) "
            "WHERE digest = $digest AND captured_at < make_timestamp($at)",
            {"at": at, "digest": event.digest},
        )


def _used(con: duckdb.DuckDBPyConnection, events: Sequence[schema.DatasetUsed], names: _Names) -> None:
    _load(
        con,
        """INSERT INTO run_datasets SELECT run, dataset, digest, split, make_timestamp(us) FROM fresh
        WHERE NOT EXISTS (SELECT 1 FROM run_datasets r WHERE r.run_id = run AND r.dataset_id = dataset
                          AND r.digest = fresh.digest AND r.split = fresh.split)""",
        {
            "run": [e.run_id for e in events],
            "dataset": [names.id(e.dataset_id) for e in events],
            "digest": [e.digest for e in events],
            "split": [e.split for e in events],
            "us": [micros(e.time) for e in events],
        },
    )


def _params(con: duckdb.DuckDBPyConnection, events: Sequence[schema.ParamsLogged]) -> None:
    last = {(e.run_id, key): (text, micros(e.time)) for e in events for key, text in e.params.items()}
    fresh = {
        "run": [run for run, _ in last],
        "param": [key for _, key in last],
        "text": [text for text, _ in last.values()],
        "num": [schema.param_number(text) for text, _ in last.values()],
        "us": [at for _, at in last.values()],
    }
    _load(
        con,
        "DELETE FROM params USING fresh WHERE params.run_id = fresh.run AND params.key = fresh.param",
        fresh,
    )
    _load(con, "INSERT INTO params SELECT run, param, text, num, make_timestamp(us) FROM fresh", fresh)


def _metrics(con: duckdb.DuckDBPyConnection, events: Sequence[schema.MetricsLogged]) -> None:
    import numpy as np
    import pyarrow as pa

    values = [{**e.values, **{key: float(word) for key, word in e.odd.items()}} if e.odd else e.values for e in events]
    counts = np.array([len(one) for one in values], dtype=np.int64)
    if not counts.sum():
        return
    position = np.arange(counts.sum())
    step = np.array([e.step for e in events], dtype=np.int64).repeat(counts)
    us = np.array([micros(e.time) for e in events], dtype=np.int64).repeat(counts)
    rank = np.empty_like(position)
    rank[np.lexsort((us, step))] = position
    each: dict[str, Any] = {
        "run": _coded([e.run_id for e in events], counts),
        "metric": _coded([key for one in values for key in one]),
        "step": step,
        "number": np.array([number for one in values for number in one.values()], dtype=np.float64),
        "us": us,
        "position": position,
        "rank": rank,  # by a number: DuckDB's arg_max by a tuple takes the sign off -0.0
    }
    fresh = {name: _numbers(array) if isinstance(array, np.ndarray) else array for name, array in each.items()}
    con.register("fresh", pa.table(fresh))
    con.execute("INSERT INTO metrics SELECT run, metric, step, number, make_timestamp(us) FROM fresh ORDER BY position")
    # No UPDATE: DuckDB leaves what compares equal as it is, so that -0.0 would never become 0.0.
    con.execute(
        """CREATE OR REPLACE TEMP TABLE changed AS
        WITH c AS (
          SELECT run, metric, count(*) AS n, arg_max(number, rank) AS last, max(step) AS last_step,
                 make_timestamp(arg_max(us, rank)) AS last_time,
                 min(number) FILTER (isfinite(number)) AS lowest,
                 max(number) FILTER (isfinite(number)) AS highest,
                 make_timestamp(min(us)) AS first_at, make_timestamp(max(us)) AS last_at
          FROM fresh GROUP BY run, metric)
        SELECT run, metric, c.n + coalesce(s.n, 0),
          CASE WHEN s.n IS NULL OR (c.last_step, c.last_time) >= (s.last_step, s.last_time) THEN c.last ELSE s.last END,
          greatest(c.last_step, s.last_step),
          CASE WHEN s.n IS NULL OR (c.last_step, c.last_time) >= (s.last_step, s.last_time) THEN c.last_time
            ELSE s.last_time END,
          least(c.lowest, s.lowest), greatest(c.highest, s.highest),
          least(c.first_at, s.first_at), greatest(c.last_at, s.last_at)
        FROM c LEFT JOIN metric_summary s ON s.run_id = c.run AND s.key = c.metric"""
    )
    con.unregister("fresh")
    con.execute("DELETE FROM metric_summary s USING changed c WHERE s.run_id = c.run AND s.key = c.metric")
    con.execute("INSERT INTO metric_summary FROM changed")
    con.execute("DROP TABLE changed")


def _latencies(con: duckdb.DuckDBPyConnection, events: Sequence[schema.LatencyLogged]) -> None:
    rows = [(e, second) for e in events for second in e.seconds]
    _load(
        con,
        "INSERT INTO latencies SELECT run, name, second, warmup, make_timestamp(us) FROM fresh",
        {
            "run": [e.run_id for e, _ in rows],
            "name": [e.name for e, _ in rows],
            "second": [second for _, second in rows],
            "warmup": [e.warmup for e, _ in rows],
            "us": [micros(e.time) for e, _ in rows],
        },
    )


def _artifacts(con: duckdb.DuckDBPyConnection, events: Sequence[schema.ArtifactLogged]) -> None:
    _load(
        con,
        """INSERT INTO artifacts SELECT artifact, run, name, kind, digest, size, media, make_timestamp(us), NULL
        FROM fresh WHERE artifact NOT IN (SELECT artifact_id FROM artifacts)""",
        {
            "artifact": [e.artifact_id for e in events],
            "run": [e.run_id for e in events],
            "name": [e.name for e in events],
            "kind": [e.kind for e in events],
            "digest": [e.digest for e in events],
            "size": [e.size for e in events],
            "media": [e.media_type for e in events],
            "us": [micros(e.time) for e in events],
        },
    )


def _packs(con: duckdb.DuckDBPyConnection, events: Sequence[schema.PackHandled]) -> None:
    _load(
        con,
        """INSERT INTO packs SELECT run, pack, act, place, size, conclusion, verdict, host, make_timestamp(us)
        FROM fresh WHERE NOT EXISTS (
          SELECT 1 FROM packs p WHERE p.run_id = run AND p.pack_id = pack AND p.act = fresh.act
          AND p.acted_at = make_timestamp(us))""",
        {
            "run": [e.run_id for e in events],
            "pack": [e.pack_id for e in events],
            "act": [e.act for e in events],
            "place": [e.path for e in events],
            "size": [e.size for e in events],
            "conclusion": [e.conclusion for e in events],
            "verdict": [e.verdict for e in events],
            "host": [e.host for e in events],
            "us": [micros(e.time) for e in events],
        },
    )


def _evaluations(con: duckdb.DuckDBPyConnection, events: Sequence[schema.EvaluationLogged]) -> None:
    known = {row[0] for row in con.execute("SELECT evaluation_id FROM evaluations").fetchall()} if events else set()
    fresh = [e for e in events if e.evaluation_id not in known]
    _load(
        con,
        """INSERT INTO evaluations SELECT evaluation, run, name, task, n, labels, judged, predictions, folder, takeaway,
        settings, make_timestamp(us), NULL FROM fresh""",
        {
            "evaluation": [e.evaluation_id for e in fresh],
            "run": [e.run_id for e in fresh],
            "name": [e.name for e in fresh],
            "task": [e.task_type for e in fresh],
            "n": [e.n for e in fresh],
            "labels": [e.labels_digest for e in fresh],
            "judged": [e.rows_digest for e in fresh],
            "predictions": [e.predictions for e in fresh],
            "folder": [e.folder for e in fresh],
            "takeaway": [e.takeaway for e in fresh],
            "settings": [json.dumps(e.settings, ensure_ascii=False) for e in fresh],
            "us": [micros(e.time) for e in fresh],
        },
    )
    rows = [(e, estimate) for e in fresh for estimate in e.estimates]
    _load(
        con,
        """INSERT INTO estimates SELECT evaluation, run, metric, estimate, low, high, level, method, n, reason
        FROM fresh""",
        {
            "evaluation": [e.evaluation_id for e, _ in rows],
            "run": [e.run_id for e, _ in rows],
            "metric": [s.metric for _, s in rows],
            "estimate": [s.estimate for _, s in rows],
            "low": [s.low for _, s in rows],
            "high": [s.high for _, s in rows],
            "level": [s.confidence_level for _, s in rows],
            "method": [s.method for _, s in rows],
            "n": [s.n for _, s in rows],
            "reason": [s.reason for _, s in rows],
        },
    )


def _cells(con: duckdb.DuckDBPyConnection, events: Sequence[schema.CellExecuted]) -> None:
    _load(
        con,
        """INSERT INTO cells SELECT session, position, cell, count, source, outcome, error, duration,
          make_timestamp(us), parent, hidden FROM fresh WHERE NOT EXISTS (
          SELECT 1 FROM cells c WHERE c.session_id = session AND c.position = fresh.position)""",
        {
            "session": [e.session_id for e in events],
            "position": [e.position for e in events],
            "cell": [e.cell_id for e in events],
            "count": [e.execution_count for e in events],
            "source": [e.source for e in events],
            "outcome": [e.outcome for e in events],
            "error": [e.error for e in events],
            "duration": [e.duration for e in events],
            "us": [micros(e.time) for e in events],
            "parent": [e.parent for e in events],
            "hidden": [e.hidden for e in events],
        },
    )


def _randomness(
    con: duckdb.DuckDBPyConnection, states: Sequence[schema.RandomSeen], draws: Sequence[schema.EntropyDrawn]
) -> None:
    _load(
        con,
        """INSERT INTO random_states SELECT session, position, moment, python, numpy, make_timestamp(us) FROM fresh
        WHERE NOT EXISTS (SELECT 1 FROM random_states s WHERE s.session_id = session AND s.position = fresh.position
                          AND s.moment = fresh.moment AND s.seen_at = make_timestamp(us))""",
        {
            "session": [e.session_id for e in states],
            "position": [e.position for e in states],
            "moment": [e.moment for e in states],
            "python": [e.python and json.dumps(e.python) for e in states],
            "numpy": [e.numpy and json.dumps(e.numpy) for e in states],
            "us": [micros(e.time) for e in states],
        },
    )
    rows = [(e, e.first + i, value) for e in draws for i, value in enumerate(e.values)]
    _load(
        con,
        """INSERT INTO draws SELECT session, position, source, nth, value FROM fresh
        WHERE NOT EXISTS (SELECT 1 FROM draws d WHERE d.session_id = session AND d.source = fresh.source
                          AND d.number = fresh.nth)""",
        {
            "session": [e.session_id for e, _, _ in rows],
            "position": [e.position for e, _, _ in rows],
            "source": [e.source for e, _, _ in rows],
            "nth": [number for _, number, _ in rows],
            "value": [value for _, _, value in rows],
        },
    )


def _files(con: duckdb.DuckDBPyConnection, events: Sequence[schema.FilesRead]) -> None:
    rows = [(e, file) for e in events for file in e.files]
    _load(
        con,
        """INSERT INTO files_read SELECT DISTINCT session, position, path, digest, size, modified, found_by, made
        FROM fresh WHERE NOT EXISTS (
          SELECT 1 FROM files_read f WHERE f.session_id = session AND f.position = fresh.position
          AND f.path = fresh.path AND f.modified = fresh.modified AND f.found_by = fresh.found_by)""",
        {
            "session": [e.session_id for e, _ in rows],
            "position": [e.position for e, _ in rows],
            "path": [file.path for _, file in rows],
            "digest": [file.digest for _, file in rows],
            "size": [file.size for _, file in rows],
            "modified": [file.modified for _, file in rows],
            "found_by": [file.found_by for _, file in rows],
            "made": [file.made for _, file in rows],
        },
    )


def _surroundings(con: duckdb.DuckDBPyConnection, events: Sequence[schema.SurroundingsSeen]) -> None:
    last = {e.run_id: e for e in events}
    _load(
        con,
        """UPDATE runs SET folder = fresh.place, distributions = coalesce(fresh.installed, distributions),
        git_diff = fresh.changes, surroundings = fresh.details FROM fresh WHERE runs.run_id = fresh.run""",
        {
            "run": list(last),
            "place": [e.folder for e in last.values()],
            "installed": [e.distributions for e in last.values()],
            "changes": [e.diff for e in last.values()],
            "details": [json.dumps(e.details, ensure_ascii=False) for e in last.values()],
        },
    )


def _tags(con: duckdb.DuckDBPyConnection, event: schema.TagsSet) -> None:
    gone = [*event.tags, *event.removed]
    con.execute("DELETE FROM tags WHERE run_id = ? AND list_contains(?::VARCHAR[], tag)", [event.run_id, gone])
    for tag, value in event.tags.items():
        con.execute(
            "INSERT INTO tags VALUES (?, ?, ?, make_timestamp(?))",
            [event.run_id, tag, value, micros(event.time)],
        )


def _changed(con: duckdb.DuckDBPyConnection, event: schema.Changed, names: _Names) -> None:
    table, key, allowed = _EDITABLE[event.kind]
    fields = {name: value for name, value in event.fields.items() if name in allowed}
    if fields.get("project_id"):
        fields["project_id"] = names.id(fields["project_id"])
    stamp = "updated_at = make_timestamp(?), " if event.kind in {"project", "dataset", "run"} else ""
    sets = ", ".join(f"{name} = ?" for name in fields)
    if not fields:
        return
    values = [micros(event.time)] if stamp else []
    con.execute(
        f"UPDATE {table} SET {stamp}{sets} WHERE {key} = ?",
        [*values, *fields.values(), names.id(event.id)],
    )


def _view(con: duckdb.DuckDBPyConnection, event: schema.ViewKept, names: _Names) -> None:
    key = [names.id(event.project_id), event.widget, event.name]
    con.execute("DELETE FROM saved_views WHERE project_id = ? AND widget = ? AND name = ?", key)
    if event.state is not None:
        con.execute(
            "INSERT INTO saved_views VALUES (?, ?, ?, ?, make_timestamp(?))", [*key, event.state, micros(event.time)]
        )


def _bin(con: duckdb.DuckDBPyConnection, kind: str, ids: list[str], at: int | None) -> None:
    table, key = _TRASHABLE[kind]
    when = "NULL" if at is None else f"make_timestamp({micros(at)})"
    con.execute(f"UPDATE {table} SET deleted_at = {when} WHERE list_contains(?::VARCHAR[], {key})", [ids])


def _purge(con: duckdb.DuckDBPyConnection, at: int) -> None:
    """Delete what was in the trash at that time and what belongs to it; a dataset that a live run used stays there."""
    then = f"deleted_at <= make_timestamp({micros(at)})"
    con.execute(f"DELETE FROM runs WHERE {then} OR project_id IN (SELECT project_id FROM projects WHERE {then})")
    inside = f"({then} OR project_id IN (SELECT project_id FROM projects WHERE {then}))"
    used = "dataset_id IN (SELECT dataset_id FROM run_datasets WHERE run_id IN (SELECT run_id FROM runs))"
    con.execute(f"DELETE FROM datasets WHERE {inside} AND NOT {used}")
    con.execute(
        f"""UPDATE datasets SET project_id = NULL, deleted_at = coalesce(deleted_at, make_timestamp({micros(at)}))
        WHERE project_id IN (SELECT project_id FROM projects WHERE {then})"""
    )
    con.execute(f"DELETE FROM projects WHERE {then}")
    con.execute(
        "DELETE FROM saved_views WHERE project_id <> '' AND project_id NOT IN (SELECT project_id FROM projects)"
    )
    for table in ("artifacts", "evaluations"):
        con.execute(f"DELETE FROM {table} WHERE {then} OR run_id NOT IN (SELECT run_id FROM runs)")
    for table in ("params", "tags", "metrics", "metric_summary", "latencies", "run_datasets", "run_sessions", "packs"):
        con.execute(f"DELETE FROM {table} WHERE run_id NOT IN (SELECT run_id FROM runs)")
    con.execute("DELETE FROM estimates WHERE evaluation_id NOT IN (SELECT evaluation_id FROM evaluations)")
    con.execute("DELETE FROM dataset_versions WHERE dataset_id NOT IN (SELECT dataset_id FROM datasets)")
    con.execute("DELETE FROM run_datasets WHERE dataset_id NOT IN (SELECT dataset_id FROM datasets)")
    con.execute(  # the run that a young one is for may name it only afterwards
        "DELETE FROM environments WHERE digest NOT IN (SELECT environment FROM runs WHERE environment IS NOT NULL "
        "UNION SELECT distributions FROM runs WHERE distributions IS NOT NULL) "
        f"AND captured_at < make_timestamp({micros(at)}) - INTERVAL 1 HOUR"
    )
    for table in ("cells", "random_states", "draws", "files_read"):
        con.execute(f"DELETE FROM {table} WHERE session_id NOT IN (SELECT session_id FROM run_sessions)")


def micros(nanoseconds: int) -> int:
    """Return a time in microseconds, the store's resolution."""
    return nanoseconds // 1000


_TYPES: dict[str, str] = {
    **dict.fromkeys(
        (
            "total_steps",
            "us",
            "pid",
            "seed",
            "lost",
            "missing",
            "n",
            "rows",
            "size",
            "step",
            "position",
            "nth",
            "modified",
        ),
        "int64",
    ),
    **dict.fromkeys(("first_cell", "last_cell", "count", "parent"), "int32"),
    **dict.fromkeys(
        (
            "num",
            "number",
            "estimate",
            "low",
            "high",
            "level",
            "second",
            "seconds",
            "duration",
            "process_started",
        ),
        "float64",
    ),
    **dict.fromkeys(("baseline", "dirty", "warmup", "hidden", "made"), "bool_"),
}


def _arrow(columns: dict[str, Any]) -> pa.Table:
    import pyarrow as pa

    return pa.table({name: _column(values, _TYPES.get(name, "large_string")) for name, values in columns.items()})


def _column(values: Sequence[Any], kind: str) -> pa.Array:
    """Return values, None where missing, as an Arrow array; ``pa.array`` would import pandas for it."""
    import numpy as np
    import pyarrow as pa

    valid = None
    if None in values:
        there = np.fromiter((value is not None for value in values), dtype=bool, count=len(values))
        valid = pa.py_buffer(np.packbits(there, bitorder="little"))
    if kind == "large_string":
        texts = [b"" if value is None else value.encode() for value in values]
        offsets = np.zeros(len(texts) + 1, dtype=np.int64)
        np.cumsum([len(text) for text in texts], out=offsets[1:])
        buffers = [valid, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts))]
    elif kind == "bool_":
        buffers = [valid, pa.py_buffer(np.packbits([bool(value) for value in values], bitorder="little"))]
    else:
        numbers = values if valid is None else [0 if value is None else value for value in values]
        return _numbers(np.array(numbers, dtype=kind), valid)
    return pa.Array.from_buffers(getattr(pa, kind)(), len(values), buffers)


def _numbers(values: np.ndarray[Any, Any], valid: pa.Buffer | None = None) -> pa.Array:
    import pyarrow as pa

    return pa.Array.from_buffers(getattr(pa, values.dtype.name)(), len(values), [valid, pa.py_buffer(values)])


def _coded(texts: Sequence[str], counts: np.ndarray[Any, Any] | None = None) -> pa.Array:
    """Return texts that repeat as a dictionary and places in it; each as often as `counts` says."""
    import numpy as np
    import pyarrow as pa

    names: dict[str, int] = {}
    codes = np.array([names.setdefault(text, len(names)) for text in texts], dtype=np.int32)
    places = _numbers(codes if counts is None else codes.repeat(counts))
    return pa.DictionaryArray.from_arrays(places, _column(list(names), "large_string"))


def _load(con: duckdb.DuckDBPyConnection, sql: str, columns: dict[str, Any]) -> None:
    """Run `sql` over the columns, seen as a table named ``fresh``; nothing where there are no rows."""
    if not len(next(iter(columns.values()))):
        return
    con.register("fresh", _arrow(columns))
    try:
        con.execute(sql)
    finally:
        con.unregister("fresh")
