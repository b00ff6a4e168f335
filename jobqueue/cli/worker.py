"""`jobqueue worker`: the worker process."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from typing import Annotated

import typer

from jobqueue.cli.exit_codes import Exit
from jobqueue.cli.options import DatabaseUrl, Imports, parse_seconds
from jobqueue.client.queue import JobQueue
from jobqueue.core.settings import (
    DEFAULT_CONCURRENCY,
    WorkerSettings,
    check_concurrency,
    parse_queues,
)
from jobqueue.store.database import to_conninfo
from jobqueue.worker.application import load_application
from jobqueue.worker.worker import Farewell, Worker

log = logging.getLogger("jobqueue.worker")

DIRECT_URL_VARIABLE = "JOBQUEUE_DIRECT_URL"


def worker(
    application: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME",
            help="Where your JobQueue is, as in [bold]myapp.jobs:jobs[/].",
            show_default=False,
        ),
    ],
    database_url: DatabaseUrl = None,
    direct_url: Annotated[
        str | None,
        typer.Option(
            envvar=DIRECT_URL_VARIABLE,
            show_envvar=True,
            help="The server's own URL, for LISTEN and the leader, if --database-url leads through "
            "a pooler in transaction mode (PgBouncer).",
            show_default=False,
        ),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option(
            "--queue",
            metavar="NAME[=N]",
            help="Serve this queue with N jobs at once. Repeatable. Default: the queues of the "
            "application's tasks, and `default`.",
            show_default=False,
        ),
    ] = None,
    concurrency: Annotated[
        int, typer.Option(help="Jobs at once in each queue that names no number.")
    ] = DEFAULT_CONCURRENCY,
    imports: Imports = None,
    grace: Annotated[
        float,
        typer.Option(
            parser=parse_seconds,
            metavar="TIME",
            help="After SIGTERM, how long running jobs may take to finish.",
        ),
    ] = 30.0,
    lease: Annotated[
        float,
        typer.Option(
            parser=parse_seconds,
            metavar="TIME",
            help="How long after its last heartbeat a worker's jobs are given to others.",
        ),
    ] = 30.0,
    poll: Annotated[
        float,
        typer.Option(
            parser=parse_seconds, metavar="TIME", help="Longest pause between looks when idle."
        ),
    ] = 1.0,
    connect_timeout: Annotated[
        float,
        typer.Option(
            parser=parse_seconds,
            metavar="TIME",
            help="How long to keep trying for the first connection.",
        ),
    ] = 60.0,
    history_days: Annotated[
        int, typer.Option(min=1, help="Days to keep completed and cancelled jobs.")
    ] = 7,
    processed_days: Annotated[
        int, typer.Option(min=1, help="Days to keep ids of jobs processed in a transaction.")
    ] = 30,
    transaction_connections: Annotated[
        int,
        typer.Option(min=1, help="Most connections that current_job().transaction() may use."),
    ] = 10,
    maintenance: Annotated[
        bool,
        typer.Option(
            help="Whether this worker may become the leader, which promotes, rescues and prunes."
        ),
    ] = True,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the jobs of an application's tasks.

    async tasks run on the event loop, plain functions in threads. SIGTERM or SIGINT: claim nothing
    more, finish what runs within the grace time, exit 0. What is not done by then is interrupted
    and handed back for another worker, and the exit code is 5. A second signal skips the wait.
    """
    _log_to_stderr(log_level)
    jobs = load_application(application, imports or ())
    settings = WorkerSettings(
        queues=_queues(queue, check_concurrency(concurrency), jobs),
        grace_seconds=grace,
        lease_seconds=lease,
        poll_seconds=poll,
        connect_seconds=connect_timeout,
        history_days=history_days,
        processed_days=processed_days,
        transaction_connections=transaction_connections,
        maintenance=maintenance,
    )
    url = database_url or jobs.database_url
    to_conninfo(url)  # a bad one is said before anything starts
    farewell = _run(Worker(jobs, settings, database_url=url, direct_url=direct_url))
    if farewell.interrupted:
        log.warning(
            "interrupted, and handed back for another worker: %d jobs", farewell.interrupted
        )
    log.info("stopped")
    code = Exit.INTERRUPTED if farewell.interrupted else 0
    if farewell.anything_left:
        # Python would wait for them at exit, and these never ask whether they should go on.
        log.warning(
            "left behind, still running: %d threads, %d coroutines",
            farewell.threads_left,
            farewell.coroutines_left,
        )
        logging.shutdown()
        sys.stdout.flush()
        os._exit(code)
    raise typer.Exit(code)


def _queues(specs: list[str] | None, concurrency: int, jobs: JobQueue) -> dict[str, int]:
    if specs:
        return parse_queues(specs, concurrency)
    named = {task.options.queue or "default" for task in jobs.tasks.values()}
    return dict.fromkeys(sorted(named | {"default"}), concurrency)


def _run(worker: Worker) -> Farewell:
    """Run the worker on the fastest event loop there is, and stop it on a signal."""

    async def main() -> Farewell:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
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


def _log_to_stderr(level: str) -> None:
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise typer.BadParameter(f"{level!r}: not a level; use debug, info, warning or error")
    handler = logging.StreamHandler()
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%SZ")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.basicConfig(level=number, handlers=[handler])


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(worker)
