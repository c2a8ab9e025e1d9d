-- No keys, sequences or indexes: ids are made by the writer, and a lakehouse has none of these.
-- Times are UTC.
CREATE TABLE segments (segment VARCHAR, taken BIGINT, taken_at TIMESTAMP);
CREATE TABLE unreadable (segment VARCHAR, position BIGINT, line BLOB, reason VARCHAR, found_at TIMESTAMP);

CREATE TABLE projects (
  project_id VARCHAR, name VARCHAR, description VARCHAR,
  created_at TIMESTAMP, updated_at TIMESTAMP, deleted_at TIMESTAMP);
-- Ids that two writers proposed for one name: `proposed` stands for `id` wherever it turns up later.
CREATE TABLE aliases (proposed VARCHAR, id VARCHAR);

CREATE TABLE datasets (
  dataset_id VARCHAR, project_id VARCHAR, name VARCHAR, description VARCHAR,
  created_at TIMESTAMP, updated_at TIMESTAMP, deleted_at TIMESTAMP);
CREATE TABLE dataset_versions (
  dataset_id VARCHAR, version INTEGER, digest VARCHAR, source VARCHAR, path VARCHAR,
  "rows" BIGINT, columns INTEGER, size BIGINT, fields VARCHAR, preview VARCHAR, created_at TIMESTAMP);
CREATE TABLE run_datasets (run_id VARCHAR, dataset_id VARCHAR, digest VARCHAR, split VARCHAR, used_at TIMESTAMP);

CREATE TABLE environments (digest VARCHAR, content VARCHAR, captured_at TIMESTAMP);
CREATE TABLE runs (
  run_id VARCHAR, project_id VARCHAR, name VARCHAR, status VARCHAR, baseline BOOLEAN, note VARCHAR,
  seed BIGINT, seeded VARCHAR, started_at TIMESTAMP, ended_at TIMESTAMP, duration DOUBLE, heartbeat_at TIMESTAMP,
  host VARCHAR, pid BIGINT, process_started DOUBLE, error VARCHAR, lost BIGINT,
  notebook VARCHAR, script VARCHAR,
  environment VARCHAR, git_commit VARCHAR, git_dirty BOOLEAN, updated_at TIMESTAMP, deleted_at TIMESTAMP);
-- A run lives in the kernel that started it and in those that resumed it; its cells are theirs, from first to last.
CREATE TABLE run_sessions (
  run_id VARCHAR, session_id VARCHAR, first_cell INTEGER, last_cell INTEGER, started_at TIMESTAMP);
CREATE TABLE params (run_id VARCHAR, key VARCHAR, value VARCHAR, number DOUBLE, logged_at TIMESTAMP);
CREATE TABLE tags (run_id VARCHAR, tag VARCHAR, value VARCHAR, logged_at TIMESTAMP);
CREATE TABLE metrics (run_id VARCHAR, key VARCHAR, step BIGINT, value DOUBLE, time TIMESTAMP);
-- One row per run and metric, kept at ingest, so that lists never scan metrics. Lowest and highest are of finite values.
CREATE TABLE metric_summary (
  run_id VARCHAR, key VARCHAR, n BIGINT, last DOUBLE, last_step BIGINT, last_time TIMESTAMP,
  lowest DOUBLE, highest DOUBLE);
CREATE TABLE latencies (run_id VARCHAR, name VARCHAR, seconds DOUBLE, warmup BOOLEAN, time TIMESTAMP);
CREATE TABLE artifacts (
  artifact_id VARCHAR, run_id VARCHAR, name VARCHAR, kind VARCHAR, digest VARCHAR, size BIGINT, media_type VARCHAR,
  created_at TIMESTAMP, deleted_at TIMESTAMP);
CREATE TABLE evaluations (
  evaluation_id VARCHAR, run_id VARCHAR, name VARCHAR, task_type VARCHAR, n BIGINT,
  labels_digest VARCHAR, rows_digest VARCHAR, predictions VARCHAR, folder VARCHAR, takeaway VARCHAR, settings VARCHAR,
  created_at TIMESTAMP, deleted_at TIMESTAMP);
CREATE TABLE estimates (
  evaluation_id VARCHAR, run_id VARCHAR, metric VARCHAR, estimate DOUBLE, low DOUBLE, high DOUBLE,
  confidence_level DOUBLE, method VARCHAR, n BIGINT, reason VARCHAR);
CREATE TABLE cells (
  session_id VARCHAR, position INTEGER, cell_id VARCHAR, execution_count INTEGER, source VARCHAR,
  outcome VARCHAR, error VARCHAR, duration DOUBLE, executed_at TIMESTAMP);
