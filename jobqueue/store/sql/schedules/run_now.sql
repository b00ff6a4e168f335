-- Enqueue a job of a schedule now. Gives its id; no row: there is no such schedule.
SELECT jobqueue.run_schedule_v1(name)::text FROM jobqueue.schedules WHERE name = %(name)s::text
