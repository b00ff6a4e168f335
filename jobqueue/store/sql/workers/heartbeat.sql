-- Renew a worker's lease. No row: it had expired, and its jobs were taken back.
UPDATE jobqueue.workers
SET heartbeat_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => %(lease_seconds)s),
    draining = %(draining)s,
    lost_slots = %(lost_slots)s
WHERE id = %(worker_id)s
RETURNING id
