-- Forget what was counted more than a day ago.
WITH gone AS (
    DELETE FROM jobqueue.queue_counts WHERE minute < clock_timestamp() - interval '1 day'
    RETURNING minute
)
SELECT count(*) FROM gone
