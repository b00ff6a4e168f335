-- Record attempts whose jobs run again: retries, snoozes and what a stopping worker hands back.
-- outcomes: JSON array of {id, lease, delay_seconds, refund, error}; a refunded attempt does not
-- count, an error (or null) is kept. Fenced as ack_completed.
-- index: jobs_pkey.
WITH ack AS (
    SELECT *
    FROM jsonb_to_recordset(%(outcomes)s::jsonb) AS one (
        id uuid, lease bigint, delay_seconds double precision, refund boolean, error jsonb)
),
locked AS (
    -- By id, as every ack, or this and a rescue of the same jobs could wait for each other.
    SELECT job.id FROM jobqueue.jobs AS job
    JOIN ack ON ack.id = job.id AND ack.lease = job.lease
    WHERE job.id = ANY (ARRAY(SELECT id FROM ack))
    ORDER BY job.id
    FOR UPDATE OF job
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
        errors = CASE WHEN ack.error IS NULL OR ack.error = 'null' THEN job.errors
            ELSE coalesce(job.errors, '[]') || (ack.error || jsonb_build_object(
                'attempt', job.attempt, 'worker_id', job.worker_id,
                'started_at', job.started_at, 'failed_at', now())) END
    FROM ack
    WHERE job.id = ANY (ARRAY(SELECT id FROM locked))
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.id
)
SELECT ack.id::text FROM ack WHERE NOT EXISTS (SELECT FROM again WHERE again.id = ack.id)
