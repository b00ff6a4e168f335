-- Send claimed jobs to the gates of limits that they are under and were enqueued without: from SQL, by a
-- schedule, before the limit was declared. The attempts are not counted.
-- outcomes: JSON array of {id, lease, concurrency, concurrency_key, rate, rate_key, weight}. Fenced as
-- ack_completed.
-- index: jobs_pkey.
WITH ack AS (
    SELECT *
    FROM jsonb_to_recordset(%(outcomes)s::jsonb) AS one (
        id uuid, lease bigint, concurrency text, concurrency_key text, rate text, rate_key text,
        weight integer)
),
locked AS (
    -- By id, as every ack, or this and a rescue of the same jobs could wait for each other.
    SELECT job.id FROM jobqueue.jobs AS job
    JOIN ack ON ack.id = job.id AND ack.lease = job.lease
    WHERE job.id = ANY (ARRAY(SELECT id FROM ack))
    ORDER BY job.id
    FOR UPDATE OF job
),
put AS (
    UPDATE jobqueue.jobs AS job
    SET state = 'gated', attempt = job.attempt - 1, worker_id = NULL, lease = NULL,
        started_at = NULL, concurrency = ack.concurrency, concurrency_key = ack.concurrency_key,
        rate = ack.rate, rate_key = ack.rate_key, weight = ack.weight, holds = NULL
    FROM ack
    WHERE job.id = ANY (ARRAY(SELECT id FROM locked))
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.id, job.concurrency, job.concurrency_key, job.rate, job.rate_key
),
called AS (
    INSERT INTO jobqueue.gate_calls (name, key)
    SELECT DISTINCT coalesce(concurrency, rate),
           CASE WHEN concurrency IS NULL THEN rate_key ELSE concurrency_key END
    FROM put
)
SELECT ack.id::text FROM ack WHERE NOT EXISTS (SELECT FROM put WHERE put.id = ack.id)
