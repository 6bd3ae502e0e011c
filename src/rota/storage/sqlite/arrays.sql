-- name: part_decided
UPDATE job SET parts_left = parts_left - 1 WHERE id = :parent AND parts_left > 0
RETURNING parts_left, spec ->> '$.fail_fast', cancel_requested;

-- name: part_counts
SELECT state, verdict, count(*) FROM job INDEXED BY job_part_state WHERE parent_id = :parent GROUP BY state, verdict;

-- name: close
-- Its last part has a verdict: the array has its own.
UPDATE job SET state = 'finished', verdict = :verdict, decided_at = :at, message = coalesce(message, :message)
 WHERE id = :parent AND parts_left = 0 AND cancel_requested = 0 AND state IN ('waiting')
RETURNING id;

-- name: close_cancelled
UPDATE job SET state = 'cancelled', verdict = :verdict, decided_at = :at, message = coalesce(message, :message)
 WHERE id = :parent AND parts_left = 0 AND cancel_requested = 1 AND state IN ('waiting')
RETURNING id;

-- name: open_parts
-- What the array needed is there: its parts no longer wait for it.
UPDATE job SET unmet = 0 WHERE parent_id = :parent AND unmet > 0 AND state = 'waiting' RETURNING id;

-- name: to_be_cancelled
UPDATE job SET cancel_requested = 1, message = coalesce(:message, message)
 WHERE id = :parent AND parts_left > 0 AND state = 'waiting'
RETURNING id;

-- name: cancel_parts
-- Those that nobody holds end here.
UPDATE job SET state = 'cancelled', cancel_requested = 1, undecided = 1, message = coalesce(:message, message)
 WHERE parent_id = :parent AND state IN ('waiting', 'queued')
RETURNING id;

-- name: held_parts
-- Or whose results came first, and the scheduler may want another try.
SELECT id FROM job INDEXED BY job_part_state
 WHERE parent_id = :parent AND cancel_requested = 0
   AND (state IN ('assigned', 'running') OR (state = 'finished' AND verdict IS NULL AND undecided = 1));

-- name: ended_parts
SELECT id, undecided FROM job INDEXED BY job_part_state
 WHERE parent_id = :parent AND state IN ('finished', 'cancelled', 'expired', 'lost') AND (:failed = 0 OR verdict = 'failed')
 ORDER BY id;

-- name: reopen
-- Parts of it are run again: it ends with the last of them.
UPDATE job SET state = 'waiting', verdict = NULL, decided_at = NULL, message = NULL, cancel_requested = 0,
       unmet = iif(state = 'waiting', unmet, 0), parts_left = parts_left + :parts
 WHERE id = :parent AND parts_left IS NOT NULL AND undecided = 0 AND state IN ('waiting', 'finished', 'cancelled')
RETURNING id;

-- name: parent_of
SELECT parent_id, undecided FROM job WHERE id = :job;

-- name: children
SELECT id FROM job INDEXED BY job_part WHERE parent_id = :parent ORDER BY id;

-- name: parts_held
-- Whether a part may still be executed by a worker that is not heard of.
SELECT 1 FROM job p INDEXED BY job_part_state JOIN attempt a INDEXED BY attempt_job ON a.job_id = p.id
 WHERE p.parent_id = :parent AND p.state IN ('finished', 'cancelled', 'expired', 'lost')
   AND a.state IN ('running', 'detached') LIMIT 1;
