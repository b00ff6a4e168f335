"""Finding out whether connections share server sessions, as behind a pooler in transaction mode."""

from __future__ import annotations

from jobqueue.core.errors import ConfigurationError
from jobqueue.worker.link import Link

# One look may miss it: on a busy pooler two connections meet different sessions by chance.
LOOKS = 5


async def refuse_shared_sessions(subject: str, one: Link, other: Link) -> None:
    """Return if each of two links has a server session of its own; nothing is set in either.

    subject: what leads both to the server, for the message.
    Raises ConfigurationError if they share sessions, and psycopg.OperationalError if either
    connection is lost meanwhile, which says nothing about sharing.
    """
    ones, others = set[int](), set[int]()
    for _ in range(LOOKS):
        # One after the other: side by side, a pooler has to give them different sessions.
        ones.add(await one.server_process())
        others.add(await other.server_process())
    # Judged only now: both connections have lived through it, so these are of one server.
    if len(ones) > 1 or len(others) > 1 or ones & others:
        raise ConfigurationError(
            f"{subject}: connections share sessions, as behind a pooler in transaction mode; "
            "give the server's own URL with --direct-url (or JOBQUEUE_DIRECT_URL)"
        )
