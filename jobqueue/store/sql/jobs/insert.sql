-- Insert one job that needs no decision: a fresh id, due now, no keys. One statement and no function,
-- since a function would cost a third of it; a sleeping worker is notified on the way.
INSERT INTO jobqueue.new_jobs (
    id, run_at, enqueued_at, priority, max_attempts, state, queue, task, args)
VALUES (
    %(id)s::text::uuid, statement_timestamp(), statement_timestamp(), %(priority)s::integer,
    %(max_attempts)s::integer,
    CASE WHEN EXISTS (
        SELECT FROM jobqueue.sleepers AS worker WHERE worker.sleeping @> ARRAY[%(queue)s::text]
    )
    THEN (SELECT 'available' FROM pg_catalog.pg_notify('jobqueue', %(queue)s::text))
    ELSE 'available' END,
    %(queue)s::text, %(task)s::text, %(args)s::text::jsonb
)
