-- Keep what a job returned whose completion its own transaction has recorded: that was before the
-- function's end. It is in the history once; the attempt tells it from one that was enqueued again.
UPDATE jobqueue.job_history
SET result = %(result)s::text::jsonb
WHERE id = %(job_id)s::text::uuid
  AND attempt = %(attempt)s
  AND state = 'completed'
  AND result IS NULL
RETURNING id::text
