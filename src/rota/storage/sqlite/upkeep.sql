-- name: blobs
-- What the blob store must have, in the order of the primary key.
SELECT attempt_id, path, size_bytes, sha256 FROM output
 WHERE content IS NULL AND (attempt_id, path) > (:attempt, :path)
 ORDER BY attempt_id, path LIMIT :limit;

-- name: attempt_state
SELECT state FROM attempt WHERE id = :attempt;

-- name: blob_paths
SELECT path FROM output WHERE attempt_id = :attempt AND content IS NULL;

-- name: without_holder
SELECT id FROM job INDEXED BY job_state
 WHERE state IN ('assigned', 'running')
   AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.id = job.attempt_id AND a.job_id = job.id
                      AND a.state IN ('assigned', 'running', 'detached'))
 LIMIT :limit;

-- name: put_back
-- As `lose`, for a job whose attempt is not there to be lost. No move leads here: another program wrote to the file.
UPDATE job SET state = 'waiting', undecided = 1
 WHERE id = :job AND state IN ('assigned', 'running')
   AND NOT EXISTS (SELECT 1 FROM attempt a WHERE a.id = job.attempt_id AND a.job_id = job.id
                      AND a.state IN ('assigned', 'running', 'detached'))
RETURNING id;

-- name: undecided_ids
SELECT id FROM job INDEXED BY job_undecided WHERE undecided = 1 ORDER BY id LIMIT :limit;

-- name: newest_at
-- Ids are in the order of their making, so that the last one is the newest, whatever the clock said later.
SELECT max(submitted_at) FROM (SELECT submitted_at FROM job ORDER BY id DESC LIMIT 1)
UNION ALL
SELECT max(assigned_at) FROM (SELECT assigned_at FROM attempt ORDER BY id DESC LIMIT 1);
