-- Hand back what the books say a worker runs and it knows nothing of: a claim was committed, but its
-- answer was lost with the connection, and no user code has begun; or a job is done, and a server that
-- took over has not heard of it. The attempts are not counted.
-- known_ids, known_leases: of what is in the worker's hands, which stays; arrays of equal length. The
-- lease alone does not tell: all jobs of a claim have it, and may end hours apart.
-- Reads the whole table, so it runs seldom.
UPDATE jobqueue.jobs AS job
SET state = 'available', attempt = job.attempt - 1, worker_id = NULL, lease = NULL,
    started_at = NULL
WHERE job.worker_id = %(worker_id)s
  AND job.state = 'running'
  AND NOT EXISTS (
      SELECT FROM unnest(%(known_ids)s::uuid[], %(known_leases)s::bigint[]) AS known (id, lease)
      WHERE known.id = job.id AND known.lease = job.lease)
RETURNING job.queue
