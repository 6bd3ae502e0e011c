-- name: release
-- Into the queue, where nothing holds the job back any more. Its seats are taken by the same statement that counts them.
UPDATE job SET state = 'queued', ready_at = NULL, seated = (group_name IS NOT NULL OR parallel_max IS NOT NULL)
 WHERE id = :job AND undecided = 0 AND unmet = 0 AND (ready_at IS NULL OR ready_at <= :now)
   AND (seated = 1
        OR ((group_name IS NULL OR group_limit > (
              SELECT count(*) FROM job AS other INDEXED BY job_group_seated
               WHERE other.environment = job.environment AND other.group_name = job.group_name AND other.seated = 1))
            AND (parallel_max IS NULL OR parallel_max > (
              SELECT count(*) FROM job AS other INDEXED BY job_part_seated
               WHERE other.parent_id = job.parent_id AND other.seated = 1 AND other.parallel_max IS NOT NULL))))
   AND state IN ('waiting')
RETURNING id, queue_key, rank;

-- name: due
-- Their time has come: from now on nothing but a seat can hold them.
UPDATE job SET ready_at = NULL
 WHERE id IN (SELECT id FROM job INDEXED BY job_ready
               WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at <= :now
               ORDER BY ready_at LIMIT :limit)
RETURNING id;

-- name: next_ready_at
SELECT min(ready_at) FROM job INDEXED BY job_ready
 WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NOT NULL;

-- name: next_of_group
SELECT id FROM job INDEXED BY job_group_next
 WHERE environment = :environment AND group_name = :group_name
   AND state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NULL
 ORDER BY priority DESC, id LIMIT :limit;

-- name: next_parts
SELECT id FROM job INDEXED BY job_part_next
 WHERE parent_id = :parent AND parallel_max IS NOT NULL
   AND state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NULL
 ORDER BY id LIMIT :limit;
