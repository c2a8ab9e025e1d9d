"""Every SELECT, by name. Each takes a connection and gives an Arrow table or plain values back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from modellab_jupyter.store import filters, reduce, wide

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

STALE_AFTER = 60  # seconds without a heartbeat

_STATUS = f"""CASE WHEN r.status = 'running' AND (list_contains($gone, r.run_id)
    OR r.heartbeat_at < make_timestamp($now) - INTERVAL {STALE_AFTER} SECOND) THEN 'stale' ELSE r.status END"""
_DURATION = "coalesce(r.duration, CASE WHEN r.status = 'running' THEN epoch(r.heartbeat_at - r.started_at) END)"
# of one that was resumed and killed: until its last end, and since it was resumed
_SPENT = """CASE WHEN r.status = 'running' THEN coalesce(r.duration, 0) + epoch(r.heartbeat_at - coalesce(
    (SELECT max(greatest(started_at, resumed_at)) FROM run_sessions s WHERE s.run_id = r.run_id), r.started_at))
    ELSE r.duration END"""
_LIVE_RUN = """r.deleted_at IS NULL AND EXISTS (
    SELECT 1 FROM projects q WHERE q.project_id = r.project_id AND q.deleted_at IS NULL)"""


def rows(con: duckdb.DuckDBPyConnection, sql: str, params: Any = None) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries."""
    result = con.execute(sql, params) if params is not None else con.execute(sql)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def table(con: duckdb.DuckDBPyConnection, sql: str, params: Any = None) -> pa.Table:
    """Return the rows of a query as an Arrow table; times get their zone, UTC."""
    import pyarrow as pa

    found = wide.arrow(con, sql, params)
    for place, field in enumerate(found.schema):
        if pa.types.is_timestamp(field.type):
            utc = found.column(place).cast(pa.timestamp("us"), safe=False).cast(pa.timestamp("us", tz="UTC"))
            found = found.set_column(place, field.name, utc)
    return found


def running(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """Return who runs what, as far as the store knows."""
    return rows(con, "SELECT run_id, host, pid, process_started FROM runs WHERE status = 'running'")


PROJECTS = """
SELECT p.project_id, p.name, p.description,
  (SELECT count(*) FROM runs r WHERE r.project_id = p.project_id AND r.deleted_at IS NULL) AS runs,
  (SELECT count(DISTINCT d.dataset_id) FROM ({datasets}) d WHERE d.project = p.project_id) AS datasets,
  greatest(p.updated_at, (SELECT max(greatest(r.updated_at, r.heartbeat_at)) FROM runs r
                          WHERE r.project_id = p.project_id AND r.deleted_at IS NULL)) AS last_activity,
  p.created_at, p.deleted_at
FROM projects p WHERE {where} ORDER BY last_activity DESC, p.project_id
""".format(
    datasets="""SELECT d.dataset_id, d.project_id AS project FROM datasets d WHERE d.deleted_at IS NULL
    UNION SELECT u.dataset_id, r.project_id FROM run_datasets u JOIN runs r USING (run_id)
    JOIN datasets d ON d.dataset_id = u.dataset_id WHERE d.deleted_at IS NULL AND r.deleted_at IS NULL""",
    where="{where}",
)


def projects(con: duckdb.DuckDBPyConnection, *, trash: bool = False, project_id: str | None = None) -> pa.Table:
    """Return projects with counts of runs and datasets and their last activity."""
    if project_id is not None:
        return table(con, PROJECTS.format(where="p.project_id = ?"), [project_id])
    return table(con, PROJECTS.format(where=f"p.deleted_at IS {'NOT ' if trash else ''}NULL"))


def datasets(con: duckdb.DuckDBPyConnection, *, project_id: str | None = None, trash: bool = False) -> pa.Table:
    """Return datasets with their current version; of a project: its own and those that its runs used."""
    where = f"d.deleted_at IS {'NOT ' if trash else ''}NULL"
    params: list[Any] = []
    if project_id is not None:
        where += """ AND (d.project_id = ? OR d.dataset_id IN (
            SELECT u.dataset_id FROM run_datasets u JOIN runs r USING (run_id)
            WHERE r.project_id = ? AND r.deleted_at IS NULL))"""
        params = [project_id, project_id]
    return table(
        con,
        f"""SELECT d.dataset_id, d.name, d.project_id, v.version, v.digest, v.source, v."rows", v.columns, v.size,
          v.path,
          (SELECT count(DISTINCT u.run_id) FROM run_datasets u WHERE u.dataset_id = d.dataset_id) AS runs,
          d.description, d.created_at, d.updated_at
        FROM datasets d JOIN dataset_versions v USING (dataset_id) WHERE {where}
        QUALIFY row_number() OVER (PARTITION BY d.dataset_id ORDER BY v.registered_at DESC, v.version DESC) = 1
        ORDER BY d.updated_at DESC, d.dataset_id""",
        params,
    )


def versions(con: duckdb.DuckDBPyConnection, dataset_id: str) -> list[dict[str, Any]]:
    """Return the versions of a dataset, the one registered last at the end, each with the runs that used it."""
    found = rows(
        con,
        """SELECT version, digest, source, path, "rows", columns, size, fields, preview, summary,
        created_at, registered_at,
        (SELECT list(DISTINCT u.run_id ORDER BY u.run_id) FROM run_datasets u
         WHERE u.dataset_id = v.dataset_id AND u.digest = v.digest) AS runs
        FROM dataset_versions v WHERE dataset_id = ? ORDER BY registered_at, version""",
        [dataset_id],
    )
    return [{**row, "fields": json.loads(row["fields"]), "runs": row["runs"] or []} for row in found]


def run_datasets(con: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """Return the dataset versions that a run used."""
    return rows(
        con,
        """SELECT d.dataset_id, d.name, v.version, u.digest, u.split, v."rows", v.columns
        FROM run_datasets u JOIN datasets d USING (dataset_id)
        JOIN dataset_versions v ON v.dataset_id = u.dataset_id AND v.digest = u.digest
        WHERE u.run_id = ? ORDER BY u.used_at""",
        [run_id],
    )


_BESIDE = {  # by the tables that an order or a condition may name
    ("w", "d"): "LEFT JOIN run_wide w ON w.run_id = r.run_id",
    ("d",): "LEFT JOIN datasets d ON d.dataset_id = w.dataset_id",
    ("q",): "LEFT JOIN projects q ON q.project_id = r.project_id",
}


def runs(
    con: duckdb.DuckDBPyConnection,
    *,
    project_id: str | None = None,
    run_ids: Sequence[str] | None = None,
    trash: bool = False,
    gone: Sequence[str] = (),
    now: int | None = None,
    limit: int | None = None,
    where: str | None = None,
    order_by: str | None = None,
    summary: str = "last",
    projects: bool = False,
) -> pa.Table:
    """Return runs, the newest first or as `order_by` says, one row each with its params and metrics as columns.

    Metric columns hold the estimate of the latest evaluation of a name, or else the last value logged; where the
    metric has an interval, ``.low``, ``.high`` and ``.n`` stand beside it, marked as its parts by their metadata.
    ``lost`` counts what a run could not record; the column is there where a run of the list lost something.

    Parameters
    ----------
    gone : sequence of str
        Ids of running runs whose process is gone.
    now : int, optional
        Microseconds since 1970; None where no run is running, which saves a tenth of what twenty rows cost.
    projects : bool
        With the name of each run's project.
    """
    conditions = [_LIVE_RUN if not trash else f"NOT ({_LIVE_RUN})"]
    params: dict[str, Any] = {} if now is None else {"gone": list(gone), "now": now}
    status, duration = ("r.status", "r.duration") if now is None else (_STATUS, _DURATION)
    if project_id is not None:
        conditions.append("r.project_id = $project")
        params["project"] = project_id
    if run_ids is not None:
        conditions.append("list_contains($ids, r.run_id)")
        params["ids"] = list(run_ids)
    order, joined = "r.run_id DESC", ""
    if where is not None or order_by is not None:
        compiler = filters.Compiler(lambda kind: wide.keys(con, kind), status, duration)
        asked = [] if where is None else [compiler.where(where)]
        conditions += asked
        order = order if order_by is None else f"{compiler.order(order_by)}, {order}"
        params |= compiler.params
        named = " ".join([*asked, order])  # a join that nobody asked for costs a tenth of such a query
        joined = " ".join(sql for names, sql in _BESIDE.items() if any(f"{name}." in named for name in names))
    owner = "(SELECT q.name FROM projects q WHERE q.project_id = r.project_id) AS project," if projects else ""
    heads = table(
        con,
        f"""SELECT r.run_id, r.name, {owner} {status} AS status, r.baseline, r.started_at, {duration} AS duration,
          r.note, r.lost FROM runs r {joined} WHERE {" AND ".join(conditions)}
        ORDER BY {order} {"" if limit is None else f"LIMIT {int(limit)}"}""",
        params,
    )
    if not any(heads.column("lost").to_pylist()):
        heads = heads.drop_columns(["lost"])
    return wide.beside(con, heads, scattered=len(conditions) > 1 or order_by is not None, summary=summary)


def run(con: duckdb.DuckDBPyConnection, run_id: str, *, gone: Sequence[str], now: int) -> dict[str, Any] | None:
    """Return everything about one run but its metric series."""
    found = rows(
        con,
        f"""SELECT r.run_id, r.project_id, p.name AS project, r.name, {_STATUS} AS status, r.baseline, r.started_at,
          r.ended_at, {_SPENT} AS duration, r.seed, r.seeded, r.note, r.error, r.lost, r.git_commit, r.git_dirty,
          r.notebook, r.host, r.deleted_at,
          (SELECT content FROM environments e WHERE e.digest = r.environment) AS environment
        FROM runs r LEFT JOIN projects p ON p.project_id = r.project_id WHERE r.run_id = $run""",
        {"run": run_id, "gone": list(gone), "now": now},
    )
    if not found:
        return None
    one = found[0]
    one["seeded"] = json.loads(one["seeded"] or "[]")
    one["environment"] = json.loads(one["environment"]) if one["environment"] else None
    one["tags"] = dict(con.execute("SELECT tag, value FROM tags WHERE run_id = ? ORDER BY tag", [run_id]).fetchall())
    one["params"] = {
        key: json.loads(text)
        for key, text in con.execute("SELECT key, value FROM params WHERE run_id = ? ORDER BY key", [run_id]).fetchall()
    }
    last = con.execute(
        "SELECT key, last, last_step FROM metric_summary WHERE run_id = ? ORDER BY key", [run_id]
    ).fetchall()
    scored = con.execute(
        """SELECT unnest(metric_keys), unnest(metric_values), unnest(metric_lows), unnest(metric_highs),
          unnest(metric_ns) FROM run_wide WHERE run_id = ?""",
        [run_id],
    ).fetchall()
    one["metrics"] = {key: value for key, value, *_ in scored if value is not None}
    judged = [row for row in scored if row[1] is not None and row[4] is not None]
    one["intervals"] = {key: {"low": low, "high": high, "n": n} for key, _, low, high, n in judged}
    one["last_steps"] = {key: step for key, _, step in last}
    one["datasets"] = run_datasets(con, run_id)
    return one


def progress(
    con: duckdb.DuckDBPyConnection, project_id: str | None, *, gone: Sequence[str], now: int
) -> list[dict[str, Any]]:
    """Return how far runs are that are being recorded.

    Each has ``run_id``, ``name``, its last ``step``, the ``total`` that is expected, the ``first`` step since it was
    started or resumed, and the seconds ``elapsed`` since then.
    """
    within = "" if project_id is None else " AND r.project_id = $project"
    found = rows(
        con,
        f"""SELECT r.run_id, r.name, r.total_steps AS total, max(s.last_step) AS step,
          coalesce(max(l.begun), max(r.started_at)) AS begun, max(r.started_at) AS started
        FROM runs r LEFT JOIN metric_summary s USING (run_id) LEFT JOIN (
          SELECT run_id, max(greatest(started_at, resumed_at)) AS begun FROM run_sessions GROUP BY run_id
        ) l USING (run_id)
        WHERE {_STATUS} = 'running' AND {_LIVE_RUN}{within} GROUP BY ALL ORDER BY r.run_id DESC""",
        {"gone": list(gone), "now": now} | ({} if project_id is None else {"project": project_id}),
    )
    for run in found:
        begun, started = run.pop("begun"), run.pop("started")
        micros = (begun - datetime(1970, 1, 1)) // timedelta(microseconds=1)  # noqa: DTZ001 - as the store keeps times
        run["elapsed"] = max(0.0, (now - micros) / 1e6)
        run["first"] = 0
        if begun > started:
            first = "SELECT min(step) FROM metrics WHERE time >= ? AND run_id = ?"
            run["first"] = con.execute(first, [begun, run["run_id"]]).fetchall()[0][0]
    return found


def saved_views(con: duckdb.DuckDBPyConnection, project_id: str | None, widget: str) -> dict[str, dict[str, Any]]:
    """Return the ways of looking at a project, or at all (None), that were given a name."""
    found = con.execute(
        "SELECT name, state FROM saved_views WHERE project_id = ? AND widget = ? ORDER BY name",
        [project_id or "", widget],
    ).fetchall()
    return {str(name): json.loads(state) for name, state in found}


def series(
    con: duckdb.DuckDBPyConnection,
    run_ids: Sequence[str],
    key: str | None = None,
    points: int | None = None,
    steps: tuple[float, float] | None = None,
) -> pa.Table:
    """Return metric values by run, metric, step, time; of a longer series about `points`, with every bucket's extremes.

    Columns are ``run_id``, ``key``, ``step``, ``value`` and ``time``. A bucket keeps its first, last, lowest and
    highest finite value, so that no peak is lost.

    Parameters
    ----------
    points : int, optional
        Default: all of them.
    steps : (low, high), optional
        Only values of steps from `low` to `high`, both included.
    """
    only = "" if key is None else " AND key = $key"
    runs = "run_id = $run" if len(run_ids) == 1 else "list_contains($runs, run_id)"
    named: dict[str, Any] = {"run": run_ids[0]} if len(run_ids) == 1 else {"runs": list(run_ids)}
    named |= {} if key is None else {"key": key}
    known = con.execute(f"SELECT run_id, key, n, first_at, last_at FROM metric_summary WHERE {runs}{only}", named)
    there = sorted(known.fetchall())
    # Rows stand in about the order of their times, so that these bounds let most of the table be skipped.
    bounds = {"lo": min((row[3] for row in there), default=None), "hi": max((row[4] for row in there), default=None)}
    within = "" if steps is None else " AND step BETWEEN $from AND $to"
    bounds |= {} if steps is None else {"from": steps[0], "to": steps[1]}
    source = f"FROM metrics WHERE time BETWEEN $lo AND $hi AND {runs}{only}{within}"
    if points is None or all(row[2] <= points // 4 * 4 for row in there):
        columns = "run_id, key, step, value, time"
        return table(con, f"SELECT {columns} {source} ORDER BY run_id, key, step, time", named | bounds)
    places = {"every": [f"{row[0]} {row[1]}" for row in there]}
    found = con.execute(
        f"SELECT list_position($every, run_id || ' ' || key) AS which, step, value, epoch_us(time) AS us {source}"
        if len(there) > 1
        else f"SELECT step, value, epoch_us(time) AS us {source}",
        named | bounds | (places if len(there) > 1 else {}),
    ).fetchnumpy()
    return reduce.reduced([(row[0], row[1]) for row in there], found, max(1, points // 4))


def latencies(con: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """Return the measured durations of a run by name, warm-up left out but counted."""
    return rows(
        con,
        """SELECT name, list(seconds ORDER BY time) FILTER (NOT warmup) AS seconds, count(*) FILTER (warmup) AS warmup
        FROM latencies WHERE run_id = ? GROUP BY name ORDER BY name""",
        [run_id],
    )


def artifacts(con: duckdb.DuckDBPyConnection, *, run_id: str | None = None, trash: bool = False) -> pa.Table:
    """Return artifacts, the newest first."""
    where, params = f"a.deleted_at IS {'NOT ' if trash else ''}NULL", []
    if run_id is not None:
        where += " AND a.run_id = ?"
        params = [run_id]
    return table(
        con,
        f"""SELECT a.artifact_id, a.run_id, r.name AS run, a.name, a.kind, a.size, a.media_type, a.digest, a.created_at
        FROM artifacts a JOIN runs r USING (run_id) WHERE {where} ORDER BY a.artifact_id DESC""",
        params,
    )


def evaluations(
    con: duckdb.DuckDBPyConnection, *, run_ids: Sequence[str] | None = None, trash: bool = False
) -> pa.Table:
    """Return evaluations, the newest first."""
    where, params = f"v.deleted_at IS {'NOT ' if trash else ''}NULL AND r.deleted_at IS NULL", []
    if run_ids is not None:
        where += " AND list_contains(?, v.run_id)"
        params = [list(run_ids)]
    return table(
        con,
        f"""SELECT v.evaluation_id, v.run_id, r.name AS run, v.name, v.task_type, v.n, v.labels_digest, v.rows_digest,
          v.predictions, v.folder, v.takeaway, v.settings, v.created_at
        FROM evaluations v JOIN runs r USING (run_id) WHERE {where} ORDER BY v.evaluation_id DESC""",
        params,
    )


def headlines(con: duckdb.DuckDBPyConnection, project_id: str) -> list[dict[str, Any]]:
    """Return the metrics of the latest evaluation named "test" of each run of a project."""
    return rows(
        con,
        """WITH latest AS (
          SELECT v.* FROM evaluations v JOIN runs r USING (run_id)
          WHERE r.project_id = ? AND v.name = 'test' AND v.deleted_at IS NULL AND r.deleted_at IS NULL
          QUALIFY row_number() OVER (PARTITION BY v.run_id ORDER BY v.evaluation_id DESC) = 1)
        SELECT l.run_id, l.labels_digest, l.evaluation_id, e.metric, e.estimate FROM latest l
        JOIN estimates e USING (evaluation_id) WHERE e.estimate IS NOT NULL ORDER BY l.evaluation_id""",
        [project_id],
    )


def estimates(con: duckdb.DuckDBPyConnection, evaluation_ids: Sequence[str]) -> pa.Table:
    """Return the metrics of evaluations with their intervals."""
    return table(
        con,
        """SELECT evaluation_id, run_id, metric, estimate, low, high, confidence_level, method, n, reason
        FROM estimates WHERE list_contains(?, evaluation_id)""",
        [list(evaluation_ids)],
    )


def cells(con: duckdb.DuckDBPyConnection, run_id: str) -> pa.Table:
    """Return the cells of a run's kernel up to the run's end, as they stand in its history.

    `during` marks those of the run itself; what ran inside another cell or left no trace is in `executions`.
    """
    return table(
        con,
        """SELECT c.position, c.cell_id, c.execution_count, c.source, c.outcome, c.error, c.duration, c.executed_at,
          c.position >= coalesce(s.first_cell, 0) AS during
        FROM cells c JOIN run_sessions s USING (session_id)
        WHERE s.run_id = ? AND (s.last_cell IS NULL OR c.position <= s.last_cell)
          AND c.parent IS NULL AND NOT coalesce(c.hidden, false) ORDER BY s.started_at, c.position""",
        [run_id],
    )


_OF_SESSIONS = """JOIN run_sessions s USING (session_id)
    WHERE s.run_id = ? AND (s.last_cell IS NULL OR c.position <= s.last_cell) ORDER BY s.started_at, c.position"""


def executions(con: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """Return all that the kernels of a run ran up to its end, in the order in which it began."""
    return rows(
        con,
        f"""SELECT c.session_id, c.position, c.cell_id, c.execution_count, c.source, c.outcome, c.error, c.duration,
          c.parent, coalesce(c.hidden, false) AS hidden FROM cells c {_OF_SESSIONS}""",
        [run_id],
    )


def randomness(con: duckdb.DuckDBPyConnection, run_id: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the random states that the kernels of a run were seen in up to its end, and the entropy that they drew."""
    states = rows(
        con,
        f"""SELECT c.session_id, c.position, c.moment, c.python, c.numpy FROM random_states c
        {_OF_SESSIONS}, c.seen_at""",
        [run_id],
    )
    for state in states:
        state |= {name: json.loads(state[name]) if state[name] else None for name in ("python", "numpy")}
    drawn = rows(
        con,
        f"SELECT c.session_id, c.position, c.source, c.value FROM draws c {_OF_SESSIONS}, c.source, c.number",
        [run_id],
    )
    return states, drawn


def files_read(con: duckdb.DuckDBPyConnection, run_id: str) -> list[dict[str, Any]]:
    """Return the files that the kernels of a run read up to its end."""
    return rows(
        con,
        f"""SELECT c.session_id, c.position, c.path, c.digest, c.size, c.modified, c.found_by, c.made
        FROM files_read c {_OF_SESSIONS}, c.path, c.modified""",
        [run_id],
    )


def surroundings(con: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    """Return where a run took place and what it stood on; None or empty where that was never recorded."""
    found = rows(
        con,
        """SELECT r.notebook, r.script, r.folder, r.git_commit, r.git_dirty, r.git_diff, r.surroundings AS details,
          (SELECT content FROM environments e WHERE e.digest = r.distributions) AS distributions,
          (SELECT count(DISTINCT s.run_id) FROM run_sessions s WHERE s.run_id < r.run_id AND s.session_id IN
            (SELECT session_id FROM run_sessions o WHERE o.run_id = r.run_id)) AS place
        FROM runs r WHERE r.run_id = ?""",
        [run_id],
    )[0]
    found["details"] = json.loads(found["details"] or "{}")
    found["distributions"] = json.loads(found["distributions"] or "{}").get("distributions", [])
    return found


def packs(con: duckdb.DuckDBPyConnection, run_id: str) -> pa.Table:
    """Return what was done with the packs of a run, the latest first."""
    return table(
        con,
        """SELECT pack_id, act, conclusion, path, size, host, acted_at, verdict FROM packs WHERE run_id = ?
        ORDER BY acted_at DESC""",
        [run_id],
    )


def find(
    con: duckdb.DuckDBPyConnection, kind: str, ref: str, *, project_id: str | None = None
) -> list[tuple[str, str, bool]]:
    """Return id, name and whether it is in the trash, of what goes by an id, the beginning of one, or a name."""
    tables = {
        "project": "projects",
        "dataset": "datasets",
        "run": "runs",
        "artifact": "artifacts",
        "evaluation": "evaluations",
    }
    inside = " AND project_id = $project" if project_id is not None and kind in {"dataset", "run"} else ""
    params = {"ref": ref} | ({"project": project_id} if inside else {})
    name, key = tables[kind], f"{kind}_id"
    chosen = f"SELECT {key}, name, deleted_at IS NOT NULL FROM {name}"
    found = con.execute(
        f"{chosen} WHERE {key} = $ref OR {key} = (SELECT id FROM aliases WHERE proposed = $ref)",
        {"ref": ref},
    ).fetchall()
    found = (
        found
        or con.execute(
            f"{chosen} WHERE name = $ref{inside} ORDER BY deleted_at IS NOT NULL, {key} DESC",
            params,
        ).fetchall()
    )
    if not found and len(ref) >= 6:
        found = con.execute(
            f"{chosen} WHERE (starts_with({key}, $ref) OR ends_with({key}, $ref)){inside}",
            params,
        ).fetchall()
    return [(str(i), str(n), bool(d)) for i, n, d in found]


def names(con: duckdb.DuckDBPyConnection, kind: str) -> list[str]:
    """Return the names that stand in the store, for hints and completion."""
    name = {
        "project": "projects",
        "dataset": "datasets",
        "run": "runs",
        "artifact": "artifacts",
        "evaluation": "evaluations",
    }[kind]
    found = con.execute(
        f"SELECT name FROM {name} WHERE deleted_at IS NULL GROUP BY name ORDER BY max(created_at) DESC"
        if name != "runs"
        else "SELECT name FROM runs WHERE deleted_at IS NULL GROUP BY name ORDER BY max(started_at) DESC"
    ).fetchall()
    return [str(row[0]) for row in found]


def trash(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return what is in the trash."""
    return table(
        con,
        """SELECT kind, id, name, deleted_at FROM (
          SELECT 'project' AS kind, project_id AS id, name, deleted_at FROM projects
          UNION ALL SELECT 'dataset', dataset_id, name, deleted_at FROM datasets
          UNION ALL SELECT 'run', run_id, name, deleted_at FROM runs
          UNION ALL SELECT 'artifact', artifact_id, name, deleted_at FROM artifacts
          UNION ALL SELECT 'evaluation', evaluation_id, name, deleted_at FROM evaluations)
        WHERE deleted_at IS NOT NULL ORDER BY deleted_at DESC, id""",
    )


def namesakes(con: duckdb.DuckDBPyConnection, kind: str, ids: Sequence[str]) -> list[str]:
    """Return the names of those projects or datasets in the trash that one outside it has as well."""
    if kind not in {"project", "dataset"}:
        return []
    beside = "" if kind == "project" else "AND k.project_id IS NOT DISTINCT FROM t.project_id"
    found = con.execute(
        f"""SELECT DISTINCT t.name FROM {kind}s t JOIN {kind}s k ON k.name = t.name AND k.{kind}_id <> t.{kind}_id
        {beside} WHERE k.deleted_at IS NULL AND t.deleted_at IS NOT NULL AND list_contains(?::VARCHAR[], t.{kind}_id)
        ORDER BY 1""",
        [list(ids)],
    ).fetchall()
    return [str(name) for (name,) in found]


def references(con: duckdb.DuckDBPyConnection) -> tuple[set[str], set[str]]:
    """Return the digests of blobs and the evaluation folders that something in the store refers to."""
    digests = con.execute(
        """SELECT digest FROM artifacts UNION SELECT predictions FROM evaluations
        UNION SELECT preview FROM dataset_versions WHERE preview IS NOT NULL
        UNION SELECT summary FROM dataset_versions WHERE summary IS NOT NULL
        UNION SELECT git_diff FROM runs WHERE git_diff IS NOT NULL"""
    ).fetchall()
    folders = con.execute("SELECT folder FROM evaluations").fetchall()
    return {str(d[0]) for d in digests}, {str(f[0]) for f in folders}
