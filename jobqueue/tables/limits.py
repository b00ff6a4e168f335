"""Limits, and what is remembered of them."""

from sqlalchemy import (
    TEXT,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION, JSONB

from jobqueue.tables.metadata import MOMENT, metadata

FALSE = text("false")
LONG_AGO = text("'-infinity'")

limits = Table(
    "limits",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("kind", TEXT, CheckConstraint("kind IN ('rate', 'concurrency')"), nullable=False),
    Column("amount", Integer),
    Column("per_seconds", DOUBLE_PRECISION),
    Column("burst", Integer, nullable=False, server_default=text("1")),
    Column("ordered", Boolean, nullable=False, server_default=FALSE),
    Column("fair", Boolean, nullable=False, server_default=FALSE),
    Column("ahead", Integer, nullable=False, server_default=text("100")),
    Column("weights", JSONB, nullable=False, server_default=text("'{}'")),
    Column("held_until", MOMENT),
    Column("removed", Boolean, nullable=False, server_default=FALSE),
    Column("declared", JSONB),
    Column("turn", TEXT, nullable=False, server_default=text("''")),
    Column("waiting", Boolean, nullable=False, server_default=FALSE),
    Column("updated_at", MOMENT, nullable=False, server_default=text("now()")),
)

rates = Table(
    "rates",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("key", TEXT, primary_key=True),
    Column("free_at", DOUBLE_PRECISION, nullable=False, server_default=LONG_AGO),
    Column("last_at", DOUBLE_PRECISION, nullable=False, server_default=LONG_AGO),
    Column("credit", Integer, nullable=False, server_default=text("0")),
    Column("heaviest", Integer, nullable=False, server_default=text("1")),
    Column("held_until", DOUBLE_PRECISION, nullable=False, server_default=LONG_AGO),
    Column("look_at", DOUBLE_PRECISION),
)
Index("rates_look_at", rates.c.look_at, postgresql_where=rates.c.look_at.is_not(None))

gate_calls = Table(
    "gate_calls",
    metadata,
    Column("name", TEXT, primary_key=True),
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("key", TEXT),
    Column("unused_at", DOUBLE_PRECISION),
    Column("weight", Integer),
)

queue_places = Table(
    "queue_places",
    metadata,
    Column("queue", TEXT, primary_key=True),
    Column(
        "worker_id",
        BigInteger,
        ForeignKey("jobqueue.workers.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("places", Integer, nullable=False),
    Column("wants", Integer, nullable=False),
)
Index("queue_places_worker_id", queue_places.c.worker_id)
