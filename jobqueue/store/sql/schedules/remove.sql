-- Remove a schedule. Jobs it has enqueued stay, and so do its ticks for a while; one that waits is
-- skipped.
WITH gone AS (
    DELETE FROM jobqueue.schedules WHERE name = %(name)s::text RETURNING id, source
),
skipped AS (
    UPDATE jobqueue.schedule_ticks AS tick SET state = 'skipped'
    FROM gone
    WHERE tick.schedule_id = gone.id AND tick.state = 'waiting'
)
SELECT source FROM gone
