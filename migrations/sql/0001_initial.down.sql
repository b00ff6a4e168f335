-- Takes away everything 0001 made, jobs included. The schema stays: Alembic's table is in it.
DROP VIEW jobqueue.all_jobs;
DROP FUNCTION jobqueue.enqueue_v1, jobqueue.enqueue_many_v1, jobqueue.check_enqueue,
    jobqueue.cancel_v1, jobqueue.retry_v1, jobqueue.redrive_v1, jobqueue.redrive_many_v1,
    jobqueue.make_history_partitions, jobqueue.drop_history_partitions,
    jobqueue.wake, jobqueue.uuid_v7;
DROP TABLE jobqueue.jobs, jobqueue.job_history, jobqueue.dead_letters, jobqueue.workers,
    jobqueue.tasks, jobqueue.queues, jobqueue.schema_version;
DROP SEQUENCE jobqueue.leases;
