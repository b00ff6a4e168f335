-- Delete dead letters by id.
DELETE FROM jobqueue.dead_letters WHERE id = ANY (%(ids)s::uuid[]) RETURNING id::text
