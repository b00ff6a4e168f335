-- Record a completed attempt in the transaction of its effects. No row: the lease was lost, the job
-- is another worker's, and the effects must not be committed.
-- index: jobs_pkey
WITH done AS (
    DELETE FROM jobqueue.jobs AS job
    WHERE job.id = %(job_id)s::text::uuid
      AND job.lease = %(lease)s::bigint
    RETURNING job.*
)
INSERT INTO jobqueue.job_history (
    id, run_at, enqueued_at, started_at, finished_at, worker_id, run_ms, priority, attempt,
    max_attempts, state, queue, task, args, errors)
SELECT id, run_at, enqueued_at, started_at, clock_timestamp(), worker_id,
       %(run_ms)s::double precision, priority, attempt, max_attempts, 'completed', queue, task,
       args, errors
FROM done
RETURNING id::text
