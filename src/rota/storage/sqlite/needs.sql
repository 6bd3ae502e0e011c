-- name: insert_need
INSERT INTO need (job_id, needs_id, on_end, open) VALUES (:job, :needed, :on_end, :open);

-- name: ended_already
-- The verdict on a needed job, where it was given before it was asked for.
SELECT state, verdict, name FROM job WHERE id = :job AND undecided = 0 AND verdict IS NOT NULL;

-- name: close_needs
-- The needed job has its verdict: whoever waits for it is told once.
UPDATE need SET open = 0 WHERE needs_id = :job AND open = 1 RETURNING job_id, on_end;

-- name: count_down
UPDATE job SET unmet = unmet - 1 WHERE id = :job AND unmet > 0 AND undecided = 0 AND state = 'waiting'
RETURNING unmet, parts_left;

-- name: name_of
SELECT name FROM job WHERE id = :job;

-- name: on_unmet
SELECT coalesce(spec ->> '$.on_unmet', 'skip') FROM job WHERE id = :job;

-- name: terms
-- What becomes of a job that will not run; no row where it waits no more.
SELECT coalesce(spec ->> '$.on_unmet', 'skip'), parts_left, graph_id FROM job
 WHERE id = :job AND undecided = 0 AND state = 'waiting';

-- name: is_needy
-- Whether it still waits for what it needs; a person's retry does not.
SELECT 1 FROM job WHERE id = :job AND unmet > 0 AND undecided = 0 AND state = 'waiting';

-- name: skip
UPDATE job SET state = 'cancelled', undecided = 1, message = :message
 WHERE id = :job AND parts_left IS NULL AND undecided = 0 AND state IN ('waiting')
RETURNING id;

-- name: graph
-- Who goes down with it: arrays first, and with them their parts.
SELECT id, parts_left FROM job WHERE graph_id = :graph AND parent_id IS NULL AND id <> :job
   AND (state IN ('waiting', 'queued', 'assigned', 'running') OR (state = 'finished' AND undecided = 1))
 ORDER BY parts_left IS NULL, id;

-- name: known
SELECT id, environment, verdict IS NOT NULL AND undecided = 0, parts_left IS NOT NULL FROM job
 WHERE id IN (SELECT value FROM json_each(:jobs));

-- name: insert_reference
INSERT INTO job_reference (job_id, path, source_id, source_path) VALUES (:job, :path, :source, :source_path);

-- name: forget_references
-- A person's retry looks them up anew.
UPDATE job_reference SET attempt_id = NULL, size_bytes = NULL, sha256 = NULL WHERE job_id = :job;

-- name: unresolved
SELECT r.path, r.source_id, r.source_path FROM job_reference r WHERE r.job_id = :job AND r.attempt_id IS NULL;

-- name: newest_result
-- The newest try that ended with a result, whose artifacts are the job's.
SELECT id, result FROM attempt WHERE job_id = :job AND state IN ('finished', 'cancelled') ORDER BY id DESC LIMIT 1;

-- name: source_output
SELECT size_bytes, sha256 FROM output WHERE attempt_id = :attempt AND path = :path AND path <> '';

-- name: resolve
UPDATE job_reference SET attempt_id = :attempt, size_bytes = :size_bytes, sha256 = :sha256
 WHERE job_id = :job AND path = :path;

-- name: referenced
SELECT path, size_bytes, sha256 FROM job_reference WHERE job_id = :job AND attempt_id IS NOT NULL ORDER BY path;

-- name: reference
SELECT attempt_id, source_path, size_bytes, sha256 FROM job_reference
 WHERE job_id = :job AND path = :path AND attempt_id IS NOT NULL;

-- name: reference_content
SELECT content FROM output WHERE attempt_id = :attempt AND path = :path;

-- name: reference_result
SELECT result FROM attempt WHERE id = :attempt;
