-- Note how deep each queue is. The cost is bounded whatever the tables hold.
-- While the table of jobs has no more than `pages` all of it is counted, so that the numbers are
-- exact. Of a larger one a sample of `sampled_pages` is counted and reckoned up. The available jobs of
-- each queue are then also counted one by one, up to its part of `jobs`; a queue that has fewer has an
-- exact number, and small queues are not overlooked beside large ones. Dead letters are counted up to
-- the same part.
-- Queues are found by leaps over the index, so that one with millions of jobs costs no more than
-- another. Those of which nothing is left leave the samples.
-- index: jobs_claim, from queue to queue and from priority to priority.
-- index: dead_letters_queue.
WITH RECURSIVE size AS MATERIALIZED (
    SELECT pages, pages > %(pages)s AS large,
           CASE WHEN pages > %(pages)s THEN pages::double precision / %(sampled_pages)s
                ELSE 1 END AS times
    FROM (
        SELECT pg_relation_size('jobqueue.jobs') / current_setting('block_size')::bigint AS pages
    ) AS jobs
),
heads AS (
    (
        SELECT queue, priority, run_at FROM jobqueue.jobs
        WHERE state = 'available' ORDER BY queue, priority, run_at, id LIMIT 1
    )
    UNION ALL
    SELECT next.queue, next.priority, next.run_at
    FROM heads CROSS JOIN LATERAL (
        SELECT job.queue, job.priority, job.run_at FROM jobqueue.jobs AS job
        WHERE job.state = 'available' AND (job.queue, job.priority) > (heads.queue, heads.priority)
        ORDER BY job.queue, job.priority, job.run_at, job.id LIMIT 1
    ) AS next
),
oldest AS MATERIALIZED (
    SELECT queue, min(run_at) AS due_at
    FROM (SELECT * FROM heads LIMIT %(queues)s) AS leaps GROUP BY queue
),
part AS MATERIALIZED (
    SELECT greatest(%(jobs)s / greatest(count(*), 1), 100) AS jobs FROM oldest
),
counted AS MATERIALIZED (
    SELECT oldest.queue, (
        SELECT count(*) FROM (
            SELECT FROM jobqueue.jobs AS job
            WHERE job.state = 'available' AND job.queue = oldest.queue LIMIT (SELECT jobs FROM part)
        ) AS few
    ) AS available
    FROM oldest
    WHERE (SELECT large FROM size)
),
sampled AS MATERIALIZED (
    SELECT queue, state, count(*) AS jobs
    FROM jobqueue.jobs
        TABLESAMPLE SYSTEM (100 / (SELECT times FROM size))
    GROUP BY queue, state
),
depths AS (
    SELECT queue,
           sum(jobs) FILTER (WHERE state = 'available') AS available,
           sum(jobs) FILTER (WHERE state = 'scheduled') AS scheduled,
           sum(jobs) FILTER (WHERE state = 'running') AS running,
           sum(jobs) FILTER (WHERE state = 'gated') AS gated,
           sum(jobs) FILTER (WHERE state IN ('blocked', 'waiting')) AS blocked
    FROM sampled GROUP BY queue
),
buried AS (
    (SELECT queue FROM jobqueue.dead_letters ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT next.queue
    FROM buried CROSS JOIN LATERAL (
        SELECT letter.queue FROM jobqueue.dead_letters AS letter
        WHERE letter.queue > buried.queue ORDER BY letter.queue LIMIT 1
    ) AS next
),
dead AS (
    SELECT found.queue, (
        SELECT count(*) FROM (
            SELECT FROM jobqueue.dead_letters AS letter
            WHERE letter.queue = found.queue LIMIT (SELECT jobs FROM part)
        ) AS few
    ) AS dead
    FROM (SELECT * FROM buried LIMIT %(queues)s) AS found
),
named AS (
    SELECT name AS queue FROM jobqueue.queues
    UNION SELECT queue FROM oldest
    UNION SELECT queue FROM depths
    UNION SELECT queue FROM dead
    LIMIT %(queues)s
),
numbers AS (
    SELECT queue,
           CASE WHEN NOT large THEN coalesce(depths.available, 0)
                WHEN coalesce(counted.available, 0) < part.jobs THEN coalesce(counted.available, 0)
                ELSE greatest(counted.available, depths.available * times) END AS available,
           coalesce(depths.scheduled, 0) * times AS scheduled,
           coalesce(depths.running, 0) * times AS running,
           coalesce(depths.gated, 0) * times AS gated,
           coalesce(depths.blocked, 0) * times AS blocked,
           coalesce(dead.dead, 0) AS dead,
           large OR coalesce(dead.dead, 0) >= part.jobs AS estimated,
           oldest.due_at
    FROM named
    CROSS JOIN size
    CROSS JOIN part
    LEFT JOIN depths USING (queue)
    LEFT JOIN counted USING (queue)
    LEFT JOIN dead USING (queue)
    LEFT JOIN oldest USING (queue)
),
gone AS (
    DELETE FROM jobqueue.queue_samples AS sample
    WHERE sample.queue <> ALL (ARRAY(SELECT queue FROM named))
)
INSERT INTO jobqueue.queue_samples AS sample (
    queue, available, scheduled, running, gated, blocked, dead, estimated, oldest_due_at, taken_at)
SELECT queue, available, scheduled, running, gated, blocked, dead, estimated, due_at, clock_timestamp()
FROM numbers
ON CONFLICT (queue) DO UPDATE
SET available = excluded.available, scheduled = excluded.scheduled, running = excluded.running,
    gated = excluded.gated, blocked = excluded.blocked, dead = excluded.dead, estimated = excluded.estimated,
    oldest_due_at = excluded.oldest_due_at, taken_at = excluded.taken_at
RETURNING sample.queue
