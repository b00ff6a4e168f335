-- One job, wherever it is.
SELECT id, task, queue, state, priority, args, attempt, max_attempts, errors,
       enqueued_at, run_at, started_at, finished_at, run_ms, worker_id,
       timeout_seconds, progress, progress_message, cancel_requested_at, result,
       (SELECT live.expires_at FROM jobqueue.jobs AS live WHERE live.id = all_jobs.id)
FROM jobqueue.all_jobs
WHERE id = %(id)s::uuid
