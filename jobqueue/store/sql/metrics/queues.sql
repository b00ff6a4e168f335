-- Each queue in numbers, as last sampled and as counted in five minutes; by name.
SELECT queue, available, scheduled, running, gated, blocked, dead, estimated, oldest_seconds, workers,
       completed_per_second, failed_per_second, first_failure_share, latency_p50_seconds,
       latency_p95_seconds, latency_p99_seconds, age_seconds
FROM jobqueue.queue_metrics
ORDER BY queue
