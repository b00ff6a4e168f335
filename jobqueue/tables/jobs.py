"""Jobs, what is kept of them, and the workers that run them."""

from sqlalchemy import (
    TEXT,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BYTEA,
    DOUBLE_PRECISION,
    JSONB,
    REAL,
    UUID,
)

from jobqueue.tables.metadata import MOMENT, metadata

STATES = "state IN ('scheduled', 'available', 'running', 'blocked', 'waiting', 'gated')"

schema_version = Table(
    "schema_version",
    metadata,
    Column("version", Integer, nullable=False),
    Column("oldest_supported", Integer, nullable=False),
    Column("only_row", Boolean, CheckConstraint("only_row"), primary_key=True),
)

leader = Table(
    "leader",
    metadata,
    Column("worker", TEXT, nullable=False),
    Column("backend_pid", Integer, nullable=False),
    Column("since", MOMENT, nullable=False),
    Column(
        "only_row",
        Boolean,
        CheckConstraint("only_row"),
        primary_key=True,
        server_default=text("true"),
    ),
)

queues = Table(
    "queues",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("created_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("history_days", Integer),
    Column("max_attempts", SmallInteger),
    Column("target_backlog", Integer),
    Column("min_workers", Integer, nullable=False, server_default=text("0")),
    Column("max_workers", Integer),
    Column("concurrency", Integer, CheckConstraint("concurrency >= 1")),
)

tasks = Table(
    "tasks",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("queue", TEXT, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("max_attempts", SmallInteger),
    Column("updated_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("secrets", ARRAY(TEXT), nullable=False, server_default=text("'{}'")),
    Column("expires_seconds", DOUBLE_PRECISION),
)

workers = Table(
    "workers",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("hostname", TEXT, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("queues", ARRAY(TEXT), nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("started_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("heartbeat_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("expires_at", MOMENT, nullable=False),
    Column("sleeping", ARRAY(TEXT), nullable=False, server_default=text("'{}'")),
    Column("draining", Boolean, nullable=False, server_default=text("false")),
    Column("home", TEXT, nullable=False, server_default=text("''")),
    Column("tasks", ARRAY(TEXT)),
    Column("lost_slots", Integer, nullable=False, server_default=text("0")),
    Column("clock_ahead_seconds", DOUBLE_PRECISION),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("run_at", MOMENT, nullable=False),
    Column("enqueued_at", MOMENT, nullable=False),
    Column("started_at", MOMENT),
    Column("worker_id", BigInteger),
    Column("lease", BigInteger),
    Column("priority", SmallInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False, server_default=text("0")),
    Column("max_attempts", SmallInteger, nullable=False),
    Column("state", TEXT, CheckConstraint(STATES), nullable=False),
    Column("queue", TEXT, nullable=False),
    Column("task", TEXT, nullable=False),
    Column("args", JSONB, nullable=False),
    Column("errors", JSONB),
    Column("unique_key", TEXT),
    Column("unique_hash", BYTEA),
    Column("unique_asked", MOMENT),
    Column("contested", JSONB),
    Column("timeout_seconds", REAL),
    Column("progress", REAL),
    Column("progress_message", TEXT),
    Column("expires_at", MOMENT),
    Column("concurrency", TEXT),
    Column("concurrency_key", TEXT),
    Column("rate", TEXT),
    Column("rate_key", TEXT),
    Column("weight", Integer),
    Column("holds", Boolean),
    Column("admitted_at", MOMENT),
)
Index(
    "jobs_claim",
    jobs.c.queue,
    jobs.c.priority,
    jobs.c.run_at,
    jobs.c.id,
    postgresql_where=jobs.c.state == text("'available'"),
)
Index(
    "jobs_scheduled",
    jobs.c.run_at,
    postgresql_where=jobs.c.state == text("'scheduled'"),
)

Index(
    "jobs_unique",
    jobs.c.unique_hash,
    unique=True,
    postgresql_where=jobs.c.unique_hash.is_not(None),
)
Index("jobs_contested", jobs.c.id, postgresql_where=jobs.c.contested.is_not(None))
Index(
    "jobs_at_concurrency",
    *(jobs.c.concurrency, jobs.c.concurrency_key, jobs.c.priority, jobs.c.run_at, jobs.c.id),
    postgresql_where=text("state = 'gated' AND holds IS NULL"),
)
Index(
    "jobs_at_rate",
    *(jobs.c.rate, jobs.c.rate_key, jobs.c.priority, jobs.c.run_at, jobs.c.id),
    postgresql_where=text("state = 'gated' AND (holds OR concurrency IS NULL)"),
)
Index("jobs_holding", jobs.c.concurrency, jobs.c.concurrency_key, postgresql_where=text("holds"))
Index(
    "jobs_expiring",
    jobs.c.expires_at,
    postgresql_where=text("expires_at IS NOT NULL AND state <> 'running'"),
)

job_history = Table(
    "job_history",
    metadata,
    Column("id", UUID, nullable=False),
    Column("run_at", MOMENT, nullable=False),
    Column("enqueued_at", MOMENT, nullable=False),
    Column("started_at", MOMENT),
    Column("finished_at", MOMENT, nullable=False),
    Column("worker_id", BigInteger),
    Column("run_ms", REAL),
    Column("priority", SmallInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("max_attempts", SmallInteger, nullable=False),
    Column("state", TEXT, nullable=False),
    Column("queue", TEXT, nullable=False),
    Column("task", TEXT, nullable=False),
    Column("args", JSONB, nullable=False),
    Column("errors", JSONB),
    Column("result", JSONB),
    postgresql_partition_by="RANGE (finished_at)",
)
Index("job_history_id", job_history.c.id)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", UUID, primary_key=True),
    Column("run_at", MOMENT, nullable=False),
    Column("enqueued_at", MOMENT, nullable=False),
    Column("started_at", MOMENT),
    Column("finished_at", MOMENT, nullable=False),
    Column("worker_id", BigInteger),
    Column("priority", SmallInteger, nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("max_attempts", SmallInteger, nullable=False),
    Column("queue", TEXT, nullable=False),
    Column("task", TEXT, nullable=False),
    Column("args", JSONB, nullable=False),
    Column("errors", JSONB, nullable=False),
    Column("timeout_seconds", REAL),
)
Index("dead_letters_finished_at", dead_letters.c.finished_at)
Index("dead_letters_queue", dead_letters.c.queue)

all_jobs = Table(
    "all_jobs",
    metadata,
    Column("id", UUID),
    Column("task", TEXT),
    Column("queue", TEXT),
    Column("state", TEXT),
    Column("priority", SmallInteger),
    Column("args", JSONB),
    Column("attempt", SmallInteger),
    Column("max_attempts", SmallInteger),
    Column("errors", JSONB),
    Column("enqueued_at", MOMENT),
    Column("run_at", MOMENT),
    Column("started_at", MOMENT),
    Column("finished_at", MOMENT),
    Column("run_ms", REAL),
    Column("worker_id", BigInteger),
    Column("timeout_seconds", REAL),
    Column("progress", REAL),
    Column("progress_message", TEXT),
    Column("cancel_requested_at", MOMENT),
    Column("result", JSONB),
    info={"is_view": True},
)

dead_jobs = Table(
    "dead_jobs",
    metadata,
    Column("id", UUID),
    Column("task", TEXT),
    Column("queue", TEXT),
    Column("state", TEXT),
    Column("priority", SmallInteger),
    Column("args", JSONB),
    Column("attempt", SmallInteger),
    Column("max_attempts", SmallInteger),
    Column("errors", JSONB),
    Column("enqueued_at", MOMENT),
    Column("run_at", MOMENT),
    Column("started_at", MOMENT),
    Column("finished_at", MOMENT),
    Column("run_ms", REAL),
    Column("worker_id", BigInteger),
    info={"is_view": True},
)

new_jobs = Table(
    "new_jobs",
    metadata,
    Column("id", UUID),
    Column("run_at", MOMENT),
    Column("enqueued_at", MOMENT),
    Column("priority", SmallInteger),
    Column("max_attempts", SmallInteger),
    Column("state", TEXT),
    Column("queue", TEXT),
    Column("task", TEXT),
    Column("args", JSONB),
    info={"is_view": True},
)

sleepers = Table(
    "sleepers",
    metadata,
    Column("sleeping", ARRAY(TEXT)),
    info={"is_view": True},
)

processed_ids = Table(
    "processed_ids",
    metadata,
    Column("job_id", UUID, primary_key=True),
    Column("processed_at", MOMENT, nullable=False, server_default=text("now()")),
)
Index("processed_ids_processed_at", processed_ids.c.processed_at)

cancel_requests = Table(
    "cancel_requests",
    metadata,
    Column("job_id", UUID, primary_key=True),
    Column("requested_at", MOMENT, primary_key=True, server_default=text("clock_timestamp()")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("hash", BYTEA, primary_key=True),
    Column("task", TEXT, nullable=False),
    Column("key", TEXT, nullable=False),
    Column("job_id", UUID, nullable=False),
    Column("expires_at", MOMENT, nullable=False),
)
Index("idempotency_keys_expires_at", idempotency_keys.c.expires_at)

throttles = Table(
    "throttles",
    metadata,
    Column("hash", BYTEA, primary_key=True),
    Column("opens_at", MOMENT, nullable=False),
)
Index("throttles_opens_at", throttles.c.opens_at)
