-- Tables of ours that have more dead rows than they should, though nobody has vacuumed them for long.
-- A table that was never vacuumed counts from the first queue of this database.
-- tuples, seconds: from how many, and from how long on.
SELECT stats.relname::text, stats.n_dead_tup, stats.n_live_tup, seen.vacuumed_at
FROM pg_catalog.pg_stat_all_tables AS stats
CROSS JOIN LATERAL (
    SELECT greatest(stats.last_vacuum, stats.last_autovacuum) AS vacuumed_at
) AS seen
WHERE stats.schemaname = 'jobqueue'
  AND stats.n_dead_tup > %(tuples)s::bigint
  AND stats.n_dead_tup > 0.2 * stats.n_live_tup
  AND coalesce(
          seen.vacuumed_at, (SELECT min(created_at) FROM jobqueue.queues), '-infinity'
      ) < clock_timestamp() - make_interval(secs => %(seconds)s::double precision)
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_stat_progress_vacuum AS vacuum WHERE vacuum.relid = stats.relid
  )
ORDER BY stats.n_dead_tup DESC
