-- What happened, in order. Rows are contiguous: only the oldest are ever deleted, and never the newest.
CREATE TABLE event (
  seq         INTEGER PRIMARY KEY,
  at          TEXT NOT NULL,
  type        TEXT NOT NULL,   -- such as dev.rota.job.finished
  environment TEXT NOT NULL,
  subject     TEXT NOT NULL,   -- a job's id; of other things their name
  state       TEXT,            -- the job's, right after
  attempt_id  TEXT,
  verdict     TEXT,
  message     TEXT,
  has_result  INTEGER NOT NULL DEFAULT 0,  -- 1: the attempt's result is the event's
  data        TEXT             -- what is not about a job: its facts, as JSON
) STRICT;

-- Whose numbers they are: a restored database begins to count as another log, so that no id is given twice.
CREATE TABLE event_log (
  from_seq INTEGER PRIMARY KEY,
  id       TEXT NOT NULL
) STRICT;
INSERT INTO event_log VALUES (1, lower(hex(randomblob(4))));

CREATE TABLE webhook (
  id            TEXT PRIMARY KEY,
  environment   TEXT,            -- NULL: all of them
  url           TEXT NOT NULL,
  events        TEXT NOT NULL,   -- patterns, a JSON array
  secret        TEXT NOT NULL,   -- as it is: what is sent is signed with it
  description   TEXT NOT NULL,
  created_at    TEXT NOT NULL,
  created_by    TEXT NOT NULL,
  after_seq     INTEGER NOT NULL,  -- it is told of later events only
  disabled_at   TEXT,
  message       TEXT,            -- why it is disabled
  failures      INTEGER NOT NULL DEFAULT 0,  -- tries that failed since the last one that did not
  failing_since TEXT,
  paused_until  TEXT
) STRICT;

-- Up to which event deliveries were made.
CREATE TABLE routed (seq INTEGER NOT NULL) STRICT;
INSERT INTO routed VALUES (0);

CREATE TABLE delivery (
  number         INTEGER PRIMARY KEY,  -- the order in which they are due
  id             TEXT NOT NULL UNIQUE,
  webhook_id     TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
  event_id       TEXT NOT NULL,
  type           TEXT NOT NULL,
  subject        TEXT NOT NULL,
  body           TEXT NOT NULL,        -- the CloudEvent as it is sent, every time the same
  state          TEXT NOT NULL,        -- waiting, delivered, dead
  tries          INTEGER NOT NULL DEFAULT 0,
  created_at     TEXT NOT NULL,
  first_tried_at TEXT,
  next_at        TEXT,
  ended_at       TEXT,
  status         INTEGER,              -- the last try's HTTP status; NULL: there was no answer
  message        TEXT,
  duration_s     REAL
) STRICT;
CREATE INDEX delivery_due ON delivery (webhook_id, next_at, number) WHERE state = 'waiting';
CREATE INDEX delivery_order ON delivery (webhook_id, subject, number) WHERE state = 'waiting';
CREATE INDEX delivery_webhook ON delivery (webhook_id, number);
CREATE INDEX delivery_dead ON delivery (webhook_id) WHERE state = 'dead';
CREATE INDEX delivery_ended ON delivery (state, ended_at) WHERE ended_at IS NOT NULL;
