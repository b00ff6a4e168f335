-- Record a completed attempt in the transaction of its effects, and that they were made. Gives
-- whether it is recorded, and what became of the transaction that `begin` saw: in progress when it
-- is this one. keep: whether the job is to be in the history. Nothing is recorded when the lease was lost, for the job is another worker's then, or
-- when somebody ended the transaction by hand, for then this one holds the rest of the effects only.
-- index: jobs_pkey
WITH done AS (
    DELETE FROM jobqueue.jobs AS job
    WHERE job.id = %(job_id)s::text::uuid
      AND job.lease = %(lease)s::bigint
      AND pg_current_xact_id() = %(transaction)s::text::xid8
    RETURNING job.*
),
noted AS (
    INSERT INTO jobqueue.processed_ids (job_id) SELECT id FROM done
),
recorded AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, run_ms, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, clock_timestamp(), worker_id,
           %(run_ms)s::double precision, priority, attempt, max_attempts, 'completed', queue, task,
           args, errors
    FROM done
    WHERE %(keep)s::boolean
)
SELECT EXISTS (SELECT FROM done), pg_xact_status(%(transaction)s::text::xid8)
