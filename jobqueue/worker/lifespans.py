"""Opening an application's resources in a worker process or a child, and closing them again."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from time import monotonic
from typing import Any, cast

from jobqueue.client.resources import Resources
from jobqueue.core.around import Ended, Hook, Step, aperform, perform
from jobqueue.core.errors import LifespanError
from jobqueue.core.outcome import named

log = logging.getLogger("jobqueue.worker")

# How long closing them may take in a worker, all of them together.
CLOSE_SECONDS = 5.0
# For one that was told to stop closing, on the event loop.
LAST_SECONDS = 0.5


class Lifespans:
    """Holds the lifespans of a process; `resources` has what they have opened.

    close_seconds: how long closing them may take, all of them together.
    """

    def __init__(self, hooks: Sequence[Hook], close_seconds: float = CLOSE_SECONDS) -> None:
        self._hooks = hooks
        self._close_seconds = close_seconds
        self._opened: dict[str, Any] = {}
        self._owners: dict[str, str] = {}
        self._held: list[_Held] = []
        self.resources = Resources(self._opened)

    @property
    def any(self) -> bool:
        """Whether the application has any."""
        return bool(self._hooks)

    @property
    def open(self) -> bool:
        """Whether anything is open."""
        return bool(self._held)

    async def enter(self) -> None:
        """Open them, the first registered first, unless that was done.

        Raises LifespanError for one that cannot be opened; those before it are closed then.
        """
        if self._held:
            return
        try:
            for hook in self._hooks:
                self._held.append(_Held(hook))
                self._take(hook, await self._held[-1].opened())
        except BaseException:
            await self.leave()
            raise

    async def leave(self) -> int:
        """Close them in reverse, whatever they do. Gives how many coroutines run on."""
        deadline = monotonic() + self._close_seconds
        left = 0
        while self._held:
            share = max(0.0, deadline - monotonic()) / len(self._held)
            left += await self._held.pop().close(share)
        return left

    def _take(self, hook: Hook, given: object) -> None:
        if given is None:
            return
        if not isinstance(given, Mapping):
            raise LifespanError(
                f"lifespan {hook.name!r}: yields a {type(given).__name__}, no mapping; "
                "yield {'name': resource}"
            )
        resources = cast("Mapping[object, Any]", given)
        for name, resource in resources.items():
            if not isinstance(name, str):
                raise LifespanError(
                    f"lifespan {hook.name!r}: yields a resource under {name!r}; name it by text"
                )
            if name in self._owners:
                raise LifespanError(
                    f"lifespan {hook.name!r}: yields {name!r}, as lifespan {self._owners[name]!r} "
                    "does; give one of them another name"
                )
            self._owners[name] = hook.name
            self._opened[name] = resource


class _Held:
    """One lifespan, held by an asyncio task of its own from its beginning to its end.

    Some contexts (a task group, a cancel scope) must end in the task that they began in. A plain
    generator takes each of its steps in a thread, where it may block without being in anybody's
    way, and a daemon, so that the process can end without it.
    """

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._context = copy_context()
        self._given: asyncio.Future[Ended] = asyncio.get_running_loop().create_future()
        self._over = asyncio.Event()
        self._task = asyncio.create_task(self._live(), name=f"lifespan {hook.name}")

    async def opened(self) -> object:
        """Give what it yields. Raises LifespanError."""
        given, error = await asyncio.shield(self._given)
        if error is None:
            return given
        name = self._hook.name
        if isinstance(error, StopIteration | StopAsyncIteration):
            raise LifespanError(
                f"lifespan {name!r}: ended without a `yield`; yield a mapping of resources, once"
            )
        raise LifespanError(
            f"lifespan {name!r}: raised {named(error)}; the worker does not start without it"
        ) from error

    async def close(self, seconds: float) -> bool:
        """Close it within so long. Gives whether its coroutine runs on regardless."""
        if not self._given.done():
            self._task.cancel()  # it is still being opened
        self._over.set()
        await asyncio.wait([self._task], timeout=seconds)
        if not self._task.done():
            log.error("lifespan %r: not closed within %.1f s; going on", self._hook.name, seconds)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=LAST_SECONDS)
        return not self._task.done()

    async def _live(self) -> None:
        generator = self._hook.function()
        is_async = self._hook.is_async
        step = generator.__anext__ if is_async else generator.__next__
        given = await self._do(step)
        self._given.set_result(given)
        if given[1] is not None:
            return
        with suppress(asyncio.CancelledError):  # as when its event loop is closed
            await self._over.wait()
        _, error = await self._do(step)
        if error is None:
            log.error("lifespan %r: yielded twice; yield once, in the middle", self._hook.name)
            await self._do(generator.aclose if is_async else generator.close)
        elif not isinstance(error, StopIteration | StopAsyncIteration | asyncio.CancelledError):
            log.error("lifespan %r: raised while closing", self._hook.name, exc_info=error)

    async def _do(self, function: Callable[[], Any]) -> Ended:
        if self._hook.is_async:
            return await aperform(Step(function, awaits=True))
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Ended] = loop.create_future()

        def run() -> None:
            result = self._context.run(perform, Step(function))
            with suppress(RuntimeError):  # nobody waits any more, and the event loop is closed
                loop.call_soon_threadsafe(_end, ended, result)

        threading.Thread(target=run, name=f"lifespan {self._hook.name}", daemon=True).start()
        return await ended


def _end(future: asyncio.Future[Ended], ended: Ended) -> None:
    if not future.done():
        future.set_result(ended)
