-- End the leases of workers whose processes are known to be gone: rescue takes them up at once.
UPDATE jobqueue.workers SET expires_at = '-infinity' WHERE id = ANY (%(ids)s::bigint[]) RETURNING name
