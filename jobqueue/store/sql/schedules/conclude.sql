-- Note how the jobs of ticks ended, of at most `limit` ticks after the one given. A job that left no
-- trace (history=False, or its dead letter was purged) is forgotten, and counts as a success.
-- A schedule somebody has locked is left for later. A dead letter that is redriven is not noted again.
-- Gives how many ticks were looked at and the last of them.
-- index: schedule_ticks_open, jobs_pkey
WITH opened AS MATERIALIZED (
    SELECT tick.schedule_id, tick.tick_at, tick.job_id, tick.decided_at
    FROM jobqueue.schedule_ticks AS tick
    WHERE tick.state IN ('enqueued', 'waiting')
      AND (tick.schedule_id, tick.tick_at) > (%(after_id)s::bigint, %(after_at)s::timestamptz)
    ORDER BY tick.schedule_id, tick.tick_at
    LIMIT %(limit)s
),
ended AS MATERIALIZED (
    SELECT opened.schedule_id, opened.tick_at,
           coalesce(past.state, dead.state, 'forgotten') AS state,
           coalesce(past.finished_at, dead.finished_at, now()) AS finished_at
    FROM opened
    LEFT JOIN LATERAL (
        SELECT one.state, one.finished_at FROM jobqueue.job_history AS one
        WHERE one.id = opened.job_id AND one.finished_at >= opened.decided_at
        LIMIT 1
    ) AS past ON true
    LEFT JOIN LATERAL (
        SELECT 'dead' AS state, one.finished_at FROM jobqueue.dead_letters AS one
        WHERE one.id = opened.job_id
    ) AS dead ON true
    WHERE opened.job_id IS NOT NULL
      AND NOT EXISTS (SELECT FROM jobqueue.jobs AS job WHERE job.id = opened.job_id)
),
free AS MATERIALIZED (
    SELECT schedule.id FROM jobqueue.schedules AS schedule
    WHERE schedule.id IN (SELECT schedule_id FROM ended)
    ORDER BY schedule.id
    FOR UPDATE SKIP LOCKED
),
noted AS (
    UPDATE jobqueue.schedule_ticks AS tick
    SET state = ended.state, finished_at = ended.finished_at
    FROM ended
    WHERE tick.schedule_id = ended.schedule_id AND tick.tick_at = ended.tick_at
      AND tick.state = 'enqueued'
      AND (ended.schedule_id IN (SELECT id FROM free)
           OR NOT EXISTS (SELECT FROM jobqueue.schedules AS one WHERE one.id = ended.schedule_id))
    RETURNING tick.schedule_id, tick.tick_at, tick.state, tick.finished_at
),
succeeded AS (
    SELECT schedule_id, max(tick_at) AS tick_at, max(finished_at) AS finished_at
    FROM noted WHERE state IN ('completed', 'forgotten') GROUP BY schedule_id
),
counted AS (
    SELECT noted.schedule_id, min(succeeded.finished_at) AS success_at,
           count(*) FILTER (
               WHERE noted.state = 'dead'
                 AND noted.tick_at > coalesce(succeeded.tick_at, '-infinity')) AS failures
    FROM noted LEFT JOIN succeeded USING (schedule_id)
    GROUP BY noted.schedule_id
),
told AS (
    UPDATE jobqueue.schedules AS schedule
    SET last_success_at = greatest(schedule.last_success_at, counted.success_at),
        failures = counted.failures
            + CASE WHEN counted.success_at IS NULL THEN schedule.failures ELSE 0 END
    FROM counted
    WHERE schedule.id = counted.schedule_id
)
SELECT (SELECT count(*) FROM opened), last.schedule_id, last.tick_at
FROM (SELECT) AS one
LEFT JOIN (
    SELECT schedule_id, tick_at FROM opened ORDER BY schedule_id DESC, tick_at DESC LIMIT 1
) AS last ON true
