-- Hear of jobs enqueued for queues in which this worker sleeps.
LISTEN jobqueue
