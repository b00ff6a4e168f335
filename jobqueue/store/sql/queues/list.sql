-- Every queue with what is decided for it, whether it is paused, and how many workers it should have.
SELECT queue.name, queue.concurrency, queue.history_days, queue.max_attempts, queue.target_backlog, queue.min_workers,
       queue.max_workers, pause.paused_at, pause.reason, scaling.backlog, scaling.workers,
       scaling.wanted_workers
FROM jobqueue.queues AS queue
LEFT JOIN jobqueue.pauses AS pause ON pause.kind = 'queue' AND pause.name = queue.name
LEFT JOIN jobqueue.autoscaling AS scaling ON scaling.queue = queue.name
ORDER BY queue.name
