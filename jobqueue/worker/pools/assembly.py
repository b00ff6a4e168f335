"""Making the pools that a worker's tasks need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from jobqueue.client.context import Attempt
from jobqueue.client.task import Task
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.settings import WorkerSettings
from jobqueue.store.claims import Claimed
from jobqueue.worker.lease import Lease
from jobqueue.worker.pools import Pool
from jobqueue.worker.pools.event_loop import EventLoop
from jobqueue.worker.pools.processes import ChildProcesses
from jobqueue.worker.pools.threads import Threads
from jobqueue.worker.processes import Limits, Processes


class Assembly:
    """The pools of a worker, by the names that tasks know them by.

    application, imports: what child processes load; needed if any task runs in one.
    lease: without which no job begins, however far it is on its way.
    begun: called when an attempt in a child begins.
    on_time_until: gives when the moment of a job is over, by `clock`; None if it has none.

    Raises ConfigurationError if a task runs in a process and there is no application to load.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task[..., Any]],
        settings: WorkerSettings,
        *,
        url: str | None,
        pooled: bool,
        application: str | None,
        imports: Iterable[str],
        lease: Lease,
        begun: Callable[[Attempt], None],
        on_time_until: Callable[[Claimed], float | None],
    ) -> None:
        slots = sum(settings.queues.values())
        threads = settings.pool_threads or slots
        self.threads = Threads(
            threads,
            limited=threads < slots,
            may_begin=lease.lasts,
            on_time_until=on_time_until,
        )
        self.by_name: dict[str, Pool] = {"async": EventLoop(), "thread": self.threads}
        self._children: ChildProcesses | None = None
        in_processes = [name for name, task in tasks.items() if task.pool == "process"]
        if not in_processes:
            return
        if application is None:
            raise ConfigurationError(
                f"task {in_processes[0]!r}: runs in a process of its own, which has to import the "
                "application; start it with `jobqueue worker MODULE:NAME`, or give "
                "Worker(..., application='MODULE:NAME')"
            )
        limits = Limits(
            max_jobs=settings.process_jobs,
            max_memory_bytes=settings.process_memory_bytes,
            memory_limit_bytes=settings.process_address_bytes,
            interrupt_seconds=settings.stop_seconds,
        )
        processes = Processes(
            application,
            imports,
            size=settings.pool_processes,
            database_url=url,
            pooled=pooled,
            limits=limits,
            lease_ends=lambda: lease.ends,
        )
        self.by_name["process"] = self._children = ChildProcesses(processes, begun, on_time_until)

    @property
    def processes_lost(self) -> int:
        """How many child processes died with a job in them."""
        return 0 if self._children is None else self._children.lost

    async def stop(self) -> None:
        """End the child processes, which run nothing any more."""
        if self._children is not None:
            await self._children.close()

    def close(self) -> None:
        """Let threads end when they are done."""
        self.threads.close()
