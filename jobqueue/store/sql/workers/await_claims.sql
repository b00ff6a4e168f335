-- Wait until no claim of this worker is under way: each has the lock from its start to its commit.
SELECT pg_advisory_xact_lock(hashtextextended('jobqueue claims of ' || %(worker_id)s::bigint, 0))
