-- Schedules with a tick that is due, or none planned yet, and what is to be known to plan them.
-- Nothing is given to a session that does not hold the leader's lock.
-- open, waiting: asked only for those that may not overlap.
-- index: schedules_due
SELECT schedule.id, schedule.revision, schedule.cron, schedule.every_seconds, schedule.at,
       schedule.timezone, schedule.anchor, schedule.starts_at, schedule.ends_at, schedule.next_at,
       schedule.counts_from, schedule.runs, schedule.max_runs, schedule.jitter_seconds,
       schedule.missed, schedule.missed_limit, schedule.missed_after_seconds, schedule.overlap,
       CASE WHEN schedule.overlap = 'allow' THEN false ELSE EXISTS (
           SELECT FROM jobqueue.schedule_ticks AS tick
           JOIN jobqueue.jobs AS job ON job.id = tick.job_id
           WHERE tick.schedule_id = schedule.id AND tick.state = 'enqueued'
       ) END,
       CASE WHEN schedule.overlap = 'allow' THEN false ELSE EXISTS (
           SELECT FROM jobqueue.schedule_ticks AS tick
           WHERE tick.schedule_id = schedule.id AND tick.state = 'waiting'
       ) END,
       now()
FROM jobqueue.schedules AS schedule
WHERE schedule.id = ANY (ARRAY(
    (
        SELECT id FROM jobqueue.schedules
        WHERE state = 'active' AND next_at IS NULL LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT id FROM jobqueue.schedules
        WHERE state = 'active' AND next_at <= now() ORDER BY next_at LIMIT %(limit)s
    )
))
  AND EXISTS (
    SELECT FROM pg_catalog.pg_locks AS held
    WHERE held.locktype = 'advisory' AND held.pid = pg_backend_pid() AND held.granted
      AND held.classid = (%(key)s::bigint >> 32)::integer::oid
      AND held.objid = (%(key)s::bigint & 4294967295)::oid
      AND held.objsubid = 1
)
