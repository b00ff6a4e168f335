-- Name those of some queues that no worker has served, no task goes to and no job waits in, as far as
-- the books say; for a warning, at the start of a worker.
-- index: jobs_claim.
SELECT coalesce(array_agg(wanted.queue), '{}')
FROM unnest(%(queues)s::text[]) AS wanted (queue)
WHERE NOT EXISTS (SELECT FROM jobqueue.queues AS known WHERE known.name = wanted.queue)
  AND NOT EXISTS (SELECT FROM jobqueue.tasks AS task WHERE task.queue = wanted.queue)
  AND NOT EXISTS (
      SELECT FROM jobqueue.jobs AS job WHERE job.queue = wanted.queue AND job.state = 'available'
  )
