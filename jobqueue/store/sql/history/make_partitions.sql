-- Make the history partitions of today and the days ahead.
SELECT jobqueue.make_history_partitions()
