-- Record completed attempts of tasks whose results are kept: as ack_completed, and with what each
-- returned. results: JSON as text, one for each.
-- index: jobs_pkey.
WITH ack AS (
    SELECT *
    FROM unnest(%(ids)s::uuid[], %(leases)s::bigint[], %(run_ms)s::real[], %(results)s::text[])
        AS one (id, lease, run_ms, result)
    ORDER BY id
),
done AS (
    DELETE FROM jobqueue.jobs AS job
    USING ack
    WHERE job.id = ANY (%(ids)s::uuid[])
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.*, ack.run_ms, ack.result
),
kept AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, run_ms, priority, attempt,
        max_attempts, state, queue, task, args, errors, result)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, run_ms, priority, attempt,
           max_attempts, 'completed', queue, task, args, errors, result::jsonb
    FROM done
    RETURNING id
)
SELECT ack.id::text FROM ack WHERE NOT EXISTS (SELECT FROM kept WHERE kept.id = ack.id)
