ALTER TABLE job ADD COLUMN tenant TEXT NOT NULL DEFAULT '';  -- of the credential that submitted it; '': none
ALTER TABLE job ADD COLUMN weight REAL NOT NULL DEFAULT 1;  -- the tenant's, when it was submitted
ALTER TABLE job ADD COLUMN rank REAL;       -- its turn among the queued ones of its priority; NULL: not yet
ALTER TABLE job ADD COLUMN queued_at TEXT;  -- since when it has waited at that place
ALTER TABLE credential ADD COLUMN tenant TEXT;
ALTER TABLE environment ADD COLUMN shares TEXT NOT NULL DEFAULT '{}';  -- JSON: tenant → weight

CREATE TABLE turn (
  environment TEXT NOT NULL,
  priority    INTEGER NOT NULL,
  served      REAL NOT NULL,       -- the highest rank that was claimed
  PRIMARY KEY (environment, priority)
) STRICT, WITHOUT ROWID;

CREATE TABLE submitter (
  environment  TEXT NOT NULL,
  priority     INTEGER NOT NULL,
  tenant       TEXT NOT NULL,
  submitted_by TEXT NOT NULL,
  next_rank    REAL NOT NULL,      -- of its next job, at the least
  PRIMARY KEY (environment, priority, tenant, submitted_by)
) STRICT, WITHOUT ROWID;
CREATE INDEX submitter_next ON submitter (environment, priority, next_rank);

-- What is there takes turns as if it had been submitted now, in its old order.
UPDATE job SET rank = line.place, queued_at = submitted_at
  FROM (SELECT id AS job_id, row_number() OVER (PARTITION BY environment, priority, submitted_by ORDER BY id) - 1.0 AS place
          FROM job WHERE state IN ('waiting', 'queued', 'assigned', 'running')) AS line
 WHERE job.id = line.job_id;
INSERT INTO submitter (environment, priority, tenant, submitted_by, next_rank)
SELECT environment, priority, '', submitted_by, max(rank) + 1 FROM job WHERE rank IS NOT NULL GROUP BY 1, 2, 4;

DROP INDEX job_queue;
CREATE INDEX job_queue ON job (queue_key, priority DESC, rank, id, queued_at) WHERE state = 'queued';
