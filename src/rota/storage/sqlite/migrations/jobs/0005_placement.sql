ALTER TABLE queue_key RENAME COLUMN requires TO demand;  -- JSON: requires, prefers, resources; equal demands are equal texts
UPDATE queue_key SET demand = '{"requires":' || demand || '}' WHERE demand <> '{}';
ALTER TABLE job ADD COLUMN passed_over_at TEXT;  -- since when there was a worker that had no room for it
ALTER TABLE job ADD COLUMN reserved_by TEXT;     -- the worker that keeps itself free for it
CREATE UNIQUE INDEX job_reserved ON job (reserved_by) WHERE reserved_by IS NOT NULL;
