"""Running a worker, or a supervisor with several, to its end."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence

from jobqueue.cli.exit_codes import Exit
from jobqueue.worker.supervisor.supervised_worker import SupervisedWorker
from jobqueue.worker.supervisor.supervisor import Supervisor, SupervisorSettings
from jobqueue.worker.worker import Farewell, Worker

log = logging.getLogger("jobqueue.worker")


def run(worker: Worker) -> int:
    """Run the worker until a signal stops it. Gives the exit code; some ends are the process's."""
    farewell = _run(worker)
    if farewell.interrupted:
        log.warning(
            "interrupted, and handed back for another worker; jobs: %d", farewell.interrupted
        )
    log.info("stopped")
    code = Exit.INTERRUPTED if farewell.interrupted else 0
    if farewell.replace:
        code = Exit.REPLACE
    threads = _threads_left(farewell)
    if threads or farewell.coroutines_left:
        # Python would wait for them at exit, and these never ask whether they should go on.
        log.warning(
            "left behind, still running; threads: %d, coroutines: %d",
            threads,
            farewell.coroutines_left,
        )
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    return code


def _threads_left(farewell: Farewell) -> int:
    """Count the threads that run on: those of jobs, and those that jobs have started."""
    started = [one for one in threading.enumerate() if one is not threading.main_thread()]
    return farewell.threads_left + sum(1 for one in started if not one.daemon)


def _run(worker: Worker) -> Farewell:
    """Run the worker on the fastest event loop there is, and stop it on a signal."""

    async def main() -> Farewell:
        if not isinstance(worker, SupervisedWorker):
            worker.heed_signals([signal.SIGTERM, signal.SIGINT], worker.stop)
        return await worker.run()

    try:
        import uvloop  # noqa: PLC0415 - an optional extra
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    runner = asyncio.Runner(loop_factory=factory)
    farewell = runner.run(main())
    if not farewell.anything_left:
        runner.close()
    return farewell


def supervise(settings: SupervisorSettings) -> int:
    """Run several workers until a signal stops them. Gives the worst of their exit codes."""
    # Each is started by the words that started this process; the environment tells it what it is.
    command = [sys.executable, *sys.orig_argv[1:]]

    async def main() -> list[int]:
        return await Supervisor(command, settings).run()

    code = _worst(asyncio.run(main()))
    log.info("all stopped")
    return code


def _worst(codes: Sequence[int]) -> int:
    """Give the code that tells most: a failure before an interruption before a good end."""
    told = [Exit.FAILED if code < 0 else code for code in codes]
    return max(told, key=lambda code: (code != 0, code != Exit.INTERRUPTED))
