-- Renew a worker's lease. No row: it had expired, and its jobs were taken back.
-- clock: what the worker's own clock shows, in seconds since 1970; NULL if it does not say.
UPDATE jobqueue.workers
SET heartbeat_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s),
    draining = %(draining)s,
    lost_slots = %(lost_slots)s,
    clock_ahead_seconds =
        %(clock)s::double precision - extract(epoch FROM clock_timestamp())::double precision
WHERE id = %(worker_id)s
RETURNING id
