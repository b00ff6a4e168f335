"""The port on which metrics are scraped and health is asked for, served by threads of its own."""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from jobqueue.core.errors import ConfigurationError, one_line
from jobqueue.observe.health import Health

log = logging.getLogger("jobqueue.worker")

# Who connects and says nothing is hung up on.
REQUEST_SECONDS = 10.0
# Between tries to have a port that the worker before still holds.
BIND_PAUSE_SECONDS = 0.5

HIGHEST_PORT = 65_535

JSON = "application/json"
Answer = tuple[int, str, bytes]


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. host: empty for every interface."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host or '*'}:{self.port}"


def parse_address(text: str, subject: str) -> Address:
    """Read `9100`, `127.0.0.1:9100` or `[::1]:9100`. subject: whose value it is, for the error."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    is_port = re.fullmatch(r"\d{1,5}", port, re.ASCII) and int(port) <= HIGHEST_PORT
    if not is_port or not re.fullmatch(r"[\w.:%-]{0,253}", host, re.ASCII):
        raise ConfigurationError(f"{subject} {text!r}: no port; write PORT or HOST:PORT")
    return Address(host, int(port))


class Server:
    """Answers /metrics, and /live and /ready if there is health to be told."""

    def __init__(
        self, address: Address, registry: CollectorRegistry, health: Callable[[str], Health]
    ) -> None:
        self._address = address
        self._registry = registry
        self._health = health
        self._server: ThreadingHTTPServer | None = None
        self._closed = threading.Event()

    @property
    def port(self) -> int:
        """The port it listens on; 0 if it does not yet."""
        return 0 if self._server is None else int(self._server.server_address[1])

    def start(self, *, wait: bool = False) -> None:
        """Listen, and answer from now on.

        wait: for a port that is taken, as by the worker whose place this one takes. Otherwise
        raises ConfigurationError.
        """
        if not wait:
            self._server = self._bind()
        threading.Thread(target=self._serve, name="jobqueue metrics", daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._closed.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def _serve(self) -> None:
        told = False
        while self._server is None and not self._closed.is_set():
            try:
                self._server = self._bind()
            except ConfigurationError as error:
                if not told:
                    log.warning("%s; trying again until it is free", error)
                told = True
                time.sleep(BIND_PAUSE_SECONDS)
        if self._server is not None:
            self._server.serve_forever(poll_interval=0.2)

    def _bind(self) -> ThreadingHTTPServer:
        answers = self._answers

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS

            def do_GET(self) -> None:
                status, kind, body = answers(self.path.partition("?")[0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                log.debug("metrics: %s", format % args)

        kind = _ListeningIPv6 if ":" in self._address.host else _Listening
        try:
            return kind((self._address.host, self._address.port), Handler)
        except (OSError, UnicodeError) as error:
            raise ConfigurationError(
                f"metrics port {self._address}: cannot listen ({one_line(error)}); free it, or "
                "name another"
            ) from None

    def _answers(self, path: str) -> Answer:
        match path:
            case "/metrics":
                return HTTPStatus.OK, CONTENT_TYPE_LATEST, generate_latest(self._registry)
            case "/live" | "/ready":
                return _health(self._health(path[1:]))
            case _:
                return HTTPStatus.NOT_FOUND, JSON, _json({"paths": "/metrics /live /ready"})


class _Listening(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        log.debug("metrics: a request broke off")


class _ListeningIPv6(_Listening):
    address_family = socket.AF_INET6


def _health(health: Health) -> Answer:
    status = HTTPStatus.OK if health.good else HTTPStatus.SERVICE_UNAVAILABLE
    return status, JSON, _json({"healthy": health.good, "problems": health.problems})


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"
