"""What lists of datasets and projects show beside their own rows: versions, who used them, whose runs, how good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from modellab_jupyter.store import queries

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb
    import pyarrow as pa

_LIVE = """r.deleted_at IS NULL AND EXISTS (
    SELECT 1 FROM projects q WHERE q.project_id = r.project_id AND q.deleted_at IS NULL)"""


def datasets(con: duckdb.DuckDBPyConnection, *, project_id: str | None = None) -> pa.Table:
    """Return datasets with their current version, the most recent first; of a project: its own and those it used.

    Columns are ``dataset_id, name, project, versions, version, source, rows, columns, size, runs, last_used,
    registered_at, description`` and ``summary``, the digest of what is kept of the current version's columns.
    """
    where, params = "d.deleted_at IS NULL", []
    if project_id is not None:
        where += """ AND (d.project_id = ? OR d.dataset_id IN (
            SELECT u.dataset_id FROM run_datasets u JOIN runs r USING (run_id)
            WHERE r.project_id = ? AND r.deleted_at IS NULL))"""
        params = [project_id, project_id]
    return queries.table(
        con,
        f"""WITH used AS (
          SELECT u.dataset_id, count(DISTINCT u.run_id) AS runs, max(u.used_at) AS last_used
          FROM run_datasets u JOIN runs r USING (run_id) WHERE {_LIVE} GROUP BY u.dataset_id),
        counted AS (SELECT dataset_id, count(*) AS versions FROM dataset_versions GROUP BY dataset_id)
        SELECT d.dataset_id, d.name, p.name AS project, c.versions, v.version, v.source, v."rows", v.columns, v.size,
          coalesce(w.runs, 0) AS runs, w.last_used, v.registered_at, d.description, v.summary
        FROM datasets d JOIN dataset_versions v USING (dataset_id) JOIN counted c ON c.dataset_id = d.dataset_id
        LEFT JOIN used w ON w.dataset_id = d.dataset_id LEFT JOIN projects p ON p.project_id = d.project_id
        WHERE {where}
        QUALIFY row_number() OVER (PARTITION BY d.dataset_id ORDER BY v.registered_at DESC, v.version DESC) = 1
        ORDER BY greatest(d.updated_at, v.registered_at, w.last_used) DESC, d.dataset_id""",
        params or None,
    )


def lineage(con: duckdb.DuckDBPyConnection, dataset_id: str) -> list[dict[str, Any]]:
    """Return which runs used which version of a dataset, as what, and in which project; the latest first."""
    return queries.rows(
        con,
        f"""SELECT u.run_id, v.version, p.name AS project, max(u.used_at) AS used_at,
          string_agg(DISTINCT u.split, ', ' ORDER BY u.split) FILTER (u.split <> '') AS split
        FROM run_datasets u JOIN dataset_versions v ON v.dataset_id = u.dataset_id AND v.digest = u.digest
        JOIN runs r ON r.run_id = u.run_id JOIN projects p ON p.project_id = r.project_id
        WHERE u.dataset_id = ? AND {_LIVE} GROUP BY u.run_id, v.version, p.name
        ORDER BY used_at DESC, u.run_id DESC""",
        [dataset_id],
    )


def judged(
    con: duckdb.DuckDBPyConnection, project_id: str | None = None, run_ids: Sequence[str] | None = None
) -> pa.Table:
    """Return which rows each evaluation of each run was made on, and under no name which data the run used.

    Columns are ``run_id``, ``name`` and ``rows``, which is equal for equal rows.
    """
    chosen, params = _LIVE, dict[str, Any]()
    if project_id is not None:
        chosen, params["project"] = f"{chosen} AND r.project_id = $project", project_id
    if run_ids is not None:
        chosen, params["ids"] = f"{chosen} AND list_contains($ids::VARCHAR[], r.run_id)", list(run_ids)
    return queries.table(
        con,
        f"""WITH chosen AS (SELECT r.run_id FROM runs r WHERE {chosen}),
        latest AS (
          SELECT v.run_id, v.name, v.labels_digest AS "rows" FROM evaluations v JOIN chosen USING (run_id)
          WHERE v.deleted_at IS NULL
          QUALIFY row_number() OVER (PARTITION BY v.run_id, v.name ORDER BY v.evaluation_id DESC) = 1),
        used AS (
          SELECT DISTINCT run_id, concat_ws(' ', dataset_id, split, digest) AS one FROM run_datasets
          JOIN chosen USING (run_id))
        SELECT run_id, name, "rows" FROM latest
        UNION ALL SELECT run_id, NULL, string_agg(one, ' ' ORDER BY one) FROM used GROUP BY run_id""",
        params,
    )


def owners(con: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return the project of each run: ``run_id`` and ``project_id``."""
    return queries.table(con, f"SELECT r.run_id, r.project_id FROM runs r WHERE {_LIVE}")


def scores(con: duckdb.DuckDBPyConnection) -> dict[str, list[dict[str, Any]]]:
    """Return `queries.headlines` of every project, by its id."""
    found: dict[str, list[dict[str, Any]]] = {}
    scored = queries.rows(
        con,
        """WITH latest AS (
          SELECT v.*, r.project_id FROM evaluations v JOIN runs r USING (run_id)
          WHERE v.name = 'test' AND v.deleted_at IS NULL AND r.deleted_at IS NULL
          QUALIFY row_number() OVER (PARTITION BY v.run_id ORDER BY v.evaluation_id DESC) = 1)
        SELECT l.project_id, l.run_id, l.labels_digest, l.evaluation_id, e.metric, e.estimate FROM latest l
        JOIN estimates e USING (evaluation_id) WHERE e.estimate IS NOT NULL ORDER BY l.evaluation_id""",
    )
    for row in scored:
        found.setdefault(row["project_id"], []).append(row)
    return found
