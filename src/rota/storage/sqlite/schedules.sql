-- name: insert_schedule
INSERT INTO schedule (environment, name, cron, every_s, timezone, spec, overlap, missed, anchor_at, next_at, created_at,
                      submitted_by, tenant)
VALUES (:environment, :name, :cron, :every_s, :timezone, :spec, :overlap, :missed, :anchor_at, :next_at, :created_at,
        :submitted_by, :tenant)
ON CONFLICT DO NOTHING
RETURNING name;

-- name: schedules
-- Behind (:environment, :name), of :own where it is not NULL.
SELECT s.environment, s.name, s.cron, s.every_s, s.timezone, s.spec, s.overlap, s.missed, s.paused, s.next_at,
       s.created_at, s.submitted_by, s.fired, s.skipped, s.given_up, s.last_job_id, j.due_at, j.state, j.verdict, s.message
  FROM schedule s LEFT JOIN job j ON j.id = s.last_job_id
 WHERE (s.environment, s.name) > (:environment, :name) AND (:own IS NULL OR s.environment = :own)
 ORDER BY s.environment, s.name LIMIT :limit;

-- name: schedule
SELECT s.environment, s.name, s.cron, s.every_s, s.timezone, s.spec, s.overlap, s.missed, s.paused, s.next_at,
       s.created_at, s.submitted_by, s.fired, s.skipped, s.given_up, s.last_job_id, j.due_at, j.state, j.verdict, s.message,
       s.revision, s.anchor_at, s.tenant
  FROM schedule s LEFT JOIN job j ON j.id = s.last_job_id
 WHERE s.environment = :environment AND s.name = :name;

-- name: environments_of_schedule
SELECT environment FROM schedule WHERE name = :name ORDER BY environment;

-- name: change_schedule
UPDATE schedule SET cron = :cron, every_s = :every_s, timezone = :timezone, spec = :spec, overlap = :overlap,
       missed = :missed, paused = :paused, anchor_at = :anchor_at, next_at = :next_at, submitted_by = :submitted_by,
       tenant = :tenant, message = :message, revision = revision + 1
 WHERE environment = :environment AND name = :name AND revision = :revision AND next_at IS :expected_at
RETURNING name;

-- name: delete_schedule
DELETE FROM schedule WHERE environment = :environment AND name = :name RETURNING name;

-- name: due_schedules
SELECT environment, name, revision, cron, every_s, timezone, missed, anchor_at, next_at
  FROM schedule INDEXED BY schedule_due WHERE next_at <= :now ORDER BY next_at LIMIT :limit;

-- name: next_due_at
SELECT min(next_at) FROM schedule INDEXED BY schedule_due WHERE next_at IS NOT NULL;

-- name: fire_schedule
-- Its next time is another one from now on, so that nobody fires this one again.
UPDATE schedule SET next_at = :next_at, given_up = given_up + :missed, message = :message
 WHERE environment = :environment AND name = :name AND revision = :revision AND next_at = :expected_at
RETURNING overlap;

-- name: schedule_overlap
SELECT overlap FROM schedule WHERE environment = :environment AND name = :name AND revision = :revision;

-- name: open_jobs
-- Jobs of a schedule that have not ended, or not been decided: a retry may follow.
SELECT id, state FROM job INDEXED BY job_schedule_open
 WHERE environment = :environment AND schedule = :name AND verdict IS NULL ORDER BY id LIMIT :limit;

-- name: mark_run
UPDATE job SET schedule = :name, due_at = :due_at WHERE id = :job;

-- name: count_run
UPDATE schedule SET fired = fired + 1, last_job_id = :job WHERE environment = :environment AND name = :name;

-- name: count_skip
UPDATE schedule SET skipped = skipped + 1, message = :message WHERE environment = :environment AND name = :name;
