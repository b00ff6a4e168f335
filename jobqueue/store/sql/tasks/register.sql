-- Note the defaults of a worker's tasks, so that an enqueue from SQL uses them.
-- tasks: JSON array of {name, queue, priority, max_attempts, secrets, expires_seconds}. Sorted, so that
-- two workers starting at once take the rows in the same order.
-- What was ever secret stays so: jobs of an older release are kept with the names it gave.
INSERT INTO jobqueue.tasks AS known (
    name, queue, priority, max_attempts, secrets, expires_seconds)
SELECT one.name, one.queue, one.priority, one.max_attempts,
       coalesce(one.secrets, '{}'), one.expires_seconds
FROM jsonb_to_recordset(%(tasks)s::jsonb)
    AS one (
        name text, queue text, priority smallint, max_attempts smallint, secrets text[],
        expires_seconds double precision)
ORDER BY one.name
ON CONFLICT (name) DO UPDATE
SET queue = excluded.queue, priority = excluded.priority, max_attempts = excluded.max_attempts,
    expires_seconds = excluded.expires_seconds,
    secrets = ARRAY(
        SELECT DISTINCT secret.name
        FROM unnest(known.secrets || excluded.secrets) AS secret (name)
        ORDER BY secret.name
    ),
    updated_at = now()
WHERE (known.queue, known.priority, known.max_attempts, known.expires_seconds) IS DISTINCT FROM
      (excluded.queue, excluded.priority, excluded.max_attempts, excluded.expires_seconds)
    OR NOT excluded.secrets <@ known.secrets
