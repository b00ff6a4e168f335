"""What is paused, what expired, and how many workers there should be."""

from sqlalchemy import (
    DATE,
    TEXT,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Integer,
    Table,
    text,
)

from jobqueue.tables.metadata import MOMENT, metadata

pauses = Table(
    "pauses",
    metadata,
    Column("kind", TEXT, CheckConstraint("kind IN ('queue', 'task', 'key')"), primary_key=True),
    Column("name", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True, server_default=text("''")),
    Column("reason", TEXT),
    Column("paused_at", MOMENT, nullable=False, server_default=text("clock_timestamp()")),
)

expirations = Table(
    "expirations",
    metadata,
    Column("queue", TEXT, primary_key=True),
    Column("day", DATE, primary_key=True),
    Column("jobs", BigInteger, nullable=False),
)

autoscaling = Table(
    "autoscaling",
    metadata,
    Column("queue", TEXT),
    Column("backlog", BigInteger),
    Column("target_backlog", Integer),
    Column("min_workers", Integer),
    Column("max_workers", Integer),
    Column("workers", BigInteger),
    Column("wanted_workers", BigInteger),
    Column("paused", Boolean),
    info={"is_view": True},
)
