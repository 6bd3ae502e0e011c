-- name: moved
INSERT INTO event (at, type, environment, subject, state, attempt_id, verdict, message, has_result)
SELECT coalesce(:at, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')), :type, environment, id, state, attempt_id, verdict,
       coalesce(:message, message), result IS NOT NULL
  FROM job WHERE id = :job;

-- name: record
INSERT INTO event (type, environment, subject, at, state, attempt_id, verdict, message, has_result, data)
VALUES (?, ?, ?, coalesce(?, strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')), ?, ?, ?, ?, ?, ?);

-- name: newest
SELECT coalesce(max(seq), 0) FROM event;

-- name: oldest
SELECT coalesce(min(seq), 1) FROM event;

-- name: logs
SELECT from_seq, id FROM event_log ORDER BY from_seq;

-- name: begin_log
INSERT INTO event_log (from_seq, id) SELECT coalesce(max(seq), 0) + 1, lower(hex(randomblob(4))) FROM event WHERE true
ON CONFLICT DO UPDATE SET id = excluded.id;

-- name: page
SELECT e.seq, e.at, e.type, e.environment, e.subject, e.state, e.attempt_id, e.verdict, e.message, e.data,
       a.number, a.worker_id, iif(e.has_result, a.result, NULL), j.name, j.spec -> '$.tags', j.submitted_at, j.submitted_by
  FROM event e LEFT JOIN job j ON j.id = e.subject LEFT JOIN attempt a ON a.id = e.attempt_id
 WHERE e.seq > :after AND e.seq <= :upto
   AND (:types IS NULL OR e.type IN (SELECT value FROM json_each(:types)))
   AND (:environment IS NULL OR e.environment = :environment)
   AND (:job IS NULL OR e.subject = :job)
 ORDER BY e.seq LIMIT :limit;

-- name: prune
-- A prefix of the log, so that what is kept has no holes: also where the clock was set back meanwhile.
DELETE FROM event WHERE seq < min(
    (SELECT coalesce(max(seq), 0) FROM event),
    (SELECT min(seq) + :limit FROM event),
    (SELECT iif(EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL), seq + 1, 9223372036854775807) FROM routed),
    max((SELECT coalesce(max(seq), 0) - :count_max + 1 FROM event),
        (SELECT coalesce(min(seq), 9223372036854775807)
           FROM (SELECT seq, at FROM event ORDER BY seq LIMIT :limit) WHERE at >= :before)))
RETURNING seq;
