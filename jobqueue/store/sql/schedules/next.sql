-- The seconds until the next tick of all schedules; NULL if there is none.
-- index: schedules_due
SELECT extract(epoch FROM min(next_at) - clock_timestamp())::double precision
FROM jobqueue.schedules
WHERE state = 'active'
