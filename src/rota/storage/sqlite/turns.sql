-- name: heads
-- The first of every priority that is present in each of these queues. A skip scan over the partial index: its cost
-- grows with the classes that there are, not with the jobs; and it reads no job's row.
WITH RECURSIVE class (key, priority) AS (
  SELECT value, (SELECT max(priority) FROM job INDEXED BY job_queue WHERE queue_key = value AND state = 'queued')
    FROM json_each(:keys)
  UNION ALL
  SELECT key, (SELECT max(job.priority) FROM job INDEXED BY job_queue
                WHERE queue_key = key AND state = 'queued' AND job.priority < class.priority)
    FROM class WHERE class.priority IS NOT NULL)
SELECT job.rank, job.id, job.queued_at, class.priority, class.key
  FROM class CROSS JOIN job INDEXED BY job_queue
    ON job.queue_key = class.key AND job.priority = class.priority AND job.state = 'queued'
   AND (job.rank, job.id) = (SELECT rank, id FROM job INDEXED BY job_queue
                              WHERE queue_key = class.key AND state = 'queued' AND priority = class.priority
                              ORDER BY rank, id LIMIT 1)
 WHERE class.priority IS NOT NULL;

-- name: behind
-- What stands behind a job in its class of its queue, in order.
SELECT rank, id, queued_at, priority, queue_key FROM job INDEXED BY job_queue
 WHERE queue_key = :key AND state = 'queued' AND priority = :priority AND (rank, id) > (:rank, :job)
 ORDER BY rank, id;

-- name: front
-- The lowest rank in a class of a queue that nobody was offered yet: what came back to its old place says nothing of
-- how far the others are.
SELECT rank FROM (SELECT rank, attempt_id FROM job INDEXED BY job_queue
                   WHERE queue_key = :key AND state = 'queued' AND priority = :priority AND rank >= 0
                   ORDER BY rank, id LIMIT 10)
 WHERE attempt_id IS NULL LIMIT 1;

-- name: served
SELECT served FROM turn WHERE environment = :environment AND priority = :priority;

-- name: serve
-- The highest rank that was claimed in the class.
INSERT INTO turn (environment, priority, served) VALUES (:environment, :priority, :rank)
ON CONFLICT DO UPDATE SET served = max(served, excluded.served);

-- name: next_rank
SELECT next_rank FROM submitter
 WHERE environment = :environment AND priority = :priority AND tenant = :tenant AND submitted_by = :submitted_by;

-- name: others
-- Submitters of the same tenant whose turn is still to come.
SELECT count(*) FROM (
  SELECT 1 FROM submitter
   WHERE environment = :environment AND priority = :priority AND tenant = :tenant AND submitted_by <> :submitted_by
     AND +next_rank > :front LIMIT 1000);

-- name: keep_next_rank
INSERT INTO submitter (environment, priority, tenant, submitted_by, next_rank)
VALUES (:environment, :priority, :tenant, :submitted_by, :next_rank)
ON CONFLICT DO UPDATE SET next_rank = excluded.next_rank;

-- name: forget
-- Who is behind all that waits in the class stands where a newcomer would. A few at a time: that is more than come.
DELETE FROM submitter WHERE (environment, priority, tenant, submitted_by) IN (
  SELECT environment, priority, tenant, submitted_by FROM submitter INDEXED BY submitter_next
   WHERE environment = :environment AND priority = :priority AND next_rank <= min(
           :served,
           coalesce((SELECT min((SELECT rank FROM job INDEXED BY job_queue
                                  WHERE queue_key = k.id AND state = 'queued' AND priority = :priority
                                  ORDER BY rank, id LIMIT 1))
                       FROM queue_key k WHERE k.environment = :environment), :served))
   LIMIT 10);

-- name: place
SELECT environment, priority, queue_key, tenant, submitted_by, weight FROM job WHERE id = :job;

-- name: enter
UPDATE job SET rank = :rank, queued_at = :at WHERE id = :job;
