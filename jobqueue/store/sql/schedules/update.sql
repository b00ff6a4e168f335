-- Change a schedule to what is given as a JSON object, unless it was changed since it was read.
UPDATE jobqueue.schedules AS schedule
SET task = given.task, args = given.args, queue = given.queue, priority = given.priority,
    max_attempts = given.max_attempts, cron = given.cron, every_seconds = given.every_seconds,
    at = given.at, timezone = given.timezone, anchor = given.anchor, starts_at = given.starts_at,
    ends_at = given.ends_at, jitter_seconds = given.jitter_seconds, max_runs = given.max_runs,
    missed = given.missed, missed_limit = given.missed_limit,
    missed_after_seconds = given.missed_after_seconds, overlap = given.overlap,
    remove_when_done = given.remove_when_done
FROM jsonb_populate_record(NULL::jobqueue.schedules, %(schedule)s::text::jsonb) AS given
WHERE schedule.name = given.name AND schedule.revision = %(revision)s
RETURNING schedule.id
