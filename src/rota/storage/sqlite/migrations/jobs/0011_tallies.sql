CREATE TABLE tally (            -- what was decided in one minute of one environment
  environment TEXT NOT NULL,
  minute      TEXT NOT NULL,    -- 2026-11-23T12:00
  succeeded   INTEGER NOT NULL,
  failed      INTEGER NOT NULL,
  cancelled   INTEGER NOT NULL,
  waited_s    REAL NOT NULL,    -- of all of them together, from submission to the last try
  ran_s       REAL NOT NULL,
  PRIMARY KEY (minute, environment)
) STRICT, WITHOUT ROWID;
CREATE TABLE depth (            -- what was open at one minute, as it was sampled
  environment TEXT NOT NULL,
  minute      TEXT NOT NULL,
  queued      INTEGER NOT NULL,
  running     INTEGER NOT NULL,
  PRIMARY KEY (minute, environment)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_failed ON job (decided_at) WHERE verdict = 'failed';
