-- When a content was registered last, which makes it current, and the digest of its summary.
ALTER TABLE dataset_versions ADD COLUMN registered_at TIMESTAMP;
ALTER TABLE dataset_versions ADD COLUMN summary VARCHAR;
UPDATE dataset_versions SET registered_at = created_at;
