-- What a role needs that may only look: everything but arguments and results, and those through the
-- views, which hide secret arguments.
GRANT USAGE ON SCHEMA jobqueue TO {role};
GRANT SELECT ON jobqueue.schema_version, jobqueue.all_jobs, jobqueue.dead_jobs, jobqueue.queues,
    jobqueue.tasks, jobqueue.workers, jobqueue.cancel_requests, jobqueue.all_schedules,
    jobqueue.schedule_ticks, jobqueue.leader, jobqueue.limits, jobqueue.rates, jobqueue.pauses,
    jobqueue.queue_places, jobqueue.expirations, jobqueue.autoscaling, jobqueue.alerts,
    jobqueue.queue_samples, jobqueue.fleet_sample, jobqueue.queue_counts, jobqueue.queue_metrics,
    jobqueue.fleet_metrics TO {role};
GRANT SELECT (id, name) ON jobqueue.schedules TO {role};
GRANT SELECT (id, run_at, enqueued_at, started_at, worker_id, priority, attempt, max_attempts, state,
    queue, task, errors, timeout_seconds, progress, progress_message, concurrency, concurrency_key,
    rate, rate_key, weight, holds, admitted_at, expires_at) ON jobqueue.jobs TO {role};
GRANT SELECT (id, run_at, enqueued_at, started_at, finished_at, worker_id, run_ms, priority, attempt,
    max_attempts, state, queue, task, errors) ON jobqueue.job_history TO {role};
GRANT SELECT (id, run_at, enqueued_at, started_at, finished_at, worker_id, priority, attempt,
    max_attempts, queue, task, errors, timeout_seconds) ON jobqueue.dead_letters TO {role};
