-- Days, from today on, that the history has no partition for; and about how many rows have gone to the
-- default partition.
-- days: how many days to look ahead.
SELECT to_char(day, 'YYYY-MM-DD'),
       (SELECT n_live_tup FROM pg_catalog.pg_stat_all_tables
        WHERE relid = to_regclass('jobqueue.job_history_default'))
FROM generate_series(
    date_trunc('day', now() AT TIME ZONE 'UTC'),
    date_trunc('day', now() AT TIME ZONE 'UTC') + make_interval(days => %(days)s::integer),
    interval '1 day') AS day
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_inherits AS link
    JOIN pg_catalog.pg_class AS child ON child.oid = link.inhrelid
    WHERE link.inhparent = 'jobqueue.job_history'::regclass
      AND child.relname = 'job_history_' || to_char(day, 'YYYYMMDD')
)
ORDER BY 1
