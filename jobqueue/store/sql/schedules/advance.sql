-- Carry out what the leader planned: ticks, their jobs and each schedule's next tick, or nothing, in
-- one transaction. Only by the session that holds the leader's lock; the number of schedules advanced,
-- 0 if it does not. plans: a JSON array, see the function.
SELECT CASE WHEN EXISTS (
    SELECT FROM pg_catalog.pg_locks AS held
    WHERE held.locktype = 'advisory' AND held.pid = pg_backend_pid() AND held.granted
      AND held.classid = (%(key)s::bigint >> 32)::integer::oid
      AND held.objid = (%(key)s::bigint & 4294967295)::oid
      AND held.objsubid = 1
) THEN jobqueue.advance_schedules(%(plans)s::text::jsonb) ELSE 0 END
