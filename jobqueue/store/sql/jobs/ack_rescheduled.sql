-- Record attempts whose jobs run again: retries, snoozes and what a stopping worker hands back. Those
-- that somebody asked to cancel meanwhile move to history instead.
-- outcomes: JSON array of {id, lease, delay_seconds, refund, began, error}; a refunded attempt does
-- not count; one that began has started the job, which expires no more, and one that did not gives
-- back what its limits gave it; an error (or null) is kept.
-- Fenced as ack_completed.
-- index: jobs_pkey.
-- index: cancel_requests_pkey.
WITH ack AS (
    SELECT *
    FROM jsonb_to_recordset(%(outcomes)s::jsonb) AS one (
        id uuid, lease bigint, delay_seconds double precision, refund boolean, began boolean,
        error jsonb)
),
locked AS (
    -- By id, as every ack, or this and a rescue of the same jobs could wait for each other.
    SELECT job.id FROM jobqueue.jobs AS job
    JOIN ack ON ack.id = job.id AND ack.lease = job.lease
    WHERE job.id = ANY (ARRAY(SELECT id FROM ack))
    ORDER BY job.id
    FOR UPDATE OF job
),
asked AS (
    SELECT job_id FROM jobqueue.cancel_requests
    WHERE job_id = ANY (ARRAY(SELECT id FROM locked))
),
again AS (
    UPDATE jobqueue.jobs AS job
    SET state = CASE WHEN ack.delay_seconds > 0 THEN 'scheduled' ELSE 'available' END,
        run_at = CASE WHEN ack.delay_seconds > 0
                      THEN now() + make_interval(secs => ack.delay_seconds) ELSE job.run_at END,
        attempt = job.attempt - ack.refund::integer,
        worker_id = NULL,
        lease = NULL,
        started_at = NULL,
        expires_at = CASE WHEN ack.began THEN NULL ELSE job.expires_at END,
        progress = NULL,
        progress_message = NULL,
        -- Only a rate takes its moment back: what a concurrency limit gave, the job still holds.
        admitted_at = CASE WHEN ack.began IS NOT FALSE OR job.rate IS NULL
                           THEN job.admitted_at END,
        errors = CASE WHEN ack.error IS NULL OR ack.error = 'null' THEN job.errors
            ELSE coalesce(job.errors, '[]') || (ack.error || jsonb_build_object(
                'attempt', job.attempt, 'worker_id', job.worker_id,
                'started_at', job.started_at, 'failed_at', now())) END
    FROM ack
    WHERE job.id = ANY (ARRAY(SELECT id FROM locked))
      AND job.id <> ALL (ARRAY(SELECT job_id FROM asked))
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.id
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    USING ack
    WHERE job.id = ANY (ARRAY(SELECT job_id FROM asked))
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.*, ack.refund, ack.error
),
cancelled AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority,
           attempt - refund::integer, max_attempts, 'cancelled', queue, task, args,
           CASE WHEN error IS NULL OR error = 'null' THEN errors
               ELSE coalesce(errors, '[]') || (error || jsonb_build_object(
                   'attempt', attempt, 'worker_id', worker_id,
                   'started_at', started_at, 'failed_at', now())) END
    FROM gone
    RETURNING id
)
SELECT ack.id::text FROM ack
WHERE NOT EXISTS (SELECT FROM again WHERE again.id = ack.id)
  AND NOT EXISTS (SELECT FROM cancelled WHERE cancelled.id = ack.id)
