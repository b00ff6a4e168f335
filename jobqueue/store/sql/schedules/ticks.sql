-- The latest ticks of one schedule, the newest first.
SELECT tick.tick_at, tick.state, tick.catch_up, tick.by_hand, tick.job_id, tick.decided_at,
       extract(epoch FROM tick.decided_at - tick.tick_at)::double precision, tick.finished_at
FROM jobqueue.schedule_ticks AS tick
JOIN jobqueue.schedules AS schedule ON schedule.id = tick.schedule_id
WHERE schedule.name = %(name)s::text
ORDER BY tick.tick_at DESC
LIMIT %(limit)s
