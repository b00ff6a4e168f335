-- Settle requests to cancel that came when the job no longer ran: one that waits again is cancelled, and
-- requests whose job has ended are forgotten. Usually there are none, which costs a look. Waits for
-- nobody: a job that somebody has locked is left for the next time. Gives how many were cancelled.
-- index: jobs_pkey
WITH waiting AS (
    SELECT job.id FROM jobqueue.jobs AS job
    WHERE job.id = ANY (ARRAY(SELECT job_id FROM jobqueue.cancel_requests))
      AND job.state <> 'running'
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    WHERE job.id = ANY (ARRAY(SELECT id FROM waiting))
    RETURNING job.*
),
cancelled AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority, attempt,
           max_attempts, 'cancelled', queue, task, args, errors
    FROM gone
    RETURNING id
),
forgotten AS (
    DELETE FROM jobqueue.cancel_requests
    WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM jobqueue.cancel_requests
        WHERE job_id <> ALL (ARRAY(
            SELECT job.id FROM jobqueue.jobs AS job
            WHERE job.id = ANY (ARRAY(SELECT job_id FROM jobqueue.cancel_requests))))
        FOR UPDATE SKIP LOCKED))
)
SELECT count(*) FROM cancelled
