-- Delete up to `limit` dead letters that fit every filter given, oldest first.
-- index: dead_letters_finished_at
DELETE FROM jobqueue.dead_letters
WHERE id = ANY (ARRAY(
    SELECT id
    FROM jobqueue.dead_letters
    WHERE (%(queue)s::text IS NULL OR queue = %(queue)s::text)
      AND (%(task)s::text IS NULL OR task = %(task)s::text)
      AND (%(died_before)s::timestamptz IS NULL OR finished_at < %(died_before)s::timestamptz)
    ORDER BY finished_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
))
RETURNING id::text
