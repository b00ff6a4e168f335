"""What is decided for queues, through a connection of the application's."""

from __future__ import annotations

from typing import Unpack

from jobqueue.client import connections
from jobqueue.client.remedies import ask, ask_async
from jobqueue.core.names import check_queue_name
from jobqueue.core.policies import QueuePolicies, policy_changes
from jobqueue.store import queues as statements
from jobqueue.store.queues import QueueRecord


class Policies:
    """The part of a JobQueue that decides for queues."""

    def set_queue(
        self, connection: object, queue: str, /, **policies: Unpack[QueuePolicies]
    ) -> None:
        """Decide for a queue: those of its policies that are given; see QueuePolicies.

        Workers heed `concurrency` within about a second of the commit. Raises ConfigurationError
        for a policy that is unknown or out of range.
        """
        changes = policy_changes(check_queue_name(queue), policies)
        ask(connections.adapted(connection).execute, statements.set_queue(queue, changes))

    async def aset_queue(
        self, connection: object, queue: str, /, **policies: Unpack[QueuePolicies]
    ) -> None:
        """Decide for a queue through an asynchronous `connection`; see `set_queue`."""
        changes = policy_changes(check_queue_name(queue), policies)
        execute = connections.adapted_async(connection).execute
        await ask_async(execute, statements.set_queue(queue, changes))

    def queues(self, connection: object, /) -> list[QueueRecord]:
        """List the queues: what is decided for each, and whether it is paused."""
        return ask(connections.adapted(connection).execute, statements.list_queues())

    async def aqueues(self, connection: object, /) -> list[QueueRecord]:
        """List the queues through an asynchronous `connection`; see `queues`."""
        execute = connections.adapted_async(connection).execute
        return await ask_async(execute, statements.list_queues())
