"""The ids of jobs that a schedule's ticks enqueued: they say for when.

Such an id is a UUID of version 8, RFC 9562: the tick in milliseconds since 1970 where version 7 has
the time, eleven bits by which we know it is ours, one that says whether the job is a catch-up, and
62 random ones. So a job knows when it was due for, and no other job pays for that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

VERSION = 8
MARK = 0x5C4
"""The eleven bits, and a twelfth for a catch-up; `jobqueue.tick_job_id` writes the same."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def scheduled_for(job_id: UUID) -> datetime | None:
    """Give the tick for which the job was enqueued; None if no tick did it."""
    if not _is_ours(job_id):
        return None
    return EPOCH + timedelta(milliseconds=job_id.int >> 80)


def is_catch_up(job_id: UUID) -> bool:
    """Whether the job makes up for a tick that was missed."""
    return _is_ours(job_id) and bool(job_id.int >> 64 & 1)


def _is_ours(job_id: UUID) -> bool:
    return job_id.version == VERSION and job_id.int >> 64 & 0xFFE == MARK
