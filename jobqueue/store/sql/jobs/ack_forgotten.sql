-- Record completed attempts of which nothing is to be kept: the jobs are deleted.
-- Fenced as ack_completed. ids, leases: array literals of equal length.
-- index: jobs_pkey.
WITH ack AS (
    SELECT * FROM unnest(%(ids)s::uuid[], %(leases)s::bigint[]) AS one (id, lease)
    ORDER BY id
),
gone AS (
    DELETE FROM jobqueue.jobs AS job
    USING ack
    WHERE job.id = ANY (%(ids)s::uuid[])
      AND job.id = ack.id
      AND job.lease = ack.lease
    RETURNING job.id
)
SELECT ack.id::text FROM ack WHERE NOT EXISTS (SELECT FROM gone WHERE gone.id = ack.id)
