-- Note how the tables, transactions and schedules are, and how long the sample of queues took.
-- What is counted of tables is PostgreSQL's own count, of transactions what this role may see.
-- index: schedules_due.
INSERT INTO jobqueue.fleet_sample AS sample (
    taken_at, took_ms, jobs_inserted, jobs_deleted, dead_tuples, oldest_transaction_seconds,
    late_schedules, schedule_late_seconds)
SELECT clock_timestamp(), %(took_ms)s,
       coalesce(pg_stat_get_tuples_inserted(jobs.oid), 0),
       coalesce(pg_stat_get_tuples_deleted(jobs.oid), 0),
       coalesce(pg_stat_get_dead_tuples(jobs.oid), 0),
       (
           SELECT extract(epoch FROM clock_timestamp() - min(session.xact_start))
           FROM pg_stat_activity AS session
           WHERE session.backend_xmin IS NOT NULL AND session.pid <> pg_backend_pid()
             AND session.backend_type = 'client backend'
             AND session.datname = current_database()
       ),
       late.schedules, coalesce(late.seconds, 0)
FROM (SELECT 'jobqueue.jobs'::regclass::oid AS oid) AS jobs,
     (
         SELECT count(*) AS schedules,
                extract(epoch FROM clock_timestamp() - min(next_at)) AS seconds
         FROM jobqueue.schedules
         WHERE state = 'active' AND next_at < now() - interval '1 second'
     ) AS late
ON CONFLICT (only_row) DO UPDATE
SET taken_at = excluded.taken_at, took_ms = excluded.took_ms,
    jobs_inserted = excluded.jobs_inserted, jobs_deleted = excluded.jobs_deleted,
    dead_tuples = excluded.dead_tuples,
    oldest_transaction_seconds = excluded.oldest_transaction_seconds,
    late_schedules = excluded.late_schedules,
    schedule_late_seconds = excluded.schedule_late_seconds
RETURNING sample.only_row
