-- What job.expires_at is compared with: shows the server's wall clock at the first start, and time alone moves it on.
CREATE TABLE queue_clock (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  at TEXT NOT NULL                -- as last noted; a start of the server counts on from here
) STRICT;
