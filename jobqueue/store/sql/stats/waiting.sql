-- Each queue that has available jobs and is not paused: how many, counted up to `most`; for how many
-- seconds the one that waits longest has been due; and the workers that serve it, with their slots. Goes
-- from one queue and priority to the next, a thousand of them at most, so that a flooded queue costs no more than any.
-- index: jobs_claim
WITH RECURSIVE lane AS (
    (SELECT job.queue, job.priority, job.run_at, 1 AS number
     FROM jobqueue.jobs AS job
     WHERE job.state = 'available'
     ORDER BY job.queue, job.priority, job.run_at
     LIMIT 1)
    UNION ALL
    SELECT following.queue, following.priority, following.run_at, lane.number + 1
    FROM lane
    CROSS JOIN LATERAL (
        SELECT job.queue, job.priority, job.run_at
        FROM jobqueue.jobs AS job
        WHERE job.state = 'available' AND (job.queue, job.priority) > (lane.queue, lane.priority)
        ORDER BY job.queue, job.priority, job.run_at
        LIMIT 1
    ) AS following
    WHERE lane.number < 1000
),
waiting AS (
    SELECT queue, min(run_at) AS oldest FROM lane GROUP BY queue
),
served AS (
    SELECT queue, count(*) AS workers, sum(concurrency) AS slots
    FROM jobqueue.workers CROSS JOIN LATERAL unnest(queues) AS one (queue)
    WHERE expires_at >= clock_timestamp() AND NOT draining
    GROUP BY queue
)
SELECT waiting.queue, counted.jobs,
       extract(epoch FROM clock_timestamp() - waiting.oldest)::double precision,
       coalesce(served.workers, 0), coalesce(served.slots, 0)
FROM waiting
LEFT JOIN served USING (queue)
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs
    FROM (
        SELECT FROM jobqueue.jobs AS job
        WHERE job.queue = waiting.queue AND job.state = 'available'
        LIMIT %(most)s
    ) AS part
) AS counted
WHERE NOT EXISTS (
    SELECT FROM jobqueue.pauses AS known WHERE known.kind = 'queue' AND known.name = waiting.queue
)
ORDER BY waiting.queue
