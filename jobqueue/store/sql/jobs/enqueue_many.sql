-- Enqueue one job for each object of a JSON array, in its order, in one statement.
SELECT job_id::text, outcome
FROM jobqueue.enqueue_many_v1(
    task => %(task)s::text,
    args => %(args)s::text::jsonb,
    queue => %(queue)s::text,
    priority => %(priority)s::integer,
    run_at => %(run_at)s::text::timestamptz,
    delay => make_interval(secs => %(delay_seconds)s::double precision),
    max_attempts => %(max_attempts)s::integer,
    idempotency_keys => %(idempotency_keys)s::text[],
    idempotency_retention => make_interval(secs => %(idempotency_seconds)s::double precision),
    unique_keys => %(unique_keys)s::text[],
    unique_mode => %(unique_mode)s::text,
    unique_window => make_interval(secs => %(unique_window_seconds)s::double precision),
    timeout => make_interval(secs => %(timeout_seconds)s::double precision),
    expires_at => %(expires_at)s::text::timestamptz,
    expires_in => make_interval(secs => %(expires_seconds)s::double precision)
)
