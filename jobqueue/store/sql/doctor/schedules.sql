-- Schedules that do not do what they say: whose rule cannot be used, whose tick is overdue, or whose
-- task no worker has, though there are workers.
-- seconds: from which lateness on.
SELECT name, task, state, problem, overdue_seconds, task_known
FROM jobqueue.all_schedules
WHERE state = 'broken'
   OR (state = 'active' AND overdue_seconds > %(seconds)s::double precision)
   OR (state = 'active' AND NOT task_known
       AND EXISTS (SELECT FROM jobqueue.workers WHERE expires_at >= clock_timestamp()))
ORDER BY name
LIMIT 50
