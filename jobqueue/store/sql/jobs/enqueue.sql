-- Enqueue one job in the caller's transaction, through the function every language uses.
-- Most jobs need no more than this, and each further parameter costs a few microseconds.
SELECT job_id::text, outcome
FROM jobqueue.enqueue_v1(
    %(task)s::text,
    %(args)s::text::jsonb,
    %(queue)s::text,
    %(priority)s::integer,
    max_attempts => %(max_attempts)s::integer
)
