-- Enqueue one job with a time, a timeout, a deadline, an id or keys of the caller's own; others are inserted.
-- Ids and moments travel as text: an application may have taught its connection to treat uuid, jsonb
-- and timestamptz as it likes.
SELECT job_id::text, outcome
FROM jobqueue.enqueue_v1(
    task => %(task)s::text,
    args => %(args)s::text::jsonb,
    queue => %(queue)s::text,
    priority => %(priority)s::integer,
    run_at => %(run_at)s::text::timestamptz,
    delay => make_interval(secs => %(delay_seconds)s::double precision),
    max_attempts => %(max_attempts)s::integer,
    id => %(job_id)s::text::uuid,
    idempotency_key => %(idempotency_key)s::text,
    idempotency_retention => make_interval(secs => %(idempotency_seconds)s::double precision),
    unique_key => %(unique_key)s::text,
    unique_mode => %(unique_mode)s::text,
    unique_window => make_interval(secs => %(unique_window_seconds)s::double precision),
    timeout => make_interval(secs => %(timeout_seconds)s::double precision),
    expires_at => %(expires_at)s::text::timestamptz,
    expires_in => make_interval(secs => %(expires_seconds)s::double precision)
)
