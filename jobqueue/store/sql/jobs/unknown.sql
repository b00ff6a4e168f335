-- Tasks of available jobs in these queues that are not among `tasks`, for a warning. Reads at most
-- 1,000 available jobs of each queue, so that a flooded one costs little.
-- index: jobs_claim.
SELECT DISTINCT seen.task
FROM unnest(%(queues)s::text[]) AS wanted (queue)
CROSS JOIN LATERAL (
    SELECT job.task
    FROM jobqueue.jobs AS job
    WHERE job.queue = wanted.queue AND job.state = 'available'
    ORDER BY job.priority, job.run_at, job.id
    LIMIT 1000
) AS seen
WHERE seen.task <> ALL (%(tasks)s::text[])
