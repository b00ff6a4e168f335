-- Drop the history of days that ended more than `days` ago.
SELECT jobqueue.drop_history_partitions(now() - make_interval(days => %(days)s))
