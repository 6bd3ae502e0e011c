-- name: standing
SELECT j.id, j.state, j.environment, j.queue_key, k.executor, k.demand, j.tries, j.attempt_id IS NOT NULL, j.undecided, j.unmet, j.ready_at,
       j.seated, j.group_name, j.group_limit, j.parallel_max, j.parent_id, j.passed_over_at IS NOT NULL, j.reserved_by,
       j.parts_left, j.rate_count, j.rate_per_s
  FROM job j JOIN queue_key k ON k.id = j.queue_key WHERE j.id = :job;

-- name: holders
-- A few of those that have the seats of a group.
SELECT id, name, state FROM job INDEXED BY job_group_seated
 WHERE environment = :environment AND group_name = :group AND seated = 1 LIMIT :limit;

-- name: holder_count
SELECT count(*) FROM job INDEXED BY job_group_seated
 WHERE environment = :environment AND group_name = :group AND seated = 1;

-- name: needed
-- A few of the jobs whose ends it waits for.
-- One of another environment is told by its id alone: its name is none of this one's.
SELECT n.needs_id, iif(j.environment = own.environment, j.name, NULL), j.state
  FROM need n JOIN job j ON j.id = n.needs_id JOIN job own ON own.id = n.job_id
 WHERE n.job_id = :job AND n.open = 1 ORDER BY n.needs_id LIMIT :limit;

-- name: starts
-- When so many of its group had been let in, as its rate allows: until that is too long ago.
SELECT at_s FROM group_start WHERE environment = :environment AND group_name = :group
 ORDER BY at_s DESC LIMIT 1 OFFSET :count - 1;

-- name: parts_seated
SELECT count(*) FROM job INDEXED BY job_part_seated
 WHERE parent_id = :parent AND seated = 1 AND parallel_max IS NOT NULL;

-- name: of_others
SELECT count(*) FROM json_each(:jobs) CROSS JOIN job ON job.id = value
 WHERE job.submitted_by <> (SELECT submitted_by FROM job WHERE id = :job);
