-- Enqueue one job for each object of a JSON array, in its order, under the limits of their task.
SELECT job_id::text, outcome
FROM jobqueue.enqueue_gated_v1(
    task => %(task)s::text,
    args => %(args)s::text::jsonb,
    queue => %(queue)s::text,
    priority => %(priority)s::integer,
    run_at => %(run_at)s::text::timestamptz,
    delay => make_interval(secs => %(delay_seconds)s::double precision),
    max_attempts => %(max_attempts)s::integer,
    ids => %(ids)s::text[]::uuid[],
    idempotency_keys => %(idempotency_keys)s::text[],
    idempotency_retention => make_interval(secs => %(idempotency_seconds)s::double precision),
    unique_keys => %(unique_keys)s::text[],
    unique_mode => %(unique_mode)s::text,
    unique_window => make_interval(secs => %(unique_window_seconds)s::double precision),
    timeout => make_interval(secs => %(timeout_seconds)s::double precision),
    concurrency => %(concurrency)s::text,
    concurrency_keys => %(concurrency_keys)s::text[],
    rate => %(rate)s::text,
    rate_keys => %(rate_keys)s::text[],
    weight => %(weight)s::integer,
    expires_at => %(expires_at)s::text::timestamptz,
    expires_in => make_interval(secs => %(expires_seconds)s::double precision)
)
