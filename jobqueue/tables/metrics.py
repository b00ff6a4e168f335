"""What the leader samples and workers count, and the views that show it."""

from sqlalchemy import REAL, TEXT, BigInteger, Boolean, Column, Table, text
from sqlalchemy.dialects.postgresql import ARRAY, DOUBLE_PRECISION

from jobqueue.tables.metadata import MOMENT, metadata

queue_samples = Table(
    "queue_samples",
    metadata,
    Column("queue", TEXT, primary_key=True),
    Column("available", BigInteger, nullable=False),
    Column("scheduled", BigInteger, nullable=False),
    Column("running", BigInteger, nullable=False),
    Column("gated", BigInteger, nullable=False),
    Column("blocked", BigInteger, nullable=False),
    Column("dead", BigInteger, nullable=False),
    Column("estimated", Boolean, nullable=False),
    Column("oldest_due_at", MOMENT),
    Column("taken_at", MOMENT, nullable=False),
)

fleet_sample = Table(
    "fleet_sample",
    metadata,
    Column("taken_at", MOMENT, nullable=False),
    Column("took_ms", REAL, nullable=False),
    Column("jobs_inserted", BigInteger, nullable=False),
    Column("jobs_deleted", BigInteger, nullable=False),
    Column("dead_tuples", BigInteger, nullable=False),
    Column("oldest_transaction_seconds", DOUBLE_PRECISION),
    Column("late_schedules", BigInteger, nullable=False),
    Column("schedule_late_seconds", DOUBLE_PRECISION, nullable=False),
    Column("only_row", Boolean, primary_key=True, server_default=text("true")),
)

queue_counts = Table(
    "queue_counts",
    metadata,
    Column("minute", MOMENT, primary_key=True),
    Column("queue", TEXT, primary_key=True),
    Column("completed", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("dead", BigInteger, nullable=False),
    Column("first_attempts", BigInteger, nullable=False),
    Column("first_failures", BigInteger, nullable=False),
    Column("run_seconds", DOUBLE_PRECISION, nullable=False),
    Column("latencies", ARRAY(BigInteger), nullable=False),
)

queue_metrics = Table(
    "queue_metrics",
    metadata,
    Column("queue", TEXT),
    Column("available", BigInteger),
    Column("scheduled", BigInteger),
    Column("running", BigInteger),
    Column("gated", BigInteger),
    Column("blocked", BigInteger),
    Column("dead", BigInteger),
    Column("estimated", Boolean),
    Column("oldest_seconds", DOUBLE_PRECISION),
    Column("workers", BigInteger),
    Column("completed_per_second", DOUBLE_PRECISION),
    Column("failed_per_second", DOUBLE_PRECISION),
    Column("first_failure_share", DOUBLE_PRECISION),
    Column("latency_p50_seconds", DOUBLE_PRECISION),
    Column("latency_p95_seconds", DOUBLE_PRECISION),
    Column("latency_p99_seconds", DOUBLE_PRECISION),
    Column("taken_at", MOMENT),
    Column("age_seconds", DOUBLE_PRECISION),
    info={"is_view": True},
)

fleet_metrics = Table(
    "fleet_metrics",
    metadata,
    Column("workers", BigInteger),
    Column("draining", BigInteger),
    Column("slots", BigInteger),
    Column("lost_slots", BigInteger),
    Column("jobs_inserted", BigInteger),
    Column("jobs_deleted", BigInteger),
    Column("dead_tuples", BigInteger),
    Column("oldest_transaction_seconds", DOUBLE_PRECISION),
    Column("late_schedules", BigInteger),
    Column("schedule_late_seconds", DOUBLE_PRECISION),
    Column("took_ms", REAL),
    Column("taken_at", MOMENT),
    Column("age_seconds", DOUBLE_PRECISION),
    info={"is_view": True},
)
