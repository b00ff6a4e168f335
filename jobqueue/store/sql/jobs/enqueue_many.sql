-- Enqueue one job for each object of a JSON array, in its order, in one statement.
SELECT job_id::text, outcome
FROM jobqueue.enqueue_many_v1(
    task => %(task)s::text,
    args => %(args)s::jsonb,
    queue => %(queue)s::text,
    priority => %(priority)s::integer,
    run_at => %(run_at)s::timestamptz,
    delay => make_interval(secs => %(delay_seconds)s::double precision),
    max_attempts => %(max_attempts)s::integer
)
