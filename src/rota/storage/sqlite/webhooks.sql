-- name: insert
INSERT INTO webhook (id, environment, url, events, secret, description, created_at, created_by, after_seq)
SELECT :id, :environment, :url, :events, :secret, :description, :created_at, :created_by, coalesce(max(seq), 0)
  FROM event
HAVING (SELECT count(*) FROM webhook) < :most
RETURNING id;

-- name: skip_untold
-- While nobody was told, nothing was routed: the first one begins behind what happened meanwhile.
UPDATE routed SET seq = (SELECT coalesce(max(seq), 0) FROM event)
 WHERE NOT EXISTS (SELECT 1 FROM webhook WHERE disabled_at IS NULL);

-- name: webhooks
SELECT w.id, w.url, w.events, w.environment, w.description, w.created_at, w.created_by, w.disabled_at IS NULL,
       w.message, w.failing_since,
       (SELECT count(*) FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'waiting'),
       (SELECT count(*) FROM delivery d WHERE d.webhook_id = w.id AND d.state = 'dead')
  FROM webhook w
 WHERE (:webhook IS NULL OR w.id = :webhook) AND (:environment IS NULL OR w.environment = :environment)
 ORDER BY w.id;

-- name: delete_deliveries
DELETE FROM delivery WHERE number IN (SELECT number FROM delivery WHERE webhook_id = :webhook LIMIT :limit)
RETURNING number;

-- name: delete
DELETE FROM webhook WHERE id = :webhook;

-- name: enable
UPDATE webhook SET disabled_at = NULL, message = NULL, failures = 0, failing_since = NULL, paused_until = NULL,
       after_seq = iif(disabled_at IS NULL, after_seq, (SELECT coalesce(max(seq), 0) FROM event))
 WHERE id = :webhook;

-- name: hurry
UPDATE delivery SET next_at = :at WHERE webhook_id = :webhook AND state = 'waiting';

-- name: hurry_failed
-- It works again: what it had refused is due.
UPDATE delivery SET next_at = :at WHERE webhook_id = :webhook AND state = 'waiting' AND next_at > :at;

-- name: told
SELECT id, environment, events, after_seq FROM webhook WHERE disabled_at IS NULL;

-- name: routed
SELECT seq FROM routed;

-- name: route
UPDATE routed SET seq = :upto WHERE seq = :after RETURNING seq;

-- name: insert_delivery
-- Of a webhook that is deleted meanwhile there is nothing to keep.
INSERT INTO delivery (id, webhook_id, event_id, type, subject, body, state, created_at, next_at)
SELECT :id, id, :event_id, :type, :subject, :body, 'waiting', :created_at, :created_at
  FROM webhook WHERE id = :webhook_id;

-- name: able
SELECT id, url, secret, failures FROM webhook
 WHERE disabled_at IS NULL AND (paused_until IS NULL OR paused_until <= :now);

-- name: due
SELECT d.id, d.event_id, d.body, d.tries, d.first_tried_at
  FROM delivery d INDEXED BY delivery_due
 WHERE d.webhook_id = :webhook AND d.state = 'waiting' AND d.next_at <= :now
   AND NOT EXISTS (SELECT 1 FROM delivery earlier INDEXED BY delivery_order
                    WHERE earlier.webhook_id = d.webhook_id AND earlier.state = 'waiting'
                      AND earlier.subject = d.subject AND earlier.number < d.number)
 ORDER BY d.next_at, d.number LIMIT :limit;

-- name: next_at
SELECT min(max(coalesce(w.paused_until, ''), d.next_at)) FROM webhook w
  JOIN (SELECT webhook_id, min(next_at) AS next_at FROM delivery INDEXED BY delivery_due
         WHERE state = 'waiting' GROUP BY webhook_id) d ON d.webhook_id = w.id
 WHERE w.disabled_at IS NULL;

-- name: tried
UPDATE delivery SET state = :state, tries = tries + 1, first_tried_at = coalesce(first_tried_at, :at),
       next_at = :next_at, ended_at = :ended_at, status = :status, message = :message, duration_s = :duration_s
 WHERE id = :delivery AND state = 'waiting' AND tries = :tries
RETURNING webhook_id;

-- name: succeeded
UPDATE webhook SET failures = 0, failing_since = NULL, paused_until = NULL WHERE id = :webhook AND failures > 0
RETURNING id;

-- name: failed
UPDATE webhook SET failures = failures + 1, failing_since = coalesce(failing_since, :at), paused_until = :paused_until
 WHERE id = :webhook;

-- name: disable
UPDATE webhook SET disabled_at = :at, message = :message WHERE id = :webhook AND disabled_at IS NULL;

-- name: bury
UPDATE delivery SET state = 'dead', ended_at = :at, next_at = NULL, message = :message
 WHERE webhook_id = :webhook AND state = 'waiting';

-- name: delivery
SELECT id, webhook_id, event_id, type, subject, state, tries, created_at, next_at, ended_at, status, message,
       duration_s, body
  FROM delivery WHERE webhook_id = :webhook AND id = :delivery;

-- name: deliveries
SELECT id, webhook_id, event_id, type, subject, state, tries, created_at, next_at, ended_at, status, message,
       duration_s, NULL
  FROM delivery
 WHERE webhook_id = :webhook AND (:state IS NULL OR state = :state)
   AND (:before IS NULL OR number < (SELECT number FROM delivery WHERE id = :before))
 ORDER BY number DESC LIMIT :limit;

-- name: redeliver
UPDATE delivery SET state = 'waiting', tries = 0, first_tried_at = NULL, next_at = :at, ended_at = NULL
 WHERE id = :delivery;

-- name: give_up
UPDATE delivery SET state = 'dead', ended_at = :at, next_at = NULL,
       message = coalesce(message, 'Nothing was sent: the webhook has failed ever since.')
 WHERE number IN (
         SELECT d.number FROM webhook w JOIN delivery d ON d.webhook_id = w.id AND d.state = 'waiting'
          WHERE w.failing_since < :before AND d.created_at < :before LIMIT :limit)
RETURNING number;

-- name: prune
DELETE FROM delivery WHERE number IN (
    SELECT number FROM delivery INDEXED BY delivery_ended
     WHERE ended_at IS NOT NULL AND state = :state AND ended_at < :before
     ORDER BY ended_at LIMIT :limit)
RETURNING number;
