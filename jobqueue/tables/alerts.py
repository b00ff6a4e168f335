"""What is beyond its limit."""

from sqlalchemy import TEXT, Boolean, Column, Table, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION

from jobqueue.tables.metadata import MOMENT, metadata

alerts = Table(
    "alerts",
    metadata,
    Column("rule", TEXT, primary_key=True),
    Column("severity", TEXT, primary_key=True),
    Column("subject", TEXT, primary_key=True),
    Column("value", DOUBLE_PRECISION, nullable=False),
    Column("threshold", DOUBLE_PRECISION, nullable=False),
    Column("for_seconds", DOUBLE_PRECISION, nullable=False),
    Column("since", MOMENT, nullable=False, server_default=text("now()")),
    Column("seen_at", MOMENT, nullable=False, server_default=text("now()")),
    Column("started_at", MOMENT),
    Column("cleared_at", MOMENT),
    Column("told", Boolean, nullable=False, server_default=text("false")),
)
