-- Enqueue the jobs of ticks that waited for the job before them, which has ended.
-- Gives how many ticks still wait.
-- index: schedule_ticks_open
WITH queued AS MATERIALIZED (
    SELECT tick.schedule_id, tick.tick_at, tick.catch_up,
           EXISTS (
               SELECT FROM jobqueue.schedule_ticks AS before
               JOIN jobqueue.jobs AS job ON job.id = before.job_id
               WHERE before.schedule_id = tick.schedule_id AND before.state = 'enqueued'
           ) AS waits
    FROM jobqueue.schedule_ticks AS tick
    WHERE tick.state = 'waiting'
      AND EXISTS (SELECT FROM jobqueue.schedules AS one WHERE one.id = tick.schedule_id)
),
released AS (
    SELECT jobqueue.enqueue_ticks(
        array_agg(schedule_id), array_agg(tick_at), array_agg(catch_up),
        array_agg(0.0::double precision)) AS jobs
    FROM queued WHERE NOT waits
    HAVING count(*) > 0
)
SELECT count(*) FROM queued
WHERE waits OR (SELECT jobs FROM released) IS NULL
