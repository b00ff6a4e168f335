-- Claim the next jobs of several queues for a worker: queue names and limits in two arrays.
-- All get one lease, a number never used twice: whatever is said of them later must name it.
-- The attempt is counted here and committed before user code runs, so that a job which kills its
-- worker cannot do so for ever. Tasks this worker does not know are left for workers that do.
-- A claimed job gives up its unique key, so that a retry never meets it.
-- The worker's own row is held until the claim commits: it is in the books under this id, or there
-- is no claim, and nobody strikes it off in between.
-- index: jobs_claim. `= ANY (ARRAY(subquery))` runs the subquery once; a join lets the planner
-- choose, and costs twice as much. The sort is of one batch: a queue is first in, first out.
WITH holder AS MATERIALIZED (
    SELECT FROM jobqueue.workers
    WHERE id = %(worker_id)s AND expires_at > clock_timestamp()
    FOR KEY SHARE
),
claimed AS (
    UPDATE jobqueue.jobs AS job
    SET state = 'running', attempt = job.attempt + 1, worker_id = %(worker_id)s, started_at = now(),
        lease = (SELECT nextval('jobqueue.leases')), unique_key = NULL, unique_hash = NULL
    WHERE job.id = ANY (ARRAY(
        SELECT next.id
        FROM unnest(%(queues)s::text[], %(limits)s::integer[]) AS wanted (queue, jobs)
        CROSS JOIN LATERAL (
            SELECT candidate.id
            FROM jobqueue.jobs AS candidate
            WHERE candidate.queue = wanted.queue
              AND candidate.state = 'available'
              AND candidate.task = ANY (%(tasks)s::text[])
            ORDER BY candidate.priority, candidate.run_at, candidate.id
            LIMIT wanted.jobs
            FOR UPDATE SKIP LOCKED
        ) AS next
        WHERE EXISTS (SELECT FROM holder)
    ))
    RETURNING job.id, job.task, job.args, job.attempt, job.max_attempts, job.queue,
              job.lease, job.priority, job.run_at
)
SELECT id::text, task, args::text, attempt, max_attempts, queue, lease
FROM claimed
ORDER BY priority, run_at, id
