-- Forget how many jobs expired on days that ended more than `days` ago.
DELETE FROM jobqueue.expirations
WHERE day < (now() AT TIME ZONE 'UTC')::date - %(days)s::integer
RETURNING queue
