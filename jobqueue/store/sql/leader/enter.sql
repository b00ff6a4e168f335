-- Note which worker leads, for people; it is so as long as this session holds the leader's lock.
INSERT INTO jobqueue.leader AS known (worker, backend_pid, since)
VALUES (%(worker)s::text, pg_backend_pid(), now())
ON CONFLICT (only_row) DO UPDATE
SET worker = excluded.worker, backend_pid = excluded.backend_pid, since = excluded.since
