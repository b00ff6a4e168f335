-- Whether no session holds the leader's lock, and how many workers there are: cheap to ask on any
-- connection.
SELECT NOT EXISTS (
    SELECT FROM pg_catalog.pg_locks AS held
    WHERE held.locktype = 'advisory'
      AND held.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
      AND held.classid = (%(key)s::bigint >> 32)::integer::oid
      AND held.objid = (%(key)s::bigint & 4294967295)::oid
      AND held.objsubid = 1
      AND held.granted
), (SELECT count(*) FROM jobqueue.workers WHERE expires_at > clock_timestamp())
