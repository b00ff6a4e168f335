-- Which worker leads, and since when; no row: none does, or one of a release that does not say.
SELECT known.worker, known.since
FROM jobqueue.leader AS known
WHERE EXISTS (
    SELECT FROM pg_catalog.pg_locks AS held
    WHERE held.locktype = 'advisory' AND held.pid = known.backend_pid AND held.granted
      AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      AND held.classid = (%(key)s::bigint >> 32)::integer::oid
      AND held.objid = (%(key)s::bigint & 4294967295)::oid
      AND held.objsubid = 1
)
