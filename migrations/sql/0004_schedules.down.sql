-- Takes away schedules and their ticks. Jobs that ticks have enqueued stay.
UPDATE jobqueue.schema_version SET version = 3;
DROP VIEW jobqueue.all_schedules;
DROP TABLE jobqueue.schedules, jobqueue.schedule_ticks, jobqueue.leader;
DROP FUNCTION jobqueue.run_schedule_v1, jobqueue.advance_schedules, jobqueue.enqueue_ticks,
    jobqueue.tick_job_id, jobqueue.wake_leader, jobqueue.schedule_changes;
ALTER TABLE jobqueue.workers DROP COLUMN tasks, DROP COLUMN lost_slots;
