-- Forget ticks that were decided about more than `days` ago and whose jobs have ended, at most `limit`.
-- index: schedule_ticks_decided_at
WITH gone AS (
    DELETE FROM jobqueue.schedule_ticks AS tick
    WHERE (tick.schedule_id, tick.tick_at) IN (
        SELECT old.schedule_id, old.tick_at FROM jobqueue.schedule_ticks AS old
        WHERE old.decided_at < now() - make_interval(days => %(days)s)
          AND old.state NOT IN ('enqueued', 'waiting')
        ORDER BY old.decided_at
        LIMIT %(limit)s
    )
    RETURNING 1
)
SELECT count(*) FROM gone
