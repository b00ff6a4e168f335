-- Of the jobs of each queue that lately ended, or failed and are to run again: how many, and how many
-- of them have failed at least once. Looks at the 5,000 that were enqueued last and have ended, the
-- 5,000 newest dead letters and the 5,000 jobs that are due next.
-- seconds: what is lately. unkept: tasks that leave no history, of which only failures would be seen.
WITH seen AS (
    (SELECT ended.queue, ended.task, ended.errors IS NOT NULL AS failed, ended.finished_at AS at
     FROM (SELECT id, queue, task, errors, finished_at, state
           FROM jobqueue.job_history ORDER BY id DESC LIMIT 5000) AS ended
     WHERE ended.state = 'completed')
    UNION ALL
    (SELECT queue, task, true, finished_at
     FROM jobqueue.dead_letters ORDER BY finished_at DESC LIMIT 5000)
    UNION ALL
    (SELECT next.queue, next.task, true,
            -- Anybody may have written errors: what is no moment must not end the look.
            CASE WHEN pg_input_is_valid(next.errors -> -1 ->> 'failed_at', 'timestamptz')
                 THEN (next.errors -> -1 ->> 'failed_at')::timestamptz END
     FROM (SELECT queue, task, errors
           FROM jobqueue.jobs AS job
           WHERE job.state = 'scheduled' ORDER BY job.run_at LIMIT 5000) AS next
     WHERE next.errors IS NOT NULL)
)
SELECT queue, count(*), count(*) FILTER (WHERE failed)
FROM seen
WHERE at > now() - make_interval(secs => %(seconds)s::double precision)
  AND task <> ALL (%(unkept)s::text[])
GROUP BY queue
