-- Drop the schedules that an application's code made and no longer names; their rows stay. One that
-- somebody has paused stays so, for the code may come back. One that is over is declared no more.
-- Gives the names of those dropped.
WITH gone AS (
    UPDATE jobqueue.schedules
    SET state = CASE state WHEN 'finished' THEN state ELSE 'dropped' END,
        declared = CASE state WHEN 'finished' THEN NULL ELSE declared END
    WHERE source = 'code' AND application = %(application)s::text AND name <> ALL (%(names)s::text[])
      AND (state IN ('active', 'broken') OR state = 'finished' AND declared IS NOT NULL)
    RETURNING name, state
)
SELECT name FROM gone WHERE state = 'dropped' ORDER BY name
