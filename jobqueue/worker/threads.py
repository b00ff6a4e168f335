"""The pool for plain functions: threads, so that their waiting does not stop the event loop."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any


class Threads:
    """Runs functions in threads, each with a copy of the caller's context variables."""

    def __init__(self, most: int) -> None:
        self._executor = ThreadPoolExecutor(most, thread_name_prefix="jobqueue")
        self._busy = 0
        self._counting = threading.Lock()

    @property
    def busy(self) -> int:
        """Threads in which a function still runs, also one nobody waits for any more."""
        return self._busy

    async def call(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        """Run `function` and wait for it. Raises what it raises."""
        context = copy_context()

        def run() -> BaseException | None:
            with self._counting:
                self._busy += 1
            # The error travels as a value: some, like StopIteration, cannot cross a future.
            try:
                result = context.run(function, *args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - handed to the caller, whatever it is
                return error
            finally:
                with self._counting:
                    self._busy -= 1
            if inspect.iscoroutine(result):
                result.close()
                return TypeError("returned a coroutine that nobody runs; make the task async def")
            return None

        error = await asyncio.get_running_loop().run_in_executor(self._executor, run)
        if error is not None:
            raise error

    def close(self) -> None:
        """Let the threads end when they are done; wait for none."""
        self._executor.shutdown(wait=False, cancel_futures=True)
