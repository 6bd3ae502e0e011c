-- name: taken
-- What the worker's held attempts ask for themselves.
SELECT k.demand
  FROM attempt a INDEXED BY attempt_held
  JOIN job j ON j.id = a.job_id
  JOIN queue_key k ON k.id = j.queue_key
 WHERE a.worker_id = :worker AND a.state IN ('assigned', 'running', 'detached') AND k.demand <> '{}';

-- name: kept_for
-- Who keeps itself free for the job, and since when there was a worker that had no room for it.
SELECT reserved_by, passed_over_at FROM job WHERE id = :job;

-- name: submitter
SELECT submitted_by, tenant FROM job WHERE id = :job;

-- name: move
-- To the place of another job of its submitter, which took its turn.
UPDATE job SET rank = :rank WHERE id = :job AND state = 'queued';

-- name: pass_over
UPDATE job SET passed_over_at = :at WHERE id = :job AND passed_over_at IS NULL AND state = 'queued';

-- name: give_up_reservation
-- A worker keeps itself free for one job: the one that stands first.
UPDATE job SET reserved_by = NULL WHERE reserved_by = :worker;

-- name: reserve
UPDATE job SET reserved_by = :worker WHERE id = :job AND reserved_by IS NULL AND state = 'queued';

-- name: mine
-- The queue of the job that the worker keeps itself free for.
SELECT queue_key FROM job INDEXED BY job_reserved WHERE reserved_by = :worker AND state = 'queued';

-- name: reserved
SELECT id, reserved_by, state = 'queued' FROM job INDEXED BY job_reserved WHERE reserved_by IS NOT NULL;
