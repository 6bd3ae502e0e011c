CREATE TABLE need (
  job_id   TEXT NOT NULL REFERENCES job (id),
  needs_id TEXT NOT NULL REFERENCES job (id),
  on_end   TEXT NOT NULL,               -- which end meets it
  open     INTEGER NOT NULL DEFAULT 1,  -- 0: the needed job has had its verdict, and it was asked
  PRIMARY KEY (job_id, needs_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX need_open ON need (needs_id) WHERE open = 1;

CREATE TABLE job_reference (
  job_id      TEXT NOT NULL REFERENCES job (id),
  path        TEXT NOT NULL,                      -- of the input
  source_id   TEXT NOT NULL REFERENCES job (id),  -- whose artifact or result it is
  source_path TEXT,                               -- of the artifact; NULL: the result's value
  attempt_id  TEXT REFERENCES attempt (id),       -- whose bytes are given; NULL: not looked up, or not there
  size_bytes  INTEGER,
  sha256      TEXT,
  PRIMARY KEY (job_id, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE group_start (
  environment TEXT NOT NULL,
  group_name  TEXT NOT NULL,
  at_s        REAL NOT NULL,  -- when one with a rate was let in
  job_id      TEXT NOT NULL,
  PRIMARY KEY (environment, group_name, at_s, job_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE group_alarm (
  environment TEXT NOT NULL,
  group_name  TEXT NOT NULL,
  at          TEXT NOT NULL,  -- when its rate lets the next one in
  PRIMARY KEY (environment, group_name)
) STRICT, WITHOUT ROWID;
CREATE INDEX group_alarm_at ON group_alarm (at);

ALTER TABLE job ADD COLUMN parts_left INTEGER;  -- of an array: its parts without a verdict; NULL: no array
ALTER TABLE job ADD COLUMN supersedes INTEGER NOT NULL DEFAULT 0;  -- 1: cancels who is in its group when it comes
ALTER TABLE job ADD COLUMN rate_count INTEGER;  -- as many of its group may be let in
ALTER TABLE job ADD COLUMN rate_per_s REAL;     -- within so many seconds
ALTER TABLE job ADD COLUMN graph_id TEXT;       -- jobs of a submission that may have to go down together
CREATE INDEX job_part_state ON job (parent_id, state, verdict) WHERE parent_id IS NOT NULL;
CREATE INDEX job_graph ON job (graph_id) WHERE graph_id IS NOT NULL;
