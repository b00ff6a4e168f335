-- Each queue: how many jobs in each live state, dead letters, the age in seconds of the oldest
-- available job, live workers, jobs that expired in the days that are kept, and whether it is paused.
WITH live AS (
    SELECT queue,
           count(*) FILTER (WHERE state = 'available') AS available,
           count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
           count(*) FILTER (WHERE state = 'running') AS running,
           min(run_at) FILTER (WHERE state = 'available') AS oldest
    FROM jobqueue.jobs
    GROUP BY queue
),
dead AS (
    SELECT queue, count(*) AS dead FROM jobqueue.dead_letters GROUP BY queue
),
served AS (
    SELECT queue, count(*) AS workers
    FROM jobqueue.workers CROSS JOIN LATERAL unnest(queues) AS one (queue)
    WHERE expires_at >= clock_timestamp()
    GROUP BY queue
),
expired AS (
    SELECT queue, sum(jobs)::bigint AS expired FROM jobqueue.expirations GROUP BY queue
),
named AS (
    SELECT name AS queue FROM jobqueue.queues
    UNION SELECT queue FROM live
    UNION SELECT queue FROM dead
    UNION SELECT queue FROM served
    UNION SELECT queue FROM expired
    UNION SELECT name FROM jobqueue.pauses WHERE kind = 'queue'
)
SELECT named.queue,
       coalesce(live.available, 0), coalesce(live.scheduled, 0), coalesce(live.running, 0),
       coalesce(dead.dead, 0),
       extract(epoch FROM clock_timestamp() - live.oldest)::double precision,
       coalesce(served.workers, 0), coalesce(expired.expired, 0),
       EXISTS (SELECT FROM jobqueue.pauses AS pause
               WHERE pause.kind = 'queue' AND pause.name = named.queue)
FROM named
LEFT JOIN live USING (queue)
LEFT JOIN dead USING (queue)
LEFT JOIN served USING (queue)
LEFT JOIN expired USING (queue)
ORDER BY named.queue
