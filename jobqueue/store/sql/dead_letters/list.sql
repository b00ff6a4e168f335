-- The newest dead letters that fit every filter given (NULL: any), newest first.
-- index: dead_letters_finished_at
SELECT id, task, queue, state, priority, args, attempt, max_attempts, errors,
       enqueued_at, run_at, started_at, finished_at, run_ms, worker_id
FROM jobqueue.dead_jobs
WHERE (%(queue)s::text IS NULL OR queue = %(queue)s::text)
  AND (%(task)s::text IS NULL OR task = %(task)s::text)
  AND (%(died_before)s::timestamptz IS NULL OR finished_at < %(died_before)s::timestamptz)
ORDER BY finished_at DESC
LIMIT %(limit)s
