"""The application that the children load: well-behaved tasks, and every kind of misbehaviour."""

from tests.worker.processes.tasks import (
    behaved,
    deaths,
    endings,
    memory,
    mischief,
    printing,
    stopping,
    transactions,
)
from tests.worker.processes.tasks.registry import jobs

__all__ = [
    "behaved",
    "deaths",
    "endings",
    "jobs",
    "memory",
    "mischief",
    "printing",
    "stopping",
    "transactions",
]
