-- Put the schedules of an application's code in place, given as a JSON array. One that is there is
-- changed only if code now says something else than it did when the row was last placed: what was
-- changed by hand since stays, and so do its pause and its next tick. Those made by hand are not touched.
-- Gives each name with what was done: placed, changed, kept, or made by cli or sql; and whose it was.
WITH given AS MATERIALIZED (
    SELECT wanted.*, one.value AS declaration
    FROM jsonb_array_elements(%(schedules)s::text::jsonb) AS one,
         jsonb_populate_record(NULL::jobqueue.schedules, one.value) AS wanted
),
known AS MATERIALIZED (
    SELECT schedule.id, schedule.name, schedule.source, schedule.state, schedule.application,
           schedule.declared = given.declaration AS same
    FROM jobqueue.schedules AS schedule
    JOIN given ON given.name = schedule.name
),
adopted AS (
    UPDATE jobqueue.schedules AS schedule
    SET application = %(application)s::text,
        state = CASE schedule.state WHEN 'dropped' THEN 'active' ELSE schedule.state END
    FROM known
    WHERE schedule.id = known.id AND known.source = 'code' AND known.same
      AND (known.state = 'dropped' OR known.application IS DISTINCT FROM %(application)s::text)
),
placed AS (
    INSERT INTO jobqueue.schedules AS schedule (
        name, task, args, queue, priority, max_attempts, cron, every_seconds, at, timezone, anchor,
        starts_at, ends_at, jitter_seconds, max_runs, missed, missed_limit, missed_after_seconds,
        overlap, remove_when_done, source, application, declared)
    SELECT name, task, args, queue, priority, max_attempts, cron, every_seconds, at, timezone, anchor,
           starts_at, ends_at, jitter_seconds, max_runs, missed, missed_limit, missed_after_seconds,
           overlap, remove_when_done, 'code', %(application)s::text, declaration
    FROM given
    WHERE NOT EXISTS (
        SELECT FROM known WHERE known.name = given.name AND (known.source <> 'code' OR known.same))
    ORDER BY name
    ON CONFLICT (name) DO UPDATE
    SET task = excluded.task, args = excluded.args, queue = excluded.queue,
        priority = excluded.priority, max_attempts = excluded.max_attempts, cron = excluded.cron,
        every_seconds = excluded.every_seconds, at = excluded.at, timezone = excluded.timezone,
        anchor = excluded.anchor, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
        jitter_seconds = excluded.jitter_seconds, max_runs = excluded.max_runs,
        missed = excluded.missed, missed_limit = excluded.missed_limit,
        missed_after_seconds = excluded.missed_after_seconds, overlap = excluded.overlap,
        remove_when_done = excluded.remove_when_done, application = excluded.application,
        declared = excluded.declared,
        state = CASE schedule.state WHEN 'dropped' THEN 'active' ELSE schedule.state END
    WHERE schedule.source = 'code' AND schedule.declared IS DISTINCT FROM excluded.declared
    RETURNING schedule.name
)
SELECT given.name,
       CASE WHEN known.source <> 'code' THEN known.source
            WHEN known.state = 'dropped' THEN 'placed'
            WHEN known.same THEN 'kept'
            WHEN known.name IS NOT NULL THEN 'changed'
            ELSE 'placed' END,
       known.application
FROM given
LEFT JOIN known ON known.name = given.name
ORDER BY given.name
