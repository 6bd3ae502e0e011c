CREATE TABLE schedule (
  environment  TEXT NOT NULL,
  name         TEXT NOT NULL,
  cron         TEXT,
  every_s      REAL,
  timezone     TEXT NOT NULL,
  spec         TEXT NOT NULL,              -- whole, with the inputs' content
  overlap      TEXT NOT NULL,
  missed       TEXT NOT NULL,
  paused       INTEGER NOT NULL DEFAULT 0,
  anchor_at    TEXT NOT NULL,              -- what every_s counts from
  next_at      TEXT,                       -- NULL: paused, or it never comes again
  revision     INTEGER NOT NULL DEFAULT 1, -- of the person's word; a firing that was made for another one is void
  created_at   TEXT NOT NULL,
  submitted_by TEXT NOT NULL,              -- who changed it last; its jobs are submitted by that credential
  tenant       TEXT NOT NULL,              -- of that credential; '': it takes turns for itself
  fired        INTEGER NOT NULL DEFAULT 0,
  skipped      INTEGER NOT NULL DEFAULT 0,
  given_up     INTEGER NOT NULL DEFAULT 0, -- missed runs that were not made up
  last_job_id  TEXT REFERENCES job (id) ON DELETE SET NULL,
  message      TEXT,                       -- what went wrong with the latest run
  PRIMARY KEY (environment, name)
) STRICT;
CREATE INDEX schedule_due ON schedule (next_at) WHERE next_at IS NOT NULL;
CREATE INDEX schedule_name ON schedule (name);
ALTER TABLE job ADD COLUMN schedule TEXT;    -- the schedule of its environment that it is a run of
ALTER TABLE job ADD COLUMN due_at TEXT;      -- the time that the run was due at; NULL: a person ran it
ALTER TABLE job ADD COLUMN deadline_at TEXT; -- when it is ended, whatever it does
CREATE INDEX job_schedule ON job (schedule, id) WHERE schedule IS NOT NULL;
CREATE INDEX job_schedule_open ON job (environment, schedule, id) WHERE schedule IS NOT NULL AND verdict IS NULL;
CREATE INDEX job_deadline ON job (deadline_at)
  WHERE deadline_at IS NOT NULL AND cancel_requested = 0 AND state IN ('waiting', 'queued', 'assigned', 'running');
