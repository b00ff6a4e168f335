-- Limit how many jobs of a queue run at once, over all workers; NULL: no limit.
INSERT INTO jobqueue.queues (name, concurrency) VALUES (%(queue)s::text, %(amount)s::integer)
ON CONFLICT (name) DO UPDATE SET concurrency = excluded.concurrency
RETURNING name
