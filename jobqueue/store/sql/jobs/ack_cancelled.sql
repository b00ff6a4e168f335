-- Record attempts in which the job cancelled itself: the jobs move to history.
-- outcomes: JSON array of {id, lease, error}. Fenced as ack_completed.
-- index: jobs_pkey.
WITH ack AS (
    SELECT *
    FROM jsonb_to_recordset(%(outcomes)s::jsonb) AS one (id uuid, lease bigint, error jsonb)
),
locked AS (
    -- By id, as every ack, or this and a rescue of the same jobs could wait for each other.
    SELECT job.id FROM jobqueue.jobs AS job
    JOIN ack ON ack.id = job.id AND ack.lease = job.lease
    WHERE job.id = ANY (ARRAY(SELECT id FROM ack))
    ORDER BY job.id
    FOR UPDATE OF job
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    USING ack
    WHERE job.id = ANY (ARRAY(SELECT id FROM locked))
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.*, ack.error
),
kept AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority, attempt,
           max_attempts, 'cancelled', queue, task, args,
           coalesce(errors, '[]') || (error || jsonb_build_object(
               'attempt', attempt, 'worker_id', worker_id,
               'started_at', started_at, 'failed_at', now()))
    FROM gone
    RETURNING id
)
SELECT ack.id::text FROM ack WHERE NOT EXISTS (SELECT FROM kept WHERE kept.id = ack.id)
