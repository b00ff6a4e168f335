-- Takes away samples, counts and their views.
UPDATE jobqueue.schema_version SET version = 6;
DROP VIEW jobqueue.queue_metrics, jobqueue.fleet_metrics;
DROP FUNCTION jobqueue.latency_quantile;
DROP TABLE jobqueue.queue_samples, jobqueue.fleet_sample, jobqueue.queue_counts;
DROP INDEX jobqueue.dead_letters_queue;
