-- Enqueue one job in the caller's transaction, through the function every language uses.
-- Ids travel as text: an application may have taught its connection to read uuid as it likes.
SELECT job_id::text, outcome
FROM jobqueue.enqueue_v1(
    task => %(task)s::text,
    args => %(args)s::jsonb,
    queue => %(queue)s::text,
    priority => %(priority)s::integer,
    run_at => %(run_at)s::timestamptz,
    delay => make_interval(secs => %(delay_seconds)s::double precision),
    max_attempts => %(max_attempts)s::integer,
    id => %(job_id)s::uuid
)
