"""`jobqueue exporter` and `jobqueue health`, and the metrics port of a worker."""

from __future__ import annotations

import logging
import signal
import threading
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from jobqueue.cli.exit_codes import Exit
from jobqueue.cli.logs import LogFormatOption, LogLevel, log_to_stderr
from jobqueue.cli.options import DatabaseUrl
from jobqueue.cli.output import console, errors, visible
from jobqueue.core.errors import ConfigurationError
from jobqueue.observe.health import Health
from jobqueue.observe.logs.install import Handler, LogFormat
from jobqueue.observe.metrics.fleet import FleetMetricsCollector, FleetReader
from jobqueue.observe.metrics.server import Address, Server, parse_address
from jobqueue.observe.metrics.worker import WorkerMetrics
from jobqueue.worker.supervisor.tie import Supervised
from jobqueue.worker.worker import Worker

log = logging.getLogger("jobqueue.exporter")

PORT_VARIABLE = "JOBQUEUE_METRICS_PORT"
DEFAULT_EXPORTER_PORT = "9187"
HEALTH_SECONDS = 3.0

MetricsPort = Annotated[
    str | None,
    typer.Option(
        metavar="[HOST:]PORT",
        envvar=PORT_VARIABLE,
        show_envvar=True,
        help="Serve /metrics, /live and /ready here. Of several processes each has the next.",
        show_default=False,
    ),
]


def serve_metrics(
    worker: Worker, address: str | None, handler: Handler, supervised: Supervised | None
) -> None:
    """Serve a worker's metrics and health, if there is an address to do so."""
    if address is None:
        return
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(
        WorkerMetrics(worker.tallies, worker.outlook.standing, lambda: handler.sink.dropped)
    )
    first = parse_address(address, "--metrics-port")
    offset = 0 if supervised is None or first.port == 0 else supervised.number - 1
    own = Address(first.host, first.port + offset)
    Server(own, registry, worker.outlook.health).start(wait=supervised is not None)


def exporter(
    database_url: DatabaseUrl = None,
    port: Annotated[
        str, typer.Option(metavar="[HOST:]PORT", help="Where to serve them.")
    ] = DEFAULT_EXPORTER_PORT,
    log_level: LogLevel = "info",
    log_format: LogFormatOption = LogFormat.AUTO,
) -> None:
    """Serve the metrics of the whole fleet to Prometheus.

    One is enough for a database. It reads what the leader samples every few seconds, and never
    counts jobs itself. What is too old to be true is left out, and its age is shown.
    """
    log_to_stderr(log_level, log_format, None)
    reader = FleetReader(database_url)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(FleetMetricsCollector(reader))

    def health(kind: str) -> Health:
        failed = kind == "ready" and reader.failed
        return Health(("the database does not answer",) if failed else ())

    server = Server(parse_address(port, "--port"), registry, health)
    server.start()
    reader.start()
    log.info("exporter: serves port %d", server.port)
    until_stopped()
    reader.stop()
    server.close()


def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopped = threading.Event()

    def stop(_: int, __: object) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    stopped.wait()


def health(
    metrics_port: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            envvar=PORT_VARIABLE,
            show_envvar=True,
            help="The worker's own.",
            show_default=False,
        ),
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Ask whether it is alive, not whether it is ready.")
    ] = False,
) -> None:
    """Ask a worker here whether it is well, for the health check of a container.

    Exit 0: it is ready (or alive). Exit 1: it is not, or nothing answers; the reason is printed.
    """
    if metrics_port is None:
        raise ConfigurationError(
            f"health: no port to ask; set {PORT_VARIABLE} for this command and its worker, or pass "
            "--metrics-port to both"
        )
    address = parse_address(metrics_port, "--metrics-port")
    host = f"[{address.host}]" if ":" in address.host else address.host or "127.0.0.1"
    path = "live" if live else "ready"
    try:
        with urllib.request.urlopen(f"http://{host}:{address.port}/{path}", timeout=HEALTH_SECONDS):
            console.print(f"{path}: yes")
            return
    except urllib.error.HTTPError as error:
        reason = error.read().decode("utf-8", "replace").strip()
    except (OSError, ValueError, HTTPException) as error:
        reason = f"nothing answers at {address}: {error}"
    errors.print(f"{path}: no ({visible(reason)})", markup=False)
    raise typer.Exit(Exit.FAILED)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command()(exporter)
    app.command()(health)
