-- Record attempts in which the job cancelled itself, and jobs that had not started by their deadline:
-- they move to history, and the latter are counted.
-- outcomes: JSON array of {id, lease, began, error}; an attempt that did not begin does not count.
-- Fenced as ack_completed.
-- index: jobs_pkey.
WITH ack AS (
    SELECT *
    FROM jsonb_to_recordset(%(outcomes)s::jsonb) AS one (id uuid, lease bigint, began boolean, error jsonb)
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
    RETURNING job.*, coalesce(ack.began, true) AS began, ack.error
),
kept AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, CASE WHEN began THEN started_at END, now(), worker_id, priority,
           attempt - (NOT began)::integer, max_attempts, 'cancelled', queue, task, args,
           coalesce(errors, '[]') || (error || jsonb_build_object(
               'attempt', attempt - (NOT began)::integer, 'worker_id', worker_id,
               'started_at', CASE WHEN began THEN started_at END, 'failed_at', now()))
    FROM gone
    RETURNING id
),
counted AS (
    -- Queues in one order, so that two who count do not wait for each other.
    INSERT INTO jobqueue.expirations AS known (queue, day, jobs)
    SELECT queue, (now() AT TIME ZONE 'UTC')::date, count(*) FROM gone
    WHERE expires_at <= now() AND NOT began
    GROUP BY queue ORDER BY queue
    ON CONFLICT (queue, day) DO UPDATE SET jobs = known.jobs + excluded.jobs
)
SELECT ack.id::text FROM ack WHERE NOT EXISTS (SELECT FROM kept WHERE kept.id = ack.id)
