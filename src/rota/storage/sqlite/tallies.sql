-- name: count_verdict
INSERT INTO tally (environment, minute, succeeded, failed, cancelled, waited_s, ran_s)
SELECT j.environment, substr(:at, 1, 16), j.verdict = 'succeeded', j.verdict = 'failed' AND j.state <> 'cancelled',
       j.state = 'cancelled',
       coalesce(max(0, (julianday(a.assigned_at) - julianday(j.submitted_at)) * 86400), 0),
       coalesce(json_extract(j.result, '$.usage.wall_s'), 0)
  FROM job j LEFT JOIN attempt a ON a.id = j.attempt_id
 WHERE j.id = :job
ON CONFLICT (minute, environment) DO UPDATE
   SET succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed,
       cancelled = cancelled + excluded.cancelled,
       waited_s = waited_s + excluded.waited_s, ran_s = ran_s + excluded.ran_s;

-- name: queued_now
SELECT k.environment, count(*) FROM job j JOIN queue_key k ON k.id = j.queue_key
 WHERE j.state = 'queued' GROUP BY j.queue_key;

-- name: held_now
SELECT j.environment, count(*) FROM job j WHERE j.state IN ('assigned', 'running') GROUP BY j.environment;

-- name: insert_depth
INSERT INTO depth (environment, minute, queued, running) VALUES (:environment, :minute, :queued, :running)
ON CONFLICT (minute, environment) DO UPDATE SET queued = excluded.queued, running = excluded.running;

-- name: tallies
SELECT minute, sum(succeeded), sum(failed), sum(cancelled), sum(waited_s), sum(ran_s)
  FROM tally WHERE minute >= :since AND (:environment IS NULL OR environment = :environment)
 GROUP BY minute ORDER BY minute;

-- name: depths
SELECT minute, sum(queued), sum(running)
  FROM depth WHERE minute >= :since AND (:environment IS NULL OR environment = :environment)
 GROUP BY minute ORDER BY minute;

-- name: failures
-- The newest; of each the end of its log, where that is kept with the row.
SELECT j.id, j.attempt_id, j.message, j.result, o.size_bytes, substr(o.content, -:tail)
  FROM job j INDEXED BY job_failed LEFT JOIN output o ON o.attempt_id = j.attempt_id AND o.path = ''
 WHERE j.verdict = 'failed' AND j.decided_at >= :since AND j.state <> 'cancelled'
   AND (:environment IS NULL OR j.environment = :environment)
 ORDER BY j.decided_at DESC LIMIT :limit;

-- name: runs
-- Ids are of the time at which they were made: those of a stretch of time stand together. Besides, what is held from before.
SELECT a.id, a.job_id, j.name, a.worker_id, a.state, a.assigned_at, a.result
  FROM attempt a JOIN job j ON j.id = a.job_id
 WHERE a.id IN (SELECT id FROM attempt WHERE id >= :first
                UNION SELECT id FROM attempt INDEXED BY attempt_held WHERE state IN ('assigned', 'running', 'detached'))
   AND (:environment IS NULL OR j.environment = :environment)
 ORDER BY a.id DESC LIMIT :limit;

-- name: forget_tallies
DELETE FROM tally WHERE minute < :before;

-- name: forget_depths
DELETE FROM depth WHERE minute < :before;
