-- name: past_deadline
SELECT id FROM job INDEXED BY job_deadline
 WHERE deadline_at <= :now AND cancel_requested = 0 AND state IN ('waiting', 'queued', 'assigned', 'running')
 ORDER BY deadline_at LIMIT :limit;

-- name: overdue
UPDATE job SET state = 'expired', undecided = 1, message = CASE WHEN tries = 0 THEN 'It had not started by its deadline.'
       ELSE 'It had not ended by its deadline, after ' || tries || CASE tries WHEN 1 THEN ' try.' ELSE ' tries.' END END
 WHERE id = :job AND parts_left IS NULL AND state IN ('waiting', 'queued')
RETURNING id;

-- name: tell_overdue
UPDATE job SET message = 'It had not ended by its deadline.' WHERE id = :job;
