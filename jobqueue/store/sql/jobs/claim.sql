-- Claim the next jobs of several queues for a worker: queue names and limits in two arrays.
-- All get one lease, a number never used twice: whatever is said of them later must name it.
-- The attempt is counted here and committed before user code runs, so that a job which kills its
-- worker cannot do so for ever. Tasks this worker does not know are left for workers that do.
-- A claimed job gives up its unique key, so that a retry never meets it.
-- The worker's own row is held until the claim commits: it is in the books under this id, or there
-- is no claim, and nobody strikes it off in between. It is locked after the jobs, so that a look that
-- finds none writes nothing; from the start there is an advisory lock, by which the worker can wait
-- for its own claims (workers/claims_are_over).
-- Each queue is looked through in stretches of its index: those numbered first to last of the arrays
-- after_* (exclusive) and to_priority (inclusive), in ascending order. A worker leaves out what it
-- knows to hold nothing but jobs that were claimed before.
-- Rows come in the order to run them. One more follows the last: in `lease` how many entries of the
-- index were walked over, NULL if the claim was refused, and in `run_at` the moment, in seconds since
-- 1970.
-- index: jobs_claim. `= ANY (array)` names the rows; a join lets the planner choose, and costs twice
-- as much. The sort is of one batch: a queue is first in, first out.
WITH gauge AS MATERIALIZED (
    SELECT pg_stat_get_xact_tuples_returned('jobqueue.jobs_claim'::regclass) AS walked
    FROM jobqueue.workers
    WHERE id = %(worker_id)s AND expires_at > clock_timestamp()
      AND pg_try_advisory_xact_lock_shared(
          hashtextextended('jobqueue claims of ' || %(worker_id)s::text, 0))
),
candidates AS MATERIALIZED (
    SELECT array_agg(next.id) AS ids
    FROM unnest(
        %(queues)s::text[], %(limits)s::integer[], %(firsts)s::integer[], %(lasts)s::integer[]
    ) AS wanted (queue, jobs, first, last)
    CROSS JOIN LATERAL (
        SELECT candidate.id
        FROM unnest(
            (%(after_priority)s::integer[])[wanted.first:wanted.last],
            (%(after_run_at)s::double precision[])[wanted.first:wanted.last],
            (%(after_id)s::uuid[])[wanted.first:wanted.last],
            (%(to_priority)s::integer[])[wanted.first:wanted.last]
        ) AS stretch (after_priority, after_run_at, after_id, to_priority)
        CROSS JOIN LATERAL (
            SELECT job.id
            FROM jobqueue.jobs AS job
            WHERE job.queue = wanted.queue
              AND job.state = 'available'
              AND (job.priority, job.run_at, job.id)
                  > (stretch.after_priority, to_timestamp(stretch.after_run_at), stretch.after_id)
              AND job.priority <= stretch.to_priority
              AND job.task = ANY (%(tasks)s::text[])
            ORDER BY job.priority, job.run_at, job.id
            LIMIT wanted.jobs
            FOR UPDATE SKIP LOCKED
        ) AS candidate
        LIMIT wanted.jobs
    ) AS next
    -- Read before the walk begins; not there for a worker that is no longer in the books.
    WHERE (SELECT walked FROM gauge) IS NOT NULL
),
holder AS MATERIALIZED (
    SELECT FROM jobqueue.workers
    WHERE id = %(worker_id)s AND expires_at > clock_timestamp()
      AND (SELECT ids FROM candidates) IS NOT NULL
    FOR KEY SHARE SKIP LOCKED
),
claimed AS (
    UPDATE jobqueue.jobs AS job
    SET state = 'running', attempt = job.attempt + 1, worker_id = %(worker_id)s, started_at = now(),
        lease = (SELECT nextval('jobqueue.leases')), unique_key = NULL, unique_hash = NULL
    WHERE job.id = ANY ((SELECT ids FROM candidates WHERE EXISTS (SELECT FROM holder))::uuid[])
    RETURNING job.id, job.task, job.args, job.attempt, job.max_attempts, job.queue,
              job.lease, job.priority, job.run_at, job.timeout_seconds,
              CASE WHEN job.admitted_at IS NOT NULL THEN
                  CASE WHEN job.rate IS NULL THEN 0 ELSE date_part('epoch', job.admitted_at) END
              END AS starts_at,
              job.expires_at <= now() AS expired
)
(
    SELECT id::text, task, args::text, attempt, max_attempts, queue, lease, priority,
           date_part('epoch', run_at), timeout_seconds, starts_at, expired
    FROM claimed
    ORDER BY priority, run_at, id
)
UNION ALL
SELECT NULL, NULL, NULL, NULL, NULL, NULL,
       CASE WHEN (SELECT ids FROM candidates) IS NULL OR EXISTS (SELECT FROM holder)
            THEN pg_stat_get_xact_tuples_returned('jobqueue.jobs_claim'::regclass)
                 - (SELECT walked FROM gauge) END,
       NULL, date_part('epoch', now()), NULL, NULL, NULL
