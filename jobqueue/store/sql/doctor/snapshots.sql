-- Sessions of this database that have held a snapshot or a transaction number for long, oldest first.
-- Not those that vacuum: they hold nobody up.
-- seconds: from which age on.
SELECT session.pid, session.usename::text, session.application_name, session.state,
       extract(epoch FROM clock_timestamp() - session.xact_start)::double precision,
       age(coalesce(session.backend_xmin, session.backend_xid)), left(session.query, 200)
FROM pg_catalog.pg_stat_activity AS session
WHERE session.datname = current_database()
  AND session.pid <> pg_backend_pid()
  AND session.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s::double precision)
  AND (session.backend_xmin IS NOT NULL OR session.backend_xid IS NOT NULL)
  AND session.backend_type <> 'autovacuum worker'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_stat_progress_vacuum AS vacuum WHERE vacuum.pid = session.pid
  )
ORDER BY session.xact_start
LIMIT 20
