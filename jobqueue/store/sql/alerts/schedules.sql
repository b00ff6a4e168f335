-- Schedules whose tick is overdue, and by how many seconds.
-- index: schedules_due
SELECT schedule.name, extract(epoch FROM clock_timestamp() - schedule.next_at)::double precision
FROM jobqueue.schedules AS schedule
WHERE schedule.state = 'active'
  AND schedule.next_at < now() - make_interval(secs => %(seconds)s::double precision)
ORDER BY schedule.next_at
LIMIT 100
