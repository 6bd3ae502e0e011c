-- name: undecided
SELECT job.id, job.attempt_id, job.state, job.spec, job.result, job.tries - coalesce(retried.tries_before, 0),
       job.losses, attempt.state, attempt.worker_id, job.refusals, retried.by_rule, job.cancel_requested,
       job.deadline_at IS NOT NULL AND job.message IS 'It had not ended by its deadline.'  -- as deadlines.sql tells it
  FROM job INDEXED BY job_undecided
  LEFT JOIN retried ON retried.job_id = job.id
  LEFT JOIN attempt ON attempt.id = job.attempt_id
 WHERE job.undecided = 1 ORDER BY job.id LIMIT :limit;

-- name: refused
-- One refusal more; after so many in a row people are told.
UPDATE job SET refusals = refusals + 1,
       message = CASE WHEN refusals + 1 >= :told_from
                      THEN 'refused ' || (refusals + 1) || ' times in a row, the last time: ' || :why ELSE message END
 WHERE id = :job AND cancel_requested = 0;

-- name: has_rule
-- Whether its spec has a rule for a refusal.
SELECT 1 FROM job, json_each(job.spec, '$.retry.on') AS rule, json_each(rule.value, '$.reasons') AS reason
 WHERE job.id = :job AND reason.value = 'refused';

-- name: ask
-- It was refused, and its spec has a rule for that: the scheduler says when it is offered again, and to whom.
UPDATE job SET state = 'waiting', undecided = 1
 WHERE attempt_id = :attempt AND id = :job AND cancel_requested = 0 AND state IN ('assigned')
RETURNING id;

-- name: asked_for
SELECT job.expires_at, job.spec, job.queue_key, attempt.state, retried.by_rule, retried.moved
  FROM job LEFT JOIN retried ON retried.job_id = job.id LEFT JOIN attempt ON attempt.id = job.attempt_id
 WHERE job.id = :job;

-- name: pauses
SELECT id, pause_s FROM job INDEXED BY job_ready
 WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at > :now AND pause_s IS NOT NULL;

-- name: shorten_pause
UPDATE job SET ready_at = :ready_at WHERE id = :job AND state = 'waiting' AND ready_at > :ready_at;

-- name: expires_anew
UPDATE job SET expires_at = '' WHERE id = :job AND expires_at IS NOT NULL;

-- name: queue_key
UPDATE job SET queue_key = :key WHERE id = :job;

-- name: by_rule
INSERT INTO retried (job_id, by_rule, moved) VALUES (:job, :by_rule, :moved)
ON CONFLICT (job_id) DO UPDATE SET by_rule = excluded.by_rule, moved = max(moved, excluded.moved);

-- name: run_again
-- A person wants it: what was tried before does not count.
INSERT INTO retried (job_id, tries_before) SELECT id, tries FROM job
 WHERE id = :job AND (tries > 0 OR EXISTS (SELECT 1 FROM retried WHERE job_id = :job))
ON CONFLICT (job_id) DO UPDATE SET tries_before = excluded.tries_before, by_rule = '[]', moved = 0;
