-- Schedules as they are doing, by name: all of them, or those in a state or of one name.
SELECT name, task, args, queue, priority, max_attempts, cron, every_seconds, at, timezone, anchor,
       starts_at, ends_at, jitter_seconds, max_runs, missed, missed_limit, missed_after_seconds,
       overlap, remove_when_done, source, application, state, problem, created_at, counts_from,
       next_at, overdue_seconds, runs, last_tick_at, last_state, last_job_id, last_late_seconds,
       last_success_at, failures, task_known
FROM jobqueue.all_schedules
WHERE (%(name)s::text IS NULL OR name = %(name)s::text)
  AND (%(state)s::text IS NULL OR state = %(state)s::text)
ORDER BY name
