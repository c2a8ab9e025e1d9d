-- What was done with the packs of a run: made, verified, reproduced; `verdict` is JSON.
CREATE TABLE packs (
  run_id VARCHAR, pack_id VARCHAR, act VARCHAR, path VARCHAR, size BIGINT, conclusion VARCHAR, verdict VARCHAR,
  host VARCHAR, acted_at TIMESTAMP);
-- A run that goes on in a kernel where it lived before: since when, while its cells keep their place by `started_at`.
ALTER TABLE run_sessions ADD COLUMN resumed_at TIMESTAMP;
