-- Hand back what the books say a worker runs and it knows nothing of: a claim was committed, but its
-- answer was lost with the connection. The attempts are not counted: no user code has begun.
-- known: leases of what is in the worker's hands, which stays. Reads the whole table, so it runs
-- seldom.
UPDATE jobqueue.jobs AS job
SET state = 'available', attempt = job.attempt - 1, worker_id = NULL, lease = NULL,
    started_at = NULL
WHERE job.worker_id = %(worker_id)s
  AND job.state = 'running'
  AND job.lease <> ALL (%(known)s::bigint[])
RETURNING job.queue
