-- Change a schedule to what is given as a JSON object, unless it is not any more as it was read, which
-- is given as well. No row: it is not.
UPDATE jobqueue.schedules AS schedule
SET task = given.task, args = given.args, queue = given.queue, priority = given.priority,
    max_attempts = given.max_attempts, cron = given.cron, every_seconds = given.every_seconds,
    at = given.at, timezone = given.timezone, anchor = given.anchor, starts_at = given.starts_at,
    ends_at = given.ends_at, jitter_seconds = given.jitter_seconds, max_runs = given.max_runs,
    missed = given.missed, missed_limit = given.missed_limit,
    missed_after_seconds = given.missed_after_seconds, overlap = given.overlap,
    remove_when_done = given.remove_when_done
FROM jsonb_populate_record(NULL::jobqueue.schedules, %(schedule)s::text::jsonb) AS given,
     jsonb_populate_record(NULL::jobqueue.schedules, %(was)s::text::jsonb) AS was
WHERE schedule.name = was.name
  AND (schedule.task, schedule.args, schedule.queue, schedule.priority,
        schedule.max_attempts, schedule.cron, schedule.every_seconds, schedule.at,
        schedule.timezone, schedule.anchor, schedule.starts_at, schedule.ends_at,
        schedule.jitter_seconds, schedule.max_runs, schedule.missed, schedule.missed_limit,
        schedule.missed_after_seconds, schedule.overlap, schedule.remove_when_done)
    IS NOT DISTINCT FROM
      (was.task, was.args, was.queue, was.priority, was.max_attempts, was.cron,
        was.every_seconds, was.at, was.timezone, was.anchor, was.starts_at, was.ends_at,
        was.jitter_seconds, was.max_runs, was.missed, was.missed_limit,
        was.missed_after_seconds, was.overlap, was.remove_when_done)
RETURNING schedule.id
