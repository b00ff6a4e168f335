-- What the books say of a job, and of what it may be waiting for. The jobs ahead of it are counted no
-- further than `most`, whatever their tasks.
-- index: jobs_pkey, jobs_claim.
WITH job AS (
    SELECT id, task, queue, state, priority, run_at, started_at, worker_id, expires_at
    FROM jobqueue.jobs WHERE id = %(id)s::uuid
    UNION ALL
    SELECT past.id, past.task, past.queue, past.state, past.priority, past.run_at, past.started_at,
           past.worker_id, NULL
    FROM jobqueue.job_history AS past WHERE past.id = %(id)s::uuid
    UNION ALL
    SELECT dead.id, dead.task, dead.queue, 'dead', dead.priority, dead.run_at, dead.started_at,
           dead.worker_id, NULL
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
       job.started_at,
       extract(epoch FROM job.run_at - clock_timestamp())::double precision,
       extract(epoch FROM job.expires_at - clock_timestamp())::double precision,
       of_queue.paused_at, of_queue.reason, of_task.paused_at, of_task.reason,
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
                 AND held.objid = (%(key)s::bigint & 4294967295)::oid)
FROM job
CROSS JOIN able
LEFT JOIN jobqueue.pauses AS of_queue ON of_queue.kind = 'queue' AND of_queue.name = job.queue
LEFT JOIN jobqueue.pauses AS of_task ON of_task.kind = 'task' AND of_task.name = job.task
