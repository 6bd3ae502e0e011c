-- name: insert_queue_key
INSERT INTO queue_key (environment, executor, demand) VALUES (:environment, :executor, :demand)
ON CONFLICT DO NOTHING;

-- name: queue_key_id
SELECT id FROM queue_key WHERE environment = :environment AND executor = :executor AND demand = :demand;

-- name: queue_keys
SELECT id, environment, executor, demand FROM queue_key;

-- name: queue_key
SELECT environment, executor, demand FROM queue_key WHERE id = :key;

-- name: insert_job
INSERT INTO job (id, environment, name, state, spec, queue_key, priority, submitted_at, submitted_by, expires_at,
                 unmet, ready_at, group_name, group_limit, parent_id, parallel_max, tenant, weight, rank, queued_at,
                 parts_left, supersedes, rate_count, rate_per_s, graph_id)
VALUES (:id, :environment, :name, :state, :spec, :queue_key, :priority, :submitted_at, :submitted_by, :expires_at,
        :unmet, :ready_at, :group_name, :group_limit, :parent_id, :parallel_max, :tenant, :weight, :rank, :queued_at,
        :parts_left, :supersedes, :rate_count, :rate_per_s, :graph_id);

-- name: set_deadline
UPDATE job SET deadline_at = :deadline_at WHERE id = :job;

-- name: insert_tag
-- `a` = `b:c` and `a:b` = `c` are one text, and are found by it.
INSERT INTO job_tag (tag, job_id) VALUES (:tag, :job) ON CONFLICT DO NOTHING;

-- name: insert_input
INSERT INTO job_input (job_id, path, size_bytes, sha256, content) VALUES (:job, :path, :size_bytes, :sha256, :content);

-- name: submission
SELECT body_sha256, job_ids FROM submission WHERE submitted_by = :submitted_by AND idempotency_key = :key;

-- name: insert_submission
INSERT INTO submission (submitted_by, idempotency_key, body_sha256, job_ids, submitted_at)
VALUES (:submitted_by, :key, :body_sha256, :job_ids, :submitted_at);

-- name: requested
-- What the worker was given for this request before.
SELECT a.id, a.job_id, a.number, j.environment, j.spec, a.state, a.incarnation
  FROM attempt a JOIN job j ON j.id = a.job_id
 WHERE a.worker_id = :worker AND a.request_id = :request_id
 ORDER BY a.id;

-- name: assign
-- Lease a queued job: the attempt is the job's present one from now on.
UPDATE job SET state = 'assigned', attempt_id = :attempt, passed_over_at = NULL, reserved_by = NULL
 WHERE id = :job AND state IN ('queued')
RETURNING tries + 1, environment, spec;

-- name: insert_attempt
INSERT INTO attempt (id, job_id, number, worker_id, incarnation, request_id, state, asked_at, assigned_at, keep_s)
VALUES (:attempt, :job, :number, :worker, :incarnation, :request_id, 'assigned', :asked_at, :at, :keep_s);

-- name: start_attempt
UPDATE attempt SET state = 'running'
 WHERE id = :attempt AND worker_id = :worker AND state IN ('assigned')
RETURNING job_id;

-- name: start
UPDATE job SET state = 'running', refusals = 0, message = iif(refusals, NULL, message)
 WHERE attempt_id = :attempt AND id = :job AND state IN ('assigned')
RETURNING environment;

-- name: refuse_attempt
UPDATE attempt SET state = 'refused', trace = trace || :trace
 WHERE id = :attempt AND worker_id = :worker AND state IN ('assigned')
RETURNING job_id;

-- name: refuse
-- Take an assigned job back from its worker, at its old place.
UPDATE job SET state = 'queued'
 WHERE attempt_id = :attempt AND id = :job AND cancel_requested = 0 AND state IN ('assigned')
RETURNING id, queue_key;

-- name: finish_attempt
UPDATE attempt SET state = :state, started_at = :started_at, finished_at = :finished_at, finish_digest = :digest,
       result = :result, problems = :problems, trace = trace || :trace
 WHERE id = :attempt AND worker_id = :worker AND state IN ('assigned', 'running', 'detached')
RETURNING job_id;

-- name: finish
-- A result came: durable from here on, whatever its exit code.
UPDATE job SET state = 'finished', result = :result, tries = tries + 1, undecided = 1, refusals = 0,
       message = iif(refusals, NULL, message)
 WHERE attempt_id = :attempt AND id = :job AND state IN ('assigned', 'running')
RETURNING environment;

-- name: stop
-- A held job ends as cancelled: its worker stopped it, refused it, or is gone.
UPDATE job SET state = 'cancelled', result = :result, tries = tries + 1, undecided = 1
 WHERE attempt_id = :attempt AND id = :job AND state IN ('assigned', 'running')
RETURNING environment;

-- name: over_attempt
-- The end of an attempt whose job was cancelled while its worker was silent: kept with the attempt, not with the job.
UPDATE attempt SET state = 'cancelled'
 WHERE id = :attempt AND job_id IN (SELECT id FROM job WHERE attempt_id = :attempt AND state = 'cancelled')
   AND state IN ('finished', 'cancelled')
RETURNING job_id;

-- name: insert_output
INSERT INTO output (attempt_id, path, size_bytes, sha256, mode, content)
VALUES (:attempt, :path, :size_bytes, :sha256, :mode, :content);

-- name: trace_attempt
UPDATE attempt SET trace = trace || :trace WHERE id = :attempt;

-- name: lose_attempt
UPDATE attempt SET state = 'lost', trace = trace || :trace
 WHERE id = :attempt AND state IN ('assigned', 'running', 'detached')
RETURNING job_id;

-- name: detach_attempt
-- Its lease ran out, and its worker goes on with it: still its own. Nothing is known yet to have passed since.
UPDATE attempt SET state = 'detached', detached_s = 0, trace = trace || :trace
 WHERE id = :attempt AND state IN ('running')
RETURNING job_id;

-- name: return_attempt
-- Its worker is heard of again.
UPDATE attempt SET state = 'running', detached_s = NULL, trace = trace || :trace
 WHERE id = :attempt AND worker_id = :worker AND state IN ('detached')
RETURNING job_id;

-- name: book_detached
-- How long it has been detached by the clock that never steps: a restart of the server counts on from here.
UPDATE attempt SET detached_s = :detached_s WHERE id = :attempt AND state IN ('detached');

-- name: abandon
-- Cancelled while its worker is silent: the job ends here. The attempt stays detached, and keeps it from being retried.
UPDATE job SET state = 'cancelled', tries = tries + 1, undecided = 1
 WHERE id = :job AND cancel_requested = 1
   AND attempt_id IN (SELECT id FROM attempt WHERE job_id = :job AND state = 'detached')
   AND state IN ('running')
RETURNING id;

-- name: lapse
-- Nobody has shown that it started: queued again at its old place, and no try is counted. Capped, so that an offer
-- that kills whoever takes it cannot go round for ever.
UPDATE job SET state = 'queued', lapses = lapses + 1
 WHERE attempt_id = :attempt AND id = :job AND cancel_requested = 0 AND lapses < :lapses_max AND state IN ('assigned')
RETURNING id, queue_key;

-- name: lose
-- It ran, and its worker is gone: the scheduler decides what follows.
UPDATE job SET state = 'waiting', tries = tries + 1, losses = losses + 1, undecided = 1, refusals = 0,
       message = iif(refusals, NULL, message)
 WHERE attempt_id = :attempt AND id = :job AND cancel_requested = 0 AND state IN ('assigned', 'running')
RETURNING id, queue_key;

-- name: other_incarnations
SELECT id, incarnation FROM attempt
 WHERE worker_id = :worker AND incarnation <> :incarnation AND state IN ('assigned', 'running', 'detached');

-- name: take_over
UPDATE attempt SET incarnation = :incarnation
 WHERE id = :attempt AND worker_id = :worker AND state IN ('assigned', 'running', 'detached');

-- name: cancel
-- Nobody holds it: it ends here. An array ends with the last of its parts.
UPDATE job SET state = 'cancelled', cancel_requested = 1, undecided = 1, message = :message
 WHERE id = :job AND parts_left IS NULL AND state IN ('waiting', 'queued')
RETURNING id;

-- name: request_cancel
-- Also where its result came first, and the scheduler may want another try.
UPDATE job SET cancel_requested = 1, message = :message
 WHERE id = :job AND (state IN ('assigned', 'running') OR (state = 'finished' AND undecided = 1 AND (
         json_extract(spec, '$.retry') IS NOT NULL OR json_extract(spec, '$.policy') IS NOT NULL)))
RETURNING state;

-- name: retry
-- Once more, on a person's word; not while a worker that is not heard of may still execute it.
UPDATE job SET state = 'waiting', verdict = NULL, decided_at = NULL, result = NULL, message = NULL,
       cancel_requested = 0, undecided = 0, seated = 0, unmet = 0, ready_at = NULL, losses = 0, lapses = 0,
       refusals = 0, expires_at = :expires_at, rank = NULL, passed_over_at = NULL, reserved_by = NULL
 WHERE id = :job AND parts_left IS NULL
   AND NOT EXISTS (SELECT 1 FROM attempt WHERE job_id = :job AND state IN ('running', 'detached'))
   AND state IN ('finished', 'cancelled', 'expired', 'lost')
RETURNING id;

-- name: newly_queued
-- Let in since the last sweep: their queue timeouts begin.
SELECT id, spec ->> '$.queue_timeout_s' FROM job INDEXED BY job_expiry
 WHERE state = 'queued' AND expires_at IS NOT NULL AND expires_at = '' LIMIT :limit;

-- name: put_off_expiry
UPDATE job SET expires_at = :expires_at WHERE id = :job;

-- name: expire
UPDATE job SET state = 'expired', undecided = 1, message = 'No worker took it within its queue timeout.'
 WHERE id IN (SELECT id FROM job WHERE state = 'queued' AND expires_at > '' AND expires_at <= :now ORDER BY expires_at LIMIT :limit)
   AND state IN ('queued')
RETURNING id;

-- name: queue_clock
SELECT at FROM queue_clock;

-- name: set_queue_clock
INSERT INTO queue_clock (id, at) VALUES (1, :at) ON CONFLICT DO NOTHING;

-- name: book_queue_clock
-- Ten seconds are what a restart of the server may forget; nothing is written where nobody waits for it.
UPDATE queue_clock SET at = :now
 WHERE (julianday(:now) - julianday(at)) * 86400 >= 10
   AND EXISTS (SELECT 1 FROM job WHERE state = 'queued' AND expires_at IS NOT NULL);

-- name: retire
-- No worker can come for it any more.
UPDATE job SET state = 'cancelled', cancel_requested = 1, undecided = 1, message = 'Its environment was retired.'
 WHERE id IN (
         SELECT id FROM job INDEXED BY job_queue
          WHERE queue_key IN (SELECT id FROM queue_key WHERE environment = :environment) AND state = 'queued'
         UNION ALL SELECT id FROM job INDEXED BY job_state
          WHERE state = 'waiting' AND environment = :environment AND parts_left IS NULL
         LIMIT :limit)
   AND state IN ('waiting', 'queued')
RETURNING id;

-- name: decide
-- The verdict on what has ended. Its seats are free from now on.
UPDATE job SET verdict = :verdict, decided_at = :at, undecided = 0, seated = 0, message = coalesce(:message, message)
 WHERE id = :job AND undecided = 1 AND attempt_id IS :attempt AND state = :state
   AND state IN ('finished', 'cancelled', 'expired')
RETURNING state, environment, group_name, parent_id, message, result IS NOT NULL;

-- name: give_up
UPDATE job SET state = 'lost', verdict = :verdict, decided_at = :at, undecided = 0, seated = 0, message = :message
 WHERE id = :job AND undecided = 1 AND attempt_id IS :attempt AND state IN ('waiting')
RETURNING state, environment, group_name, parent_id, message, result IS NOT NULL;

-- name: try_again
-- One more try, at the earliest at :ready_at. It keeps its seats.
UPDATE job SET state = 'waiting', undecided = 0, ready_at = :ready_at, pause_s = :pause_s, result = NULL,
       message = coalesce(:message, message)
 WHERE id = :job AND undecided = 1 AND attempt_id IS :attempt AND state = :state AND cancel_requested = 0
   AND state IN ('waiting', 'finished')
RETURNING id;

-- name: held
SELECT a.id, a.job_id, a.worker_id, j.environment, a.state, j.cancel_requested, a.keep_s, a.detached_s
  FROM attempt a INDEXED BY attempt_held JOIN job j ON j.id = a.job_id
 WHERE a.state IN ('assigned', 'running', 'detached');

-- name: attempt
SELECT a.id, a.job_id, a.worker_id, j.environment, a.state, j.cancel_requested, a.keep_s, a.detached_s, a.finish_digest
  FROM attempt a JOIN job j ON j.id = a.job_id WHERE a.id = :attempt;

-- name: job_state
SELECT state FROM job WHERE id = :job;

-- name: job
SELECT id, state, verdict, spec, submitted_at, submitted_by, result, environment, message, schedule, due_at,
       parent_id, parts_left
  FROM job WHERE id = :job;

-- name: attempts
SELECT id, number, worker_id, state, assigned_at, started_at, finished_at, result, problems
  FROM attempt WHERE job_id = :job ORDER BY id;

-- name: inputs_of
-- Whose inputs the job is given: the parts of an array share those of the array.
SELECT coalesce(parent_id, id) FROM job WHERE id = :job;

-- name: inputs
SELECT path, size_bytes, sha256 FROM job_input WHERE job_id = :job ORDER BY path;

-- name: inputs_content
SELECT path, content FROM job_input WHERE job_id = :job;

-- name: input
SELECT content, sha256 FROM job_input WHERE job_id = :job AND path = :path;

-- name: artifacts
SELECT path, size_bytes, sha256, mode FROM output WHERE attempt_id = :attempt AND path <> '' ORDER BY path;

-- name: output
SELECT attempt_id, path, size_bytes, sha256, content FROM output WHERE attempt_id = :attempt AND path = :path;

-- name: traces
SELECT id, asked_at, assigned_at, trace FROM attempt WHERE job_id = :job ORDER BY id;

-- name: decided_at
SELECT decided_at FROM job WHERE id = :job;

-- name: counts
SELECT state, count(*) FROM job INDEXED BY job_state WHERE state IN ('waiting', 'queued', 'assigned', 'running') GROUP BY state;
