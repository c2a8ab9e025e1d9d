-- How people look at a project, by name: what a state means is the widget's own affair.
CREATE TABLE saved_views (project_id VARCHAR, widget VARCHAR, name VARCHAR, state VARCHAR, updated_at TIMESTAMP);
-- How many steps a run is expected to have, for the estimate of its end.
ALTER TABLE runs ADD COLUMN total_steps BIGINT;
