CREATE TABLE environment (
  name        TEXT PRIMARY KEY,
  worker_auth TEXT NOT NULL,
  labels      TEXT NOT NULL,
  heartbeat_s REAL NOT NULL,
  lease_s     REAL NOT NULL,
  description TEXT NOT NULL,
  created_at  TEXT NOT NULL,
  retired_at  TEXT
) STRICT;

CREATE TABLE credential (
  id           TEXT PRIMARY KEY,
  kind         TEXT NOT NULL,
  environment  TEXT,
  secret_hash  TEXT NOT NULL,
  note         TEXT NOT NULL,
  worker       TEXT,           -- WorkerFacts as JSON, for a worker's credential
  uses_left    INTEGER,
  created_at   TEXT NOT NULL,
  expires_at   TEXT,
  revoked_at   TEXT
) STRICT;
CREATE INDEX credential_environment ON credential (environment, id);

CREATE TABLE signing_key (
  id         TEXT PRIMARY KEY,
  private    TEXT NOT NULL,    -- JWK
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE queue_key (
  id          INTEGER PRIMARY KEY,
  environment TEXT NOT NULL,
  executor    TEXT NOT NULL,
  requires    TEXT NOT NULL,   -- JSON with sorted keys, so that equal demands are equal texts
  UNIQUE (environment, executor, requires)
) STRICT;

CREATE TABLE job (
  id               TEXT PRIMARY KEY,
  environment      TEXT NOT NULL,
  name             TEXT,
  state            TEXT NOT NULL,
  verdict          TEXT,
  spec             TEXT NOT NULL,  -- without the inputs' content
  queue_key        INTEGER NOT NULL REFERENCES queue_key (id),
  priority         INTEGER NOT NULL,
  submitted_at     TEXT NOT NULL,
  submitted_by     TEXT NOT NULL,
  expires_at       TEXT,
  attempt_id       TEXT,           -- the present or last attempt
  tries            INTEGER NOT NULL DEFAULT 0,  -- attempts that count: finished, stopped or lost
  losses           INTEGER NOT NULL DEFAULT 0,  -- of these, lost since it was submitted or retried by a person
  lapses           INTEGER NOT NULL DEFAULT 0,  -- offers that nobody acknowledged, likewise
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  undecided        INTEGER NOT NULL DEFAULT 0,  -- 1: waits for the scheduler's word
  decided_at       TEXT,
  message          TEXT,
  result           TEXT
) STRICT;
CREATE INDEX job_queue ON job (queue_key, priority DESC, id) WHERE state = 'queued';
CREATE INDEX job_expiry ON job (expires_at) WHERE state = 'queued' AND expires_at IS NOT NULL;
CREATE INDEX job_undecided ON job (id) WHERE undecided = 1;
CREATE INDEX job_state ON job (state, id);
CREATE INDEX job_environment ON job (environment, id);
CREATE INDEX job_name ON job (name, id) WHERE name IS NOT NULL;

CREATE TABLE job_tag (
  tag    TEXT NOT NULL,            -- key:value
  job_id TEXT NOT NULL REFERENCES job (id),
  PRIMARY KEY (tag, job_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE job_input (
  job_id     TEXT NOT NULL REFERENCES job (id),
  path       TEXT NOT NULL,
  size_bytes INTEGER NOT NULL,
  sha256     TEXT NOT NULL,
  content    BLOB NOT NULL,
  PRIMARY KEY (job_id, path)
) STRICT;

CREATE TABLE submission (
  submitted_by    TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  body_sha256     TEXT NOT NULL,
  job_ids         TEXT NOT NULL,   -- JSON array
  submitted_at    TEXT NOT NULL,
  PRIMARY KEY (submitted_by, idempotency_key)
) STRICT;

CREATE TABLE attempt (
  id            TEXT PRIMARY KEY,
  job_id        TEXT NOT NULL REFERENCES job (id),
  number        INTEGER NOT NULL,
  worker_id     TEXT NOT NULL,
  incarnation   TEXT NOT NULL,
  request_id    TEXT,
  state         TEXT NOT NULL,
  asked_at      TEXT NOT NULL,
  assigned_at   TEXT NOT NULL,
  started_at    TEXT,
  finished_at   TEXT,
  finish_digest TEXT,              -- what a repeated finish is compared with
  result        TEXT,
  problems      TEXT,
  trace         TEXT NOT NULL DEFAULT ''  -- the messages that changed it, a JSON object a line
) STRICT;
CREATE INDEX attempt_job ON attempt (job_id, id);
CREATE INDEX attempt_held ON attempt (worker_id) WHERE state IN ('assigned', 'running');
CREATE INDEX attempt_request ON attempt (worker_id, request_id) WHERE request_id IS NOT NULL;

CREATE TABLE output (
  attempt_id TEXT NOT NULL REFERENCES attempt (id),
  path       TEXT NOT NULL,        -- '' is the log
  size_bytes INTEGER NOT NULL,
  sha256     TEXT NOT NULL,
  mode       INTEGER NOT NULL,
  content    BLOB,                 -- NULL: in the blob store
  PRIMARY KEY (attempt_id, path)
) STRICT;
