-- Workers whose lease expired and whose jobs nobody has taken back.
-- seconds: from how long on.
SELECT name, extract(epoch FROM clock_timestamp() - heartbeat_at)::double precision
FROM jobqueue.workers
WHERE expires_at < clock_timestamp() - make_interval(secs => %(seconds)s::double precision)
ORDER BY id
LIMIT 20
