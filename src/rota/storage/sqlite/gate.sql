-- name: release
-- Into the queue, where nothing holds the job back any more. Its seats are taken by the same statement that counts them.
-- Its queue timeout begins with the next sweep; that of another try goes on.
-- A rate counts every release, also that of another try. An array is never queued: its parts are.
UPDATE job SET state = 'queued', expires_at = iif(expires_at IS NULL OR rank IS NOT NULL, expires_at, ''), ready_at = NULL,
       seated = (group_name IS NOT NULL OR parallel_max IS NOT NULL)
 WHERE id = :job AND undecided = 0 AND unmet = 0 AND (ready_at IS NULL OR ready_at <= :now)
   AND (seated = 1
        OR ((group_name IS NULL OR group_limit > (
              SELECT count(*) FROM job AS other INDEXED BY job_group_seated
               WHERE other.environment = job.environment AND other.group_name = job.group_name AND other.seated = 1))
            AND (parallel_max IS NULL OR parallel_max > (
              SELECT count(*) FROM job AS other INDEXED BY job_part_seated
               WHERE other.parent_id = job.parent_id AND other.seated = 1 AND other.parallel_max IS NOT NULL))))
   AND (rate_count IS NULL OR rate_count > (
         SELECT count(*) FROM group_start
          WHERE environment = job.environment AND group_name = job.group_name
            AND at_s > unixepoch(:now, 'subsec') - job.rate_per_s))
   AND parts_left IS NULL
   AND state IN ('waiting')
RETURNING id, queue_key, rank, rate_count IS NOT NULL;

-- name: book_start
INSERT INTO group_start (environment, group_name, at_s, job_id)
SELECT environment, group_name, unixepoch(:now, 'subsec'), id FROM job WHERE id = :job
ON CONFLICT DO NOTHING;

-- name: forget_starts
-- Those that its rate does not look back to.
DELETE FROM group_start
 WHERE (environment, group_name) = (SELECT environment, group_name FROM job WHERE id = :job)
   AND at_s <= unixepoch(:now, 'subsec') - (SELECT rate_per_s FROM job WHERE id = :job);

-- name: rate_of
-- Of a job that nothing else than its rate or a seat holds.
SELECT environment, group_name, rate_count, rate_per_s FROM job
 WHERE id = :job AND rate_count IS NOT NULL AND state = 'waiting' AND undecided = 0 AND unmet = 0
   AND (ready_at IS NULL OR ready_at <= :now);

-- name: oldest_start
-- Of as many as the rate allows: when it is too long ago to count, another may be let in.
SELECT at_s FROM group_start WHERE environment = :environment AND group_name = :group_name
 ORDER BY at_s DESC LIMIT 1 OFFSET :count - 1;

-- name: set_alarm
INSERT INTO group_alarm (environment, group_name, at) VALUES (:environment, :group_name, :at)
ON CONFLICT DO UPDATE SET at = min(at, excluded.at);

-- name: alarms
DELETE FROM group_alarm WHERE at <= :now RETURNING environment, group_name;

-- name: next_alarm
SELECT min(at) FROM group_alarm;

-- name: superseded
-- Who makes room for a job that cancels what is in progress: all that hold a seat of its group or wait for one, but
-- for the other parts of its own array, and for those of its submission that come behind it, up to :last.
SELECT o.id FROM job AS me CROSS JOIN job AS o INDEXED BY job_group_seated
    ON o.environment = me.environment AND o.group_name = me.group_name AND o.seated = 1
 WHERE me.id = :job AND me.supersedes = 1 AND me.state = 'waiting' AND me.undecided = 0 AND me.unmet = 0
   AND (me.ready_at IS NULL OR me.ready_at <= :now) AND o.cancel_requested = 0
   AND o.id <> me.id AND (me.parent_id IS NULL OR o.parent_id IS NOT me.parent_id)
 UNION ALL
SELECT o.id FROM job AS me CROSS JOIN job AS o INDEXED BY job_group_next
    ON o.environment = me.environment AND o.group_name = me.group_name AND o.seated = 0
   AND o.state = 'waiting' AND o.undecided = 0 AND o.unmet = 0 AND o.ready_at IS NULL
 WHERE me.id = :job AND me.supersedes = 1 AND me.state = 'waiting' AND me.undecided = 0 AND me.unmet = 0
   AND (me.ready_at IS NULL OR me.ready_at <= :now)
   AND (o.id < me.id OR o.id > :last) AND (me.parent_id IS NULL OR o.parent_id IS NOT me.parent_id);

-- name: due
SELECT id FROM job INDEXED BY job_ready
 WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at <= :now
 ORDER BY ready_at LIMIT :limit;

-- name: come
-- Its time has come: from now on nothing but a seat can hold it.
UPDATE job SET ready_at = NULL WHERE id = :job;

-- name: next_ready_at
SELECT min(ready_at) FROM job INDEXED BY job_ready
 WHERE state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NOT NULL;

-- name: seated_of_group
-- Those that hold their seats between two tries, and wait for the group's rate alone.
SELECT id FROM job INDEXED BY job_group_seated
 WHERE environment = :environment AND group_name = :group_name AND seated = 1
   AND state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NULL
 ORDER BY priority DESC, id LIMIT :limit;

-- name: next_of_group
SELECT id FROM job INDEXED BY job_group_next
 WHERE environment = :environment AND group_name = :group_name AND seated = 0
   AND state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NULL
 ORDER BY priority DESC, id LIMIT :limit;

-- name: next_parts
SELECT id FROM job INDEXED BY job_part_next
 WHERE parent_id = :parent AND parallel_max IS NOT NULL
   AND state = 'waiting' AND undecided = 0 AND unmet = 0 AND ready_at IS NULL
 ORDER BY id LIMIT :limit;
