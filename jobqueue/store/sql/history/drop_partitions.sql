-- Drop the history of days that ended more than `days` ago, or as long ago as the queue says that keeps
-- its own for longest.
SELECT jobqueue.drop_history_partitions(now() - make_interval(days => greatest(
    %(days)s::integer, (SELECT max(history_days) FROM jobqueue.queues))))
