-- Drop the schedules that an application's code made and no longer names; their rows stay.
-- Gives their names.
UPDATE jobqueue.schedules
SET state = 'dropped'
WHERE source = 'code' AND application = %(application)s::text AND name <> ALL (%(names)s::text[])
  AND state IN ('active', 'paused', 'broken')
RETURNING name
