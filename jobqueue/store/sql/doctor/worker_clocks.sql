-- Live workers whose clock, at their last heartbeat, was ahead of the server's, or behind it.
-- ahead, behind: by how many seconds at least.
SELECT name, hostname, clock_ahead_seconds
FROM jobqueue.workers
WHERE expires_at >= clock_timestamp()
  AND (clock_ahead_seconds > %(ahead)s::double precision
       OR clock_ahead_seconds < - %(behind)s::double precision)
ORDER BY id
LIMIT 20
