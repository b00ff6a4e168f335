-- Enter a worker in the books and give its id, never used before or again. Its queues are noted, in
-- one order, so that two that start at once do not wait for each other.
WITH noted AS (
    INSERT INTO jobqueue.queues (name)
    SELECT queue FROM unnest(%(queues)s::text[]) AS queue ORDER BY queue
    ON CONFLICT DO NOTHING
)
INSERT INTO jobqueue.workers (name, hostname, pid, queues, concurrency, home, tasks, expires_at)
VALUES (
    %(name)s, %(hostname)s, %(pid)s, %(queues)s, %(concurrency)s, %(home)s::text,
    %(tasks)s::text[],
    clock_timestamp() + make_interval(secs => %(lease_seconds)s)
)
RETURNING id
