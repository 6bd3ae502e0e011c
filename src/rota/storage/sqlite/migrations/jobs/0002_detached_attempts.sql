ALTER TABLE attempt ADD COLUMN keep_s REAL NOT NULL DEFAULT 0;  -- lease_policy keep: how long it may be detached
ALTER TABLE attempt ADD COLUMN detached_s REAL;                 -- for how long it has been, as last booked
DROP INDEX attempt_held;
CREATE INDEX attempt_held ON attempt (worker_id) WHERE state IN ('assigned', 'running', 'detached');
