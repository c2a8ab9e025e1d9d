-- What was done with the packs of a run: made, verified, reproduced; `verdict` is JSON.
CREATE TABLE packs (
  run_id VARCHAR, pack_id VARCHAR, act VARCHAR, path VARCHAR, size BIGINT, conclusion VARCHAR, verdict VARCHAR,
  host VARCHAR, acted_at TIMESTAMP);
