"""What a worker's tasks say of their jobs: noted in the books for those who enqueue in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from jobqueue.client.task import Task
from jobqueue.core.priority import Priority
from jobqueue.store import workers
from jobqueue.worker.link import Link


async def enter_tasks(link: Link, tasks: Mapping[str, Task[..., Any]]) -> None:
    """Enter the defaults of `tasks`, and which of their arguments are secret."""
    entries = [
        {
            "name": task.name,
            "queue": task.options.queue,
            "priority": task.options.priority,
            "max_attempts": task.options.max_attempts,
            "secrets": task.signature.secrets,
            "expires_seconds": task.expires,
        }
        for task in tasks.values()
    ]
    await link.run(workers.register_tasks(orjson.dumps(entries).decode()))


def likely_priorities(tasks: Mapping[str, Task[..., Any]]) -> set[int]:
    """Give the priorities that jobs are likely to have: of these tasks, and the named ones."""
    return {int(named) for named in Priority} | {
        task.options.priority for task in tasks.values() if task.options.priority is not None
    }
