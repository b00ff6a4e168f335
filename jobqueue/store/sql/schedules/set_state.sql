-- Pause or resume a schedule; ticks that pass meanwhile are missed. Gives the state it was in.
WITH before AS (
    SELECT id, state FROM jobqueue.schedules WHERE name = %(name)s::text FOR UPDATE
),
changed AS (
    UPDATE jobqueue.schedules AS schedule
    SET state = %(state)s::text
    FROM before
    WHERE schedule.id = before.id AND before.state = ANY (%(from)s::text[])
)
SELECT state FROM before
