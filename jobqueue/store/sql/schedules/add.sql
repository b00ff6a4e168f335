-- Make a schedule, given as a JSON object. No row: there is one of that name.
INSERT INTO jobqueue.schedules (
    name, task, args, queue, priority, max_attempts, cron, every_seconds, at, timezone, anchor,
    starts_at, ends_at, jitter_seconds, max_runs, missed, missed_limit, missed_after_seconds,
    overlap, remove_when_done, source)
SELECT name, task, args, queue, priority, max_attempts, cron, every_seconds, at, timezone, anchor,
       starts_at, ends_at, jitter_seconds, max_runs, missed, missed_limit, missed_after_seconds,
       overlap, remove_when_done, 'cli'
FROM jsonb_populate_record(NULL::jobqueue.schedules, %(schedule)s::text::jsonb)
ON CONFLICT (name) DO NOTHING
RETURNING id
