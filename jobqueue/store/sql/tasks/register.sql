-- Note the defaults of a worker's tasks, so that an enqueue from SQL uses them.
-- tasks: JSON array of {name, queue, priority, max_attempts, secrets}. Sorted, so that two workers starting
-- at once take the rows in the same order.
INSERT INTO jobqueue.tasks AS known (name, queue, priority, max_attempts, secrets)
SELECT one.name, one.queue, one.priority, one.max_attempts,
       coalesce(one.secrets, '{}')
FROM jsonb_to_recordset(%(tasks)s::jsonb)
    AS one (name text, queue text, priority smallint, max_attempts smallint, secrets text[])
ORDER BY one.name
ON CONFLICT (name) DO UPDATE
SET queue = excluded.queue, priority = excluded.priority, max_attempts = excluded.max_attempts,
    secrets = excluded.secrets, updated_at = now()
WHERE (known.queue, known.priority, known.max_attempts, known.secrets)
    IS DISTINCT FROM (excluded.queue, excluded.priority, excluded.max_attempts, excluded.secrets)
