"""Saying that a queue is served here of which nothing is known: its name may be misspelt."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from jobqueue.client.task import Task
from jobqueue.core.names import DEFAULT_QUEUE
from jobqueue.store import workers
from jobqueue.worker.link import Link

log = logging.getLogger("jobqueue.worker")


async def tell_of_new_queues(
    link: Link, queues: Mapping[str, int], tasks: Mapping[str, Task[..., Any]]
) -> None:
    """Warn of each queue that no task goes to and nobody has used; only its first worker does."""
    [new] = await link.run(workers.new_queues([one for one in queues if one != DEFAULT_QUEUE]))
    used = sorted({repr(task.options.queue) for task in tasks.values()})
    for queue in new:
        log.warning(
            "queue %r: no task goes there, no job waits in it, and no worker has served it before; "
            "if its name is misspelt, give --queue another (tasks go to: %s)",
            *(queue, ", ".join(used)),
        )
