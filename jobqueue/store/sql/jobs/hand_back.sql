-- Hand back what the books say a worker runs and it knows nothing of: a claim was committed, but its
-- answer was lost with the connection. The attempts are not counted: no user code has begun. Those that
-- somebody asked to cancel meanwhile move to history. Gives the queues of the others.
-- known: leases of what is in the worker's hands, which stays. Reads the whole table, so it runs
-- seldom.
WITH held AS (
    -- As they stand in the table, which is how acks and rescues take them.
    SELECT job.id FROM jobqueue.jobs AS job
    WHERE job.worker_id = %(worker_id)s
      AND job.state = 'running'
      AND job.lease <> ALL (%(known)s::bigint[])
    ORDER BY job.ctid
    FOR UPDATE
),
asked AS (
    SELECT job_id FROM jobqueue.cancel_requests WHERE job_id = ANY (ARRAY(SELECT id FROM held))
),
again AS (
    UPDATE jobqueue.jobs AS job
    SET state = 'available', attempt = job.attempt - 1, worker_id = NULL, lease = NULL,
        started_at = NULL, progress = NULL, progress_message = NULL
    WHERE job.id = ANY (ARRAY(SELECT id FROM held))
      AND job.id <> ALL (ARRAY(SELECT job_id FROM asked))
    RETURNING job.queue
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    WHERE job.id = ANY (ARRAY(SELECT job_id FROM asked))
    RETURNING job.*
),
cancelled AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority, attempt - 1,
           max_attempts, 'cancelled', queue, task, args, errors
    FROM gone
)
SELECT queue FROM again
