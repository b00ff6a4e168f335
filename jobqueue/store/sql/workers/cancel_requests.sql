-- Which of the jobs that a worker runs are to be cancelled, and their leases. Usually nobody has asked,
-- which costs a look into an empty table.
-- index: jobs_pkey
SELECT job.id::text, job.lease
FROM jobqueue.jobs AS job
WHERE job.id = ANY (ARRAY(SELECT job_id FROM jobqueue.cancel_requests))
  AND job.worker_id = %(worker_id)s
  AND job.state = 'running'
