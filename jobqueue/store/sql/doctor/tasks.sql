-- Tasks of available jobs that no worker has which serves their queue: how many jobs, counted among the
-- first 1,000 of each queue, how long the oldest has been due, and when a worker last entered the task.
-- A worker of an older release does not say which tasks it has: it may have any.
-- index: jobs_claim
WITH alive AS (
    SELECT queues, tasks FROM jobqueue.workers
    WHERE expires_at >= clock_timestamp() AND NOT draining
),
served AS (
    SELECT DISTINCT one.queue FROM alive CROSS JOIN LATERAL unnest(alive.queues) AS one (queue)
)
SELECT served.queue, front.task, count(*),
       extract(epoch FROM clock_timestamp() - min(front.run_at))::double precision,
       (SELECT known.updated_at FROM jobqueue.tasks AS known WHERE known.name = front.task)
FROM served
CROSS JOIN LATERAL (
    SELECT job.task, job.run_at
    FROM jobqueue.jobs AS job
    WHERE job.queue = served.queue AND job.state = 'available'
    ORDER BY job.priority, job.run_at, job.id
    LIMIT 1000
) AS front
WHERE NOT EXISTS (
    SELECT FROM alive
    WHERE alive.queues @> ARRAY[served.queue]
      AND (alive.tasks IS NULL OR front.task = ANY (alive.tasks))
)
GROUP BY served.queue, front.task
ORDER BY served.queue, front.task
