"""Judge by the rules for alerts, and tell the hooks what has begun and what is over."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from functools import partial
from time import monotonic

from jobqueue.client.queue import JobQueue
from jobqueue.core.alerts import Alert, AlertRules, Sample, beyond
from jobqueue.core.around import Ended, Hook, Step, aperform, perform
from jobqueue.store import alerts
from jobqueue.store.alerts import Untold
from jobqueue.worker.link import Link
from jobqueue.worker.maintenance.leader import Duty

log = logging.getLogger("jobqueue.worker")

PAUSE_SECONDS = 5.0
# A look that takes long is made less often: one part of the time in so many, at most.
REST = 20.0
# While hooks are being told: what they have been told is noted soon.
TELLING_SECONDS = 0.2
HOOK_SECONDS = 10.0


def alert(jobs: JobQueue) -> Duty | None:
    """Give the duty that watches for an application; None if nobody is to be told."""
    if not jobs.hooks.alerts:
        return None
    unkept = [task.name for task in jobs.tasks.values() if not task.history]
    return Watch(jobs.hooks.alerts, jobs.alert_rules, unkept)


class Watch:
    """Looks again and again; the hooks are called beside it, so that nothing waits for them."""

    def __init__(self, hooks: tuple[Hook, ...], rules: AlertRules, unkept: list[str]) -> None:
        self._hooks = hooks
        self._rules = rules
        self._unkept = unkept
        self._look_due = monotonic()
        self._one_at_a_time = asyncio.Lock()
        self._telling: dict[tuple[object, ...], tuple[Untold, asyncio.Task[None]]] = {}

    async def __call__(self, session: Link) -> float:
        """Look if it is time, and note what the hooks have been told."""
        for one, task in [*self._telling.values()]:
            if task.done():
                await session.run(alerts.told(one))
                del self._telling[one.key]
        if monotonic() >= self._look_due:
            began = monotonic()
            await self._look(session)
            self._look_due = monotonic() + max(PAUSE_SECONDS, (monotonic() - began) * REST)
        pause = max(0.0, self._look_due - monotonic())
        return min(pause, TELLING_SECONDS) if self._telling else pause

    async def _look(self, session: Link) -> None:
        sample = await self._sample(session)
        found = list(beyond(sample, self._rules))
        await session.run(alerts.advance(found, self._rules.clear_for))
        for one in await session.run(alerts.untold()):
            if one.key not in self._telling:
                log.warning("alert: %s", one.alert.message)
                self._telling[one.key] = one, asyncio.create_task(self._tell(one.alert))

    async def _sample(self, session: Link) -> Sample:
        """Ask for what the rules look at, and nothing else."""
        rules = self._rules
        watches_failures = rules.failures is not None or rules.failures_warning is not None
        return Sample(
            queues=await session.run(alerts.queues((rules.depth or 0) + 1)),
            ended=await session.run(alerts.failures(rules.failures_window, self._unkept))
            if watches_failures
            else (),
            dead_letters=dict(await session.run(alerts.dead_letters()))
            if rules.dead_letters is not None
            else {},
            late_schedules=dict(await session.run(alerts.late_schedules(rules.schedule_late)))
            if rules.schedule_late is not None
            else {},
        )

    async def _tell(self, told: Alert) -> None:
        async with self._one_at_a_time:
            for hook in self._hooks:
                await _call(hook, told)


async def _call(hook: Hook, told: Alert) -> None:
    """Call a hook, and wait for it for as long as it may take."""
    step = Step(partial(hook.function, told), awaits=hook.is_async)
    calling = asyncio.ensure_future(aperform(step) if hook.is_async else _in_a_thread(step))
    await asyncio.wait([calling], timeout=HOOK_SECONDS)
    if not calling.done():
        calling.cancel()
        log.error("on_alert %r: takes longer than %g s; going on", hook.name, HOOK_SECONDS)
    elif not calling.cancelled() and (error := calling.result()[1]) is not None:
        log.error("on_alert %r: raised", hook.name, exc_info=error)


def _in_a_thread(step: Step) -> asyncio.Future[Ended]:
    """Do a step in a thread of its own, which keeps no process from ending."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Ended] = loop.create_future()

    def end(result: Ended) -> None:
        if not ended.done():
            ended.set_result(result)

    def run() -> None:
        result = perform(step)
        with suppress(RuntimeError):  # the event loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(end, result)

    threading.Thread(target=run, name="on_alert", daemon=True).start()
    return ended
