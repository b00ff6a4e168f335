-- Record failed attempts that were the last: the jobs become dead letters in the same statement. Those
-- that somebody asked to cancel meanwhile are cancelled: nobody waits for them any more.
-- outcomes: JSON array of {id, lease, error}. Fenced as ack_completed.
-- index: jobs_pkey.
-- index: cancel_requests_pkey.
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
asked AS (
    SELECT job_id FROM jobqueue.cancel_requests
    WHERE job_id = ANY (ARRAY(SELECT id FROM locked))
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    USING ack
    WHERE job.id = ANY (ARRAY(SELECT id FROM locked))
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.*,
              coalesce(job.errors, '[]') || (ack.error || jsonb_build_object(
                  'attempt', job.attempt, 'worker_id', job.worker_id,
                  'started_at', job.started_at, 'failed_at', now())) AS all_errors
),
buried AS (
    INSERT INTO jobqueue.dead_letters (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, queue, task, args, errors, timeout_seconds)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority, attempt,
           max_attempts, queue, task, args, all_errors, timeout_seconds
    FROM gone
    WHERE id <> ALL (ARRAY(SELECT job_id FROM asked))
    RETURNING id
),
cancelled AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, priority, attempt,
           max_attempts, 'cancelled', queue, task, args, all_errors
    FROM gone
    WHERE id = ANY (ARRAY(SELECT job_id FROM asked))
    RETURNING id
)
SELECT ack.id::text FROM ack
WHERE NOT EXISTS (SELECT FROM buried WHERE buried.id = ack.id)
  AND NOT EXISTS (SELECT FROM cancelled WHERE cancelled.id = ack.id)
