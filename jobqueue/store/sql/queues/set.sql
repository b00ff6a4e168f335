-- Set what is decided for a queue: the columns named in `changes` become what it holds for them.
INSERT INTO jobqueue.queues AS known (
    name, concurrency, history_days, max_attempts, target_backlog, min_workers, max_workers)
SELECT %(name)s::text, one.concurrency, one.history_days, one.max_attempts, one.target_backlog,
       coalesce(one.min_workers, 0), one.max_workers
FROM jsonb_to_record(%(changes)s::jsonb) AS one (
    concurrency integer, history_days integer, max_attempts smallint, target_backlog integer, min_workers integer,
    max_workers integer)
ON CONFLICT (name) DO UPDATE SET
    concurrency = CASE WHEN %(changes)s::jsonb ? 'concurrency'
        THEN excluded.concurrency ELSE known.concurrency END,
    history_days = CASE WHEN %(changes)s::jsonb ? 'history_days'
        THEN excluded.history_days ELSE known.history_days END,
    max_attempts = CASE WHEN %(changes)s::jsonb ? 'max_attempts'
        THEN excluded.max_attempts ELSE known.max_attempts END,
    target_backlog = CASE WHEN %(changes)s::jsonb ? 'target_backlog'
        THEN excluded.target_backlog ELSE known.target_backlog END,
    min_workers = CASE WHEN %(changes)s::jsonb ? 'min_workers'
        THEN excluded.min_workers ELSE known.min_workers END,
    max_workers = CASE WHEN %(changes)s::jsonb ? 'max_workers'
        THEN excluded.max_workers ELSE known.max_workers END
RETURNING name
