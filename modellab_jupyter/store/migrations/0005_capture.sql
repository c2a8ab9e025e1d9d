-- Code that ran inside a cell, or that is in no history; positions count in the order in which they began.
ALTER TABLE cells ADD COLUMN parent INTEGER;
ALTER TABLE cells ADD COLUMN hidden BOOLEAN;
UPDATE cells SET hidden = false;
-- What a session drew and read, by the position of the cell that was running. States are JSON.
CREATE TABLE random_states (
  session_id VARCHAR, position INTEGER, moment VARCHAR, python VARCHAR, numpy VARCHAR, seen_at TIMESTAMP);
CREATE TABLE draws (session_id VARCHAR, position INTEGER, source VARCHAR, number BIGINT, value VARCHAR);
-- `modified` in nanoseconds since 1970; `made`: it came or changed after the session had begun.
CREATE TABLE files_read (
  session_id VARCHAR, position INTEGER, path VARCHAR, digest VARCHAR, size BIGINT, modified BIGINT, found_by VARCHAR,
  made BOOLEAN);
-- Where relative paths begin, the digest of the installed distributions in `environments`, the blob of uncommitted
-- changes, and JSON: the checkout, editable packages, hardware.
ALTER TABLE runs ADD COLUMN folder VARCHAR;
ALTER TABLE runs ADD COLUMN distributions VARCHAR;
ALTER TABLE runs ADD COLUMN git_diff VARCHAR;
ALTER TABLE runs ADD COLUMN surroundings VARCHAR;
