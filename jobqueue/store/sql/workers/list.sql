-- Every worker in the books, oldest first.
SELECT id, name, hostname, pid, queues, concurrency, started_at, heartbeat_at,
       expires_at < clock_timestamp(), draining, lost_slots
FROM jobqueue.workers
ORDER BY id
