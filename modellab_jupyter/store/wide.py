"""The wide table of runs: one row each, kept at ingest with what a list shows, so that lists read nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from modellab_jupyter.schema import greater_is_better

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import pyarrow as pa

_KEYED = ("param_keys", "param_texts", "param_numbers", "metric_keys")
# What a list shows of metrics, and the lists that it reads for it.
SUMMARIES = {
    "last": ("metric_values", "metric_lows", "metric_highs", "metric_ns"),
    "min": ("metric_lasts", "metric_lowests"),
    "max": ("metric_lasts", "metric_highests"),
    "best": ("metric_lasts", "metric_lowests", "metric_highests"),
}

# What a run scored: of each name of evaluation the latest, else what was logged last. Evaluations named "test" have the
# metric's own name, others stand under "NAME_metric", so that a score on training rows is never taken for a test's.
_ROWS = """
WITH latest AS (
  SELECT evaluation_id, name FROM evaluations WHERE deleted_at IS NULL AND {only}
  QUALIFY row_number() OVER (PARTITION BY run_id, name ORDER BY evaluation_id DESC) = 1),
judged AS (
  SELECT e.run_id, CASE WHEN l.name = 'test' THEN e.metric ELSE l.name || '_' || e.metric END AS key,
    e.estimate, e.low, e.high, e.n
  FROM estimates e JOIN latest l USING (evaluation_id)),
logged AS (SELECT run_id, key, last, lowest, highest FROM metric_summary WHERE {only}),
merged AS (
  SELECT run_id, key, coalesce(j.estimate, s.last) AS value, j.low, j.high,
    CASE WHEN j.estimate IS NOT NULL OR s.last IS NULL THEN j.n END AS n, s.last, s.lowest, s.highest
  FROM judged j FULL JOIN logged s USING (run_id, key)),
m AS (
  SELECT run_id, list(key ORDER BY key) AS k, list(value ORDER BY key) AS v, list(low ORDER BY key) AS low,
    list(high ORDER BY key) AS high, list(n ORDER BY key) AS n, list(last ORDER BY key) AS last,
    list(lowest ORDER BY key) AS lowest, list(highest ORDER BY key) AS highest
  FROM merged GROUP BY run_id),
p AS (
  SELECT run_id, list(key ORDER BY key) AS k, list(number ORDER BY key) AS v,
    list(CASE WHEN starts_with(value, '"') AND json_valid(value) THEN value ->> '$' WHEN value != 'null' THEN value END
      ORDER BY key) AS t
  FROM params WHERE {only} GROUP BY run_id),
t AS (
  SELECT run_id, list(tag ORDER BY tag) AS k, list(value ORDER BY tag) AS v,
    list(CASE WHEN value IS NULL THEN tag ELSE tag || '=' || value END ORDER BY tag) AS shown
  FROM tags WHERE {only} GROUP BY run_id),
d AS (SELECT run_id, arg_min(dataset_id, used_at) AS first FROM run_datasets WHERE {only} GROUP BY run_id)
SELECT r.run_id, d.first, t.shown, t.k, t.v, p.k, p.t, p.v, m.k, m.v, m.low, m.high, m.n, m.last, m.lowest, m.highest
FROM (SELECT run_id FROM runs WHERE {only}) r
LEFT JOIN m USING (run_id) LEFT JOIN p USING (run_id) LEFT JOIN t USING (run_id) LEFT JOIN d USING (run_id)
"""


def refresh(con: duckdb.DuckDBPyConnection, runs: pa.Table | None) -> None:
    """Make the rows of some runs anew, or of all; inside the caller's transaction.

    Parameters
    ----------
    runs : table or None
        Its column ``run`` has the ids.
    """
    only = "run_id IN (SELECT run FROM fresh)" if runs is not None else "true"
    if runs is not None:
        con.register("fresh", runs)
    try:
        con.execute(f"DELETE FROM run_wide WHERE {only}")
        con.execute("INSERT INTO run_wide " + _ROWS.format(only=only))
    finally:
        if runs is not None:
            con.unregister("fresh")


def arrow(con: duckdb.DuckDBPyConnection, sql: str, params: Any = None) -> pa.Table:
    """Return the rows of a query as Arrow, lists in them as fast as each DuckDB can.

    DuckDB 1 takes ten times as long for lists of a relation; DuckDB 2 copies the rows of a result once more.
    """
    import duckdb
    import pyarrow as pa

    if duckdb.__version__.startswith("1."):
        return con.execute(sql, params).to_arrow_table()
    relation = con.sql(sql, params=params)
    return pa.table({}) if relation is None else relation.to_arrow_table()


def beside(con: duckdb.DuckDBPyConnection, runs: pa.Table, *, scattered: bool, summary: str) -> pa.Table:
    """Return runs in their order with what was kept of each beside them, one column for each param and metric.

    Two queries and a lookup cost half of one query with a join, whose planning is most of what twenty rows cost.

    Parameters
    ----------
    scattered : bool
        Whether many others may lie between them; else what lies from the oldest on is read.
    summary : str
        Of `SUMMARIES`.
    """
    import pyarrow.compute as pc

    ids = runs.column("run_id")
    params: dict[str, Any] = {"oldest": pc.min(ids).as_py()}
    chosen = "w.run_id >= $oldest"
    if scattered:
        chosen += " AND w.run_id IN (SELECT unnest($ids))"
        params["ids"] = ids.to_pylist()
    lists = ", ".join(f"w.{name}" for name in (*_KEYED, *SUMMARIES[summary]))
    kept = arrow(
        con,
        f"""SELECT w.run_id, w.tags, d.name AS dataset, {lists}
        FROM run_wide w LEFT JOIN datasets d ON d.dataset_id = w.dataset_id WHERE {chosen}""",
        params,
    )
    places = pc.index_in(ids, value_set=kept.column("run_id"))
    for name, column in zip(kept.column_names[1:], kept.columns[1:], strict=True):
        runs = runs.append_column(name, column.take(places))
    return _columns(runs, summary)


def _columns(table: pa.Table, summary: str) -> pa.Table:
    """Return a table of runs whose lists became one column for each param and metric.

    Metrics that have an interval get ``.low``, ``.high`` and ``.n`` beside them, marked as parts by their metadata.
    """
    names = (*_KEYED, *SUMMARIES[summary])
    head = table.drop_columns(list(names))
    lists = {name: table.column(name).combine_chunks() for name in names}
    count = table.num_rows
    for key, rows, where in _keyed(lists["param_keys"]):
        numbers = lists["param_numbers"].flatten().take(where)
        if numbers.null_count:
            head = head.append_column(f"params.{key}", _texts(lists["param_texts"].flatten().take(where), rows, count))
        else:
            head = head.append_column(f"params.{key}", _numbers(numbers, rows, count))
    flat = {name: lists[name].flatten() for name in SUMMARIES[summary]}
    found: list[tuple[str, pa.Array]] = []
    parts: dict[str, pa.Array] = {}
    for key, rows, where in _keyed(lists["metric_keys"]):
        if summary != "last" and flat["metric_lasts"].take(where).null_count == len(where):
            continue  # it was judged and never logged
        column = f"metrics.{key}"
        found.append((column, _numbers(flat[_shown(key, summary)].take(where), rows, count)))
        for part in ("low", "high", "n") if summary == "last" else ():
            values = flat[f"metric_{part}s"].take(where)
            if (part == "high" and f"{column}.low" in parts) or values.null_count < len(values):
                parts[f"{column}.{part}"] = _numbers(values, rows, count)
    for column, values in found:
        name = column if column not in parts else f"{column} (logged)"
        head = head.append_column(_part(name, values, ""), values)
        for part in ("low", "high", "n"):
            if f"{column}.{part}" in parts:
                beside = parts[f"{column}.{part}"]
                head = head.append_column(_part(f"{column}.{part}", beside, part), beside)
    return head


def _shown(metric: str, summary: str) -> str:
    """Return the list that has what is shown of a metric."""
    if summary == "best":
        summary = {True: "max", False: "min", None: "logged"}[greater_is_better(metric)]
    return {"last": "metric_values", "logged": "metric_lasts", "min": "metric_lowests", "max": "metric_highests"}[
        summary
    ]


def keys(con: duckdb.DuckDBPyConnection, kind: str) -> list[str]:
    """Return the names of the params, metrics or tags that any run has, in their order."""
    column = {"params": "param_keys", "metrics": "metric_keys", "tags": "tag_keys"}[kind]
    found = con.execute(f"SELECT DISTINCT unnest({column}) AS key FROM run_wide ORDER BY key").fetchall()
    return [str(row[0]) for row in found]


def _keyed(lists: Any) -> Iterable[tuple[str, np.ndarray[Any, Any], pa.Array]]:
    """Yield each key, in order, with the rows that have it and its places among the flat values."""
    import numpy as np
    import pyarrow as pa

    coded = lists.flatten().dictionary_encode()
    names = coded.dictionary.to_pylist()
    codes = coded.indices.to_numpy(zero_copy_only=False)
    lengths = np.asarray(lists.value_lengths().fill_null(0))
    rows = np.repeat(np.arange(len(lists)), lengths)
    kind = np.int16 if len(names) < 2**15 else np.int32  # NumPy sorts short integers by their digits
    order = np.argsort(codes.astype(kind), kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(names)))])
    parts = {name: order[a:b] for name, (a, b) in zip(names, itertools.pairwise(ends), strict=True)}
    for name in sorted(parts):
        yield name, rows[parts[name]], pa.array(parts[name])


def _part(name: str, array: pa.Array, kind: str) -> pa.Field:
    """Return a field that says what it is of the metric before it: its low, its high, its n; or a metric, if empty."""
    import pyarrow as pa

    return pa.field(name, array.type, metadata={b"modellab.part": kind.encode()})


def _numbers(values: pa.Array, rows: np.ndarray[Any, Any], count: int) -> pa.Array:
    """Put numbers at their rows of a column, missing elsewhere."""
    import numpy as np
    import pyarrow as pa

    there = (
        np.ones(len(values), dtype=bool) if not values.null_count else values.is_valid().to_numpy(zero_copy_only=False)
    )
    found = values.fill_null(0).to_numpy(zero_copy_only=False)
    column = np.zeros(count, dtype=found.dtype)
    missing = np.ones(count, dtype=bool)
    column[rows[there]] = found[there]
    missing[rows[there]] = False
    return pa.array(column, mask=missing)


def _texts(values: pa.Array, rows: np.ndarray[Any, Any], count: int) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    place = np.full(count, -1, dtype=np.int64)
    place[rows] = np.arange(len(rows))
    return values.take(pa.array(place, mask=place < 0)).cast(pa.string())
