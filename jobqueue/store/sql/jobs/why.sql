-- What the books say of a job, and of what it may be waiting for. The jobs ahead of it are counted no
-- further than `most`, whatever their tasks.
-- index: jobs_pkey, jobs_claim, jobs_at_concurrency, jobs_at_rate, jobs_holding.
WITH job AS (
    SELECT id, task, queue, state, priority, run_at, started_at, worker_id, expires_at,
           concurrency, concurrency_key, rate, rate_key, holds
    FROM jobqueue.jobs WHERE id = %(id)s::uuid
    UNION ALL
    SELECT past.id, past.task, past.queue, past.state, past.priority, past.run_at, past.started_at,
           past.worker_id, NULL, NULL, NULL, NULL, NULL, NULL
    FROM jobqueue.job_history AS past WHERE past.id = %(id)s::uuid
    UNION ALL
    SELECT dead.id, dead.task, dead.queue, 'dead', dead.priority, dead.run_at, dead.started_at,
           dead.worker_id, NULL, NULL, NULL, NULL, NULL, NULL
    FROM jobqueue.dead_letters AS dead WHERE dead.id = %(id)s::uuid
    LIMIT 1
),
able AS (
    SELECT count(*) FILTER (WHERE serves) AS serving,
           count(*) FILTER (WHERE serves AND knows) AS knowing,
           count(*) FILTER (WHERE knows AND NOT serves) AS elsewhere,
           count(*) FILTER (WHERE serves AND knows AND sleeps) AS sleeping
    FROM (
        SELECT job.queue = ANY (worker.queues) AS serves,
               -- One of an older release does not say.
               worker.tasks IS NULL OR job.task = ANY (worker.tasks) AS knows,
               job.queue = ANY (worker.sleeping) AS sleeps
        FROM job CROSS JOIN jobqueue.workers AS worker
        WHERE worker.expires_at > clock_timestamp() AND NOT worker.draining
    ) AS one
)
SELECT job.task, job.queue, job.state,
       (SELECT worker.name FROM jobqueue.workers AS worker WHERE worker.id = job.worker_id),
       job.started_at, clock_timestamp(),
       extract(epoch FROM job.run_at - clock_timestamp())::double precision,
       extract(epoch FROM job.expires_at - clock_timestamp())::double precision,
       of_queue.paused_at, of_queue.reason, of_task.paused_at, of_task.reason,
       of_key.name, of_key.key, of_key.paused_at, of_key.reason,
       CASE WHEN job.state = 'available' THEN (
           SELECT count(*) FROM (
               SELECT FROM jobqueue.jobs AS other
               WHERE other.queue = job.queue AND other.state = 'available'
                 AND (other.priority, other.run_at, other.id) < (job.priority, job.run_at, job.id)
               -- In the order of the index: else a queue with none ahead may be read to its end.
               ORDER BY other.priority, other.run_at, other.id
               LIMIT %(most)s::integer
           ) AS ahead)
       ELSE 0 END,
       %(most)s::integer,
       able.serving, able.knowing, able.elsewhere, able.sleeping,
       EXISTS (SELECT FROM pg_catalog.pg_locks AS held
               WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
                 AND held.database = (SELECT oid FROM pg_catalog.pg_database
                                      WHERE datname = current_database())
                 AND held.classid = (%(key)s::bigint >> 32)::integer::oid
                 AND held.objid = (%(key)s::bigint & 4294967295)::oid),
       (SELECT queue.concurrency FROM jobqueue.queues AS queue WHERE queue.name = job.queue),
       (SELECT coalesce(sum(mine.places), 0) FROM jobqueue.queue_places AS mine
        WHERE mine.queue = job.queue),
       gate.name, gate.key, gate.kind, gate.amount, gate.per_seconds, gate.held_seconds,
       gate.free_seconds, gate.ahead, gate.holding
FROM job
CROSS JOIN able
LEFT JOIN LATERAL (
    SELECT stop.name, stop.key, rule.kind, rule.amount, rule.per_seconds,
           greatest(of_key.held_until, date_part('epoch', rule.held_until))
               - date_part('epoch', clock_timestamp()) AS held_seconds,
           of_key.free_at - date_part('epoch', clock_timestamp()) AS free_seconds,
           CASE WHEN stop.at_concurrency THEN (
               SELECT count(*) FROM (
                   SELECT FROM jobqueue.jobs AS other
                   WHERE other.concurrency = stop.name AND other.concurrency_key = stop.key
                     AND other.state = 'gated' AND other.holds IS NULL
                     AND (other.priority, other.run_at, other.id) < (job.priority, job.run_at, job.id)
                   ORDER BY other.priority, other.run_at, other.id
                   LIMIT %(most)s::integer
               ) AS ahead)
           ELSE (
               SELECT coalesce(sum(ahead.weight), 0) FROM (
                   SELECT coalesce(other.weight, 1) AS weight FROM jobqueue.jobs AS other
                   WHERE other.rate = stop.name AND other.rate_key = stop.key
                     AND other.state = 'gated' AND (other.holds OR other.concurrency IS NULL)
                     AND (other.priority, other.run_at, other.id) < (job.priority, job.run_at, job.id)
                   ORDER BY other.priority, other.run_at, other.id
                   LIMIT %(most)s::integer
               ) AS ahead)
           END AS ahead,
           (SELECT count(*) FROM (
               SELECT FROM jobqueue.jobs AS other
               WHERE other.concurrency = stop.name AND other.concurrency_key = stop.key AND other.holds
               LIMIT rule.amount
           ) AS one) AS holding
    FROM (
        SELECT at.at_concurrency,
               CASE WHEN at.at_concurrency THEN job.concurrency ELSE job.rate END AS name,
               CASE WHEN at.at_concurrency THEN job.concurrency_key ELSE job.rate_key END AS key
        FROM (SELECT job.concurrency IS NOT NULL AND job.holds IS NULL AS at_concurrency) AS at
    ) AS stop
    LEFT JOIN jobqueue.limits AS rule ON rule.name = stop.name
    LEFT JOIN jobqueue.rates AS of_key ON of_key.name = stop.name AND of_key.key = stop.key
    WHERE job.state = 'gated'
) AS gate ON true
LEFT JOIN LATERAL (
    SELECT known.name, known.key, known.paused_at, known.reason FROM jobqueue.pauses AS known
    WHERE known.kind = 'key'
      AND ((known.name = job.concurrency AND known.key = job.concurrency_key)
           OR (known.name = job.rate AND known.key = job.rate_key))
    ORDER BY known.paused_at LIMIT 1
) AS of_key ON true
LEFT JOIN jobqueue.pauses AS of_queue ON of_queue.kind = 'queue' AND of_queue.name = job.queue
LEFT JOIN jobqueue.pauses AS of_task ON of_task.kind = 'task' AND of_task.name = job.task
