-- Hand back what the books say a worker runs and it knows nothing of: a claim was committed, but its
-- answer was lost with the connection, and no user code has begun; or a job is done, and a server that
-- took over has not heard of it. The attempts are not counted. Those that somebody asked to cancel
-- meanwhile move to history. Gives the queues of the others.
-- known_ids, known_leases: of what is in the worker's hands, which stays; arrays of equal length. The
-- lease alone does not tell: all jobs of a claim have it, and may end hours apart.
-- Reads the whole table, so it runs seldom.
WITH held AS (
    -- By id, which is how acks and rescues take them.
    SELECT job.id FROM jobqueue.jobs AS job
    WHERE job.worker_id = %(worker_id)s
      AND job.state = 'running'
      AND NOT EXISTS (
          SELECT FROM unnest(%(known_ids)s::uuid[], %(known_leases)s::bigint[]) AS known (id, lease)
          WHERE known.id = job.id AND known.lease = job.lease)
    ORDER BY job.id
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
