-- The newest jobs, of any state, that fit every filter given (NULL: any), newest first.
SELECT id, task, queue, state, priority, args, attempt, max_attempts, errors,
       enqueued_at, run_at, started_at, finished_at, run_ms, worker_id
FROM jobqueue.all_jobs
WHERE (%(state)s::text IS NULL OR state = %(state)s::text)
  AND (%(queue)s::text IS NULL OR queue = %(queue)s::text)
  AND (%(task)s::text IS NULL OR task = %(task)s::text)
ORDER BY id DESC
LIMIT %(limit)s
