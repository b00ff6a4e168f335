"""A module of tasks that the application does not import by itself."""

from __future__ import annotations

from tests.worker.processes.tasks.registry import jobs


@jobs.task
def one_more() -> str:
    return "from another module"
