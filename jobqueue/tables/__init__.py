"""The job tables as SQLAlchemy metadata, for an application's own queries.

    from sqlalchemy import func, select
    from jobqueue.tables import all_jobs

    session.execute(select(all_jobs.c.state, func.count()).group_by(all_jobs.c.state))

The migrations make the tables; this only describes them, and a test holds the two equal. Query
them as you like. To change jobs, call the SQL functions (`jobqueue.cancel_v2` and its like).
"""

from jobqueue.tables.alerts import alerts
from jobqueue.tables.flow import autoscaling, expirations, pauses
from jobqueue.tables.jobs import (
    all_jobs,
    cancel_requests,
    dead_jobs,
    dead_letters,
    idempotency_keys,
    job_history,
    jobs,
    leader,
    new_jobs,
    processed_ids,
    queues,
    schema_version,
    sleepers,
    tasks,
    throttles,
    workers,
)
from jobqueue.tables.limits import gate_calls, limits, queue_places, rates
from jobqueue.tables.metadata import metadata
from jobqueue.tables.metrics import (
    fleet_metrics,
    fleet_sample,
    queue_counts,
    queue_metrics,
    queue_samples,
)
from jobqueue.tables.schedules import all_schedules, schedule_ticks, schedules

__all__ = [
    "alerts",
    "all_jobs",
    "all_schedules",
    "autoscaling",
    "cancel_requests",
    "dead_jobs",
    "dead_letters",
    "expirations",
    "fleet_metrics",
    "fleet_sample",
    "gate_calls",
    "idempotency_keys",
    "job_history",
    "jobs",
    "leader",
    "limits",
    "metadata",
    "new_jobs",
    "pauses",
    "processed_ids",
    "queue_counts",
    "queue_metrics",
    "queue_places",
    "queue_samples",
    "queues",
    "rates",
    "schedule_ticks",
    "schedules",
    "schema_version",
    "sleepers",
    "tasks",
    "throttles",
    "workers",
]
