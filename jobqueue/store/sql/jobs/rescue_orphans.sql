-- Give running jobs whose worker's row no longer exists a worker to be rescued from: an expired
-- one. No worker leaves such jobs; somebody who deleted its row by hand does. Reads the whole table,
-- so it runs seldom.
WITH orphans AS (
    SELECT DISTINCT job.worker_id
    FROM jobqueue.jobs AS job
    WHERE job.state = 'running'
      AND NOT EXISTS (SELECT FROM jobqueue.workers AS worker WHERE worker.id = job.worker_id)
)
INSERT INTO jobqueue.workers (id, name, hostname, pid, queues, concurrency, expires_at)
OVERRIDING SYSTEM VALUE
SELECT worker_id, format('#%%s', worker_id), '', 0, '{}', 0, '-infinity' FROM orphans
ON CONFLICT (id) DO NOTHING
RETURNING id
