"""`jobqueue worker`: the worker process."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from jobqueue.cli.logs import (
    LogFormatOption,
    LogJobs,
    LogLevel,
    Redact,
    RedactWith,
    log_to_stderr,
    redaction,
)
from jobqueue.cli.metrics import MetricsPort, serve_metrics
from jobqueue.cli.options import DatabaseUrl, Imports, parse_seconds
from jobqueue.cli.worker_run import run, supervise
from jobqueue.client.queue import JobQueue
from jobqueue.core.names import DEFAULT_QUEUE
from jobqueue.core.settings import (
    DEFAULT_CONCURRENCY,
    WorkerSettings,
    check_concurrency,
    parse_queues,
)
from jobqueue.observe.logs.install import LogFormat
from jobqueue.store.database import to_conninfo
from jobqueue.worker.application import load_application
from jobqueue.worker.supervisor.memory import check_measurable, parse_size
from jobqueue.worker.supervisor.reload import check_installed
from jobqueue.worker.supervisor.supervised_worker import SupervisedWorker
from jobqueue.worker.supervisor.supervisor import SupervisorSettings
from jobqueue.worker.supervisor.tie import from_environment
from jobqueue.worker.worker import Worker

DIRECT_URL_VARIABLE = "JOBQUEUE_DIRECT_URL"
PROCESSES_VARIABLE = "JOBQUEUE_PROCESSES"


def worker(
    application: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME",
            help="Where your JobQueue is, as in [bold]myapp:jobs[/].",
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
    ] = 2.0,
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
            "--leader/--no-leader",
            "--maintenance/--no-maintenance",
            help="Whether this worker may become the leader, which promotes, rescues, prunes and "
            "enqueues what schedules say.",
        ),
    ] = True,
    pool_threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads for plain functions. Default: one for each job at once.",
            show_default=False,
        ),
    ] = None,
    pool_processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Child processes for tasks with pool='process'. Default: one for each core.",
            show_default=False,
        ),
    ] = None,
    process_jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Replace such a child process after so many jobs.",
            show_default=False,
        ),
    ] = None,
    process_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Replace such a child process when it holds more after a job, as in 500MB.",
            show_default=False,
        ),
    ] = None,
    process_address_space: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Let no allocation of such a child process go beyond this: it raises MemoryError "
            "in the job.",
            show_default=False,
        ),
    ] = None,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            envvar=PROCESSES_VARIABLE,
            show_envvar=True,
            help="Worker processes. With more than one, or with --max-memory or --reload, a "
            "supervisor starts another for each that ends.",
        ),
    ] = 1,
    max_memory: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Drain a worker process that uses more, as in 500MB, and start another.",
            show_default=False,
        ),
    ] = None,
    reload: Annotated[
        bool,
        typer.Option(
            "--reload",
            help="For development: start again when a Python file under this folder changes.",
        ),
    ] = False,
    metrics_port: MetricsPort = None,
    log_level: LogLevel = "info",
    log_format: LogFormatOption = LogFormat.AUTO,
    log_jobs: LogJobs = None,
    redact: Redact = None,
    redact_with: RedactWith = None,
) -> None:
    """Run the jobs of an application's tasks.

    async tasks run on the event loop, plain functions in threads, tasks with pool="process" in
    child processes. SIGTERM or SIGINT: claim nothing
    more, finish what runs within the grace time, exit 0. What is not done by then is interrupted
    and handed back for another worker, and the exit code is 5. A second signal skips the wait.
    With several processes SIGHUP puts new ones in their places, one after the other.
    """
    supervised = from_environment()
    several = processes > 1 or max_memory is not None or reload
    if several and supervised is None:
        log_to_stderr(log_level, log_format, "supervisor")
        raise typer.Exit(supervise(_supervision(processes, grace, max_memory, reload=reload)))
    name = supervised and f"worker {supervised.number}"
    handler = log_to_stderr(log_level, log_format, name)
    jobs = load_application(application, imports or ())
    handler.redaction = redaction(jobs, redact or (), redact_with)
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
        pool_threads=pool_threads,
        pool_processes=pool_processes,
        process_jobs=process_jobs,
        process_memory_bytes=_size(process_memory, "--process-memory"),
        process_address_bytes=_size(process_address_space, "--process-address-space"),
        logged_share=log_jobs,
    )
    url = database_url or jobs.database_url
    to_conninfo(url)  # a bad one is said before anything starts
    kind = Worker if supervised is None else partial(SupervisedWorker, end=supervised.end)
    it = kind(
        jobs,
        settings,
        database_url=url,
        direct_url=direct_url,
        application=application,
        imports=imports or (),
    )
    serve_metrics(it, metrics_port, handler, supervised)
    raise typer.Exit(run(it))


def _supervision(
    processes: int, grace: float, max_memory: str | None, *, reload: bool
) -> SupervisorSettings:
    if max_memory is not None:
        check_measurable()
    if reload:
        check_installed()
    return SupervisorSettings(
        processes=processes,
        grace_seconds=grace,
        most_memory=_size(max_memory, "--max-memory"),
        watched=Path.cwd() if reload else None,
    )


def _size(text: str | None, option: str) -> int | None:
    return None if text is None else parse_size(text, option)


def _queues(specs: list[str] | None, concurrency: int, jobs: JobQueue) -> dict[str, int]:
    if specs:
        return parse_queues(specs, concurrency)
    named = {task.options.queue or DEFAULT_QUEUE for task in jobs.tasks.values()}
    return dict.fromkeys(sorted(named | {DEFAULT_QUEUE}), concurrency)


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(worker)
