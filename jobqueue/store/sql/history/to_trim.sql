-- Which days of history are to be shortened for some queues: partition, pages, queues, and whether it is
-- all queues but those.
SELECT partition, pages, queues, all_but FROM jobqueue.history_to_trim(%(days)s)
