-- Enter a worker in the books and give its id, never used before or again. Its queues are noted.
WITH noted AS (
    INSERT INTO jobqueue.queues (name) SELECT unnest(%(queues)s::text[]) ON CONFLICT DO NOTHING
)
INSERT INTO jobqueue.workers (name, hostname, pid, queues, concurrency, expires_at)
VALUES (
    %(name)s, %(hostname)s, %(pid)s, %(queues)s, %(concurrency)s,
    clock_timestamp() + make_interval(secs => %(lease_seconds)s)
)
RETURNING id
