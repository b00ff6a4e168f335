-- Remove a limit: everybody passes, until it is set again or code declares it otherwise.
UPDATE jobqueue.limits SET removed = true, held_until = NULL, updated_at = now()
WHERE name = %(name)s::text AND NOT removed
RETURNING name
