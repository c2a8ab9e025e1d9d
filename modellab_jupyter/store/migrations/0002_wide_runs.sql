-- The last value of a metric is that of the highest step, and of the latest time there, whoever was taken in last.
-- Between first and last time a series is found without reading the others, since rows stand in about that order.
CREATE TABLE summary_by_step (
  run_id VARCHAR, key VARCHAR, n BIGINT, last DOUBLE, last_step BIGINT, last_time TIMESTAMP,
  lowest DOUBLE, highest DOUBLE, first_at TIMESTAMP, last_at TIMESTAMP);
INSERT INTO summary_by_step
SELECT run_id, key, count(*), last(value ORDER BY step, time), max(step), max((step, time))[2],
  min(value) FILTER (isfinite(value)), max(value) FILTER (isfinite(value)), min(time), max(time)
FROM metrics GROUP BY run_id, key;
DROP TABLE metric_summary;
ALTER TABLE summary_by_step RENAME TO metric_summary;

-- One row per run, kept at ingest, so that a list of runs reads nothing else. Lists of one kind stand side by side.
-- Metrics hold the estimate of the latest evaluation, else the last value logged; last, lowest, highest are logged ones.
CREATE TABLE run_wide (
  run_id VARCHAR, dataset_id VARCHAR, tags VARCHAR[], tag_keys VARCHAR[], tag_values VARCHAR[],
  param_keys VARCHAR[], param_texts VARCHAR[], param_numbers DOUBLE[],
  metric_keys VARCHAR[], metric_values DOUBLE[], metric_lows DOUBLE[], metric_highs DOUBLE[], metric_ns BIGINT[],
  metric_lasts DOUBLE[], metric_lowests DOUBLE[], metric_highests DOUBLE[]);
INSERT INTO run_wide
WITH latest AS (
  SELECT evaluation_id, name FROM evaluations WHERE deleted_at IS NULL
  QUALIFY row_number() OVER (PARTITION BY run_id, name ORDER BY evaluation_id DESC) = 1),
judged AS (
  SELECT e.run_id, CASE WHEN l.name = 'test' THEN e.metric ELSE l.name || '_' || e.metric END AS key,
    e.estimate, e.low, e.high, e.n
  FROM estimates e JOIN latest l USING (evaluation_id)),
merged AS (
  SELECT run_id, key, coalesce(j.estimate, s.last) AS value, j.low, j.high, CASE WHEN j.estimate IS NOT NULL OR
    s.last IS NULL THEN j.n END AS n, s.last, s.lowest, s.highest
  FROM judged j FULL JOIN metric_summary s USING (run_id, key)),
m AS (
  SELECT run_id, list(key ORDER BY key) AS k, list(value ORDER BY key) AS v, list(low ORDER BY key) AS low,
    list(high ORDER BY key) AS high, list(n ORDER BY key) AS n, list(last ORDER BY key) AS last,
    list(lowest ORDER BY key) AS lowest, list(highest ORDER BY key) AS highest
  FROM merged GROUP BY run_id),
p AS (
  SELECT run_id, list(key ORDER BY key) AS k, list(number ORDER BY key) AS v,
    list(CASE WHEN starts_with(value, '"') AND json_valid(value) THEN value ->> '$' WHEN value != 'null' THEN value END
      ORDER BY key) AS t
  FROM params GROUP BY run_id),
t AS (
  SELECT run_id, list(tag ORDER BY tag) AS k, list(value ORDER BY tag) AS v,
    list(CASE WHEN value IS NULL THEN tag ELSE tag || '=' || value END ORDER BY tag) AS shown
  FROM tags GROUP BY run_id),
d AS (SELECT run_id, arg_min(dataset_id, used_at) AS first FROM run_datasets GROUP BY run_id)
SELECT r.run_id, d.first, t.shown, t.k, t.v, p.k, p.t, p.v, m.k, m.v, m.low, m.high, m.n, m.last, m.lowest, m.highest
FROM runs r LEFT JOIN m USING (run_id) LEFT JOIN p USING (run_id) LEFT JOIN t USING (run_id) LEFT JOIN d USING (run_id);
