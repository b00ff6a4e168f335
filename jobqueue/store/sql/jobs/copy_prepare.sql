-- What every job of a bulk load has in common, by the database's clock and the task's defaults, and
-- whether this role may load at all.
SELECT has_table_privilege('jobqueue.jobs', 'INSERT'),
       due.moment::text, now_.moment::text,
       CASE WHEN due.moment > now_.moment THEN 'scheduled' ELSE 'available' END,
       filled.queue, filled.priority, filled.max_attempts
FROM (SELECT clock_timestamp() AS moment) AS now_
CROSS JOIN LATERAL (
    SELECT coalesce(
        %(run_at)s::text::timestamptz,
        now_.moment + make_interval(secs => %(delay_seconds)s::double precision),
        now_.moment) AS moment
) AS due
CROSS JOIN jobqueue.task_defaults(
    %(task)s::text, %(queue)s::text, %(priority)s::integer, %(max_attempts)s::integer) AS filled
