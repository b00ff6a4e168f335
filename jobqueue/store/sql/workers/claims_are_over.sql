-- Whether no claim of this worker is under way: each has the lock from its start to its commit.
-- Asked again and again rather than waited for: a heartbeat may be next on this connection.
SELECT pg_try_advisory_xact_lock(hashtextextended('jobqueue claims of ' || %(worker_id)s::bigint, 0))
