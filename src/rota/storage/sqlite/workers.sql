-- name: insert
INSERT INTO worker (id, environment, name, labels, executors, slots, version, heartbeat_s, enrolled_at, status,
                    attempts, free_slots, resources)
VALUES (:id, :environment, :name, :labels, :executors, :slots, :version, :heartbeat_s, :at, 'offline', '[]', 0,
        :resources)
ON CONFLICT DO NOTHING;

-- name: seen
SELECT incarnation, drain_requested FROM worker WHERE id = :worker;

-- name: attempts
SELECT attempts FROM worker WHERE id = :worker;

-- name: status
UPDATE worker SET status = :status, attempts = :attempts, free_slots = :free_slots, incarnation = :incarnation,
       last_seen_at = :at, drain_requested = CASE :status WHEN 'offline' THEN 0 ELSE drain_requested END
 WHERE id = :worker;

-- name: acknowledge
-- The first `working` that names the attempt; a repeat changes nothing.
INSERT INTO acknowledgement (attempt_id, worker_id, working_at) VALUES (:attempt, :worker, :at)
ON CONFLICT DO NOTHING;

-- name: ready
-- The first status after the attempt is no longer answered for.
UPDATE acknowledgement SET ready_at = :at
 WHERE attempt_id = :attempt AND worker_id = :worker AND ready_at IS NULL;

-- name: present
SELECT id, last_seen_at, heartbeat_s FROM worker WHERE status NOT IN ('offline', 'lost');

-- name: lost
-- Guarded by the time, so that a status which came meanwhile wins.
UPDATE worker SET status = 'lost'
 WHERE id = :worker AND last_seen_at = :seen_at AND status NOT IN ('offline', 'lost')
RETURNING id;

-- name: workers
SELECT id, name, environment, labels, executors, slots, free_slots, status, attempts, version, enrolled_at,
       last_seen_at, drain_requested, resources
  FROM worker WHERE :environment IS NULL OR environment = :environment ORDER BY environment, name, id;

-- name: worker
SELECT id, name, environment, labels, executors, slots, free_slots, status, attempts, version, enrolled_at,
       last_seen_at, drain_requested, resources
  FROM worker WHERE id = :worker;

-- name: request_drain
UPDATE worker SET drain_requested = 1 WHERE id = :worker;

-- name: acknowledgement
SELECT attempt_id, worker_id, working_at, ready_at FROM acknowledgement WHERE attempt_id = :attempt ORDER BY working_at;
