-- Cancel jobs that have not started by their deadline, at most `limit` of them, and count them. Waits
-- for nobody: one that is being claimed is its worker's to look at. Gives how many there were, and the
-- seconds until the next deadline (NULL: there is none).
-- index: jobs_expiring. now(), not clock_timestamp(): a volatile bound would not stop the scan.
WITH late AS (
    SELECT job.id FROM jobqueue.jobs AS job
    WHERE job.expires_at IS NOT NULL AND job.state <> 'running' AND job.expires_at <= now()
    ORDER BY job.expires_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    WHERE job.id = ANY (ARRAY(SELECT id FROM late))
    RETURNING job.*
),
kept AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, finished_at, priority, attempt, max_attempts, state, queue, task,
        args, errors)
    SELECT id, run_at, enqueued_at, now(), priority, attempt, max_attempts, 'cancelled', queue, task,
           args,
           coalesce(errors, '[]') || jsonb_build_object(
               'error', 'Expired',
               'message', 'not started by its deadline',
               'failed_at', now())
    FROM gone
),
counted AS (
    -- Queues in one order, so that two who count do not wait for each other.
    INSERT INTO jobqueue.expirations AS known (queue, day, jobs)
    SELECT queue, (now() AT TIME ZONE 'UTC')::date, count(*) FROM gone
    GROUP BY queue ORDER BY queue
    ON CONFLICT (queue, day) DO UPDATE SET jobs = known.jobs + excluded.jobs
)
SELECT (SELECT count(*) FROM gone),
       (SELECT extract(epoch FROM min(later.expires_at) - clock_timestamp())::double precision
        FROM jobqueue.jobs AS later
        WHERE later.expires_at IS NOT NULL AND later.state <> 'running' AND later.expires_at > now()
          AND later.expires_at < 'infinity')
