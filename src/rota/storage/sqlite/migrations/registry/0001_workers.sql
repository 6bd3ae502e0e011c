CREATE TABLE worker (
  id               TEXT PRIMARY KEY,
  environment      TEXT NOT NULL,
  name             TEXT NOT NULL,
  labels           TEXT NOT NULL,
  executors        TEXT NOT NULL,
  slots            INTEGER NOT NULL,
  version          TEXT NOT NULL,
  heartbeat_s      REAL NOT NULL,
  enrolled_at      TEXT NOT NULL,
  status           TEXT NOT NULL,
  attempts         TEXT NOT NULL,
  free_slots       INTEGER NOT NULL,
  incarnation      TEXT,
  last_seen_at     TEXT,
  drain_requested  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX worker_environment ON worker (environment, name);

CREATE TABLE acknowledgement (
  attempt_id          TEXT NOT NULL,
  worker_id           TEXT NOT NULL,
  working_at          TEXT NOT NULL,
  ready_at            TEXT,
  PRIMARY KEY (attempt_id, worker_id)
) STRICT, WITHOUT ROWID;
