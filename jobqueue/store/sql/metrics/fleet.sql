-- The fleet in one row.
SELECT workers, draining, slots, lost_slots, jobs_inserted, jobs_deleted, dead_tuples,
       oldest_transaction_seconds, late_schedules, schedule_late_seconds, took_ms, age_seconds
FROM jobqueue.fleet_metrics
