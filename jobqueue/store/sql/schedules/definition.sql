-- What was said of one schedule, as it is to be changed, with its id and the clock.
SELECT id, now(), name, task, args::text, queue, priority, max_attempts, cron, every_seconds,
       at, timezone, anchor, starts_at, ends_at, jitter_seconds, max_runs, missed, missed_limit,
       missed_after_seconds, overlap, remove_when_done
FROM jobqueue.schedules
WHERE name = %(name)s::text
