-- Record completed attempts: the jobs move to history in the same statement.
-- Fenced by (id, lease): what is no longer held under the lease is left alone, and its id given back
-- as stale. ids, leases, run_ms: array literals of equal length.
-- index: jobs_pkey. `= ANY` names the rows whatever the planner thinks of the join. They are taken by id, as
-- by whatever else takes several: the join follows either the index or the sorted list.
WITH ack AS (
    SELECT *
    FROM unnest(%(ids)s::uuid[], %(leases)s::bigint[], %(run_ms)s::real[])
        AS one (id, lease, run_ms)
    ORDER BY id
),
done AS (
    DELETE FROM jobqueue.jobs AS job
    USING ack
    WHERE job.id = ANY (%(ids)s::uuid[])
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.*, ack.run_ms
),
kept AS (
    INSERT INTO jobqueue.job_history (
        id, run_at, enqueued_at, started_at, finished_at, worker_id, run_ms, priority, attempt,
        max_attempts, state, queue, task, args, errors)
    SELECT id, run_at, enqueued_at, started_at, now(), worker_id, run_ms, priority, attempt,
           max_attempts, 'completed', queue, task, args, errors
    FROM done
    RETURNING id
)
SELECT ack.id::text FROM ack WHERE NOT EXISTS (SELECT FROM kept WHERE kept.id = ack.id)
