ALTER TABLE job ADD COLUMN refusals INTEGER NOT NULL DEFAULT 0;  -- in a row, since it last was executed
ALTER TABLE job ADD COLUMN pause_s REAL;                          -- how long it waits before its next try, at most

CREATE TABLE retried (              -- jobs that were tried again by a rule, or run again by a person
  job_id       TEXT PRIMARY KEY REFERENCES job (id),
  tries_before INTEGER NOT NULL DEFAULT 0,   -- tries before a person ran it again: they do not count
  by_rule      TEXT NOT NULL DEFAULT '[]',   -- how often each rule of its retry led to another try, JSON
  moved        INTEGER NOT NULL DEFAULT 0    -- 1: it asks for something else than its spec
) STRICT, WITHOUT ROWID;
