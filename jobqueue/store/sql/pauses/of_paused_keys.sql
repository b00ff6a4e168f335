-- Which of these jobs, in the hands of a worker, are under a key that is paused.
-- index: jobs_pkey
SELECT job.id::text
FROM jobqueue.jobs AS job
WHERE job.id = ANY (%(ids)s::text[]::uuid[])
  AND EXISTS (
      SELECT FROM jobqueue.pauses AS known
      WHERE known.kind = 'key'
        AND ((known.name = job.concurrency AND known.key = job.concurrency_key)
             OR (known.name = job.rate AND known.key = job.rate_key)))
