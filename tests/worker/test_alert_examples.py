"""The examples of hooks, before a web server and a mail server of the test's own."""

from __future__ import annotations

import email
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from email import policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.error import HTTPError

import pytest
from aiosmtpd.controller import Controller

from examples.alerts import app
from jobqueue import Alert
from jobqueue.core.alerts import Rule, Severity
from jobqueue.worker.maintenance import alert as duty
from tests.chaos.servers import free_port
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

ALERT = Alert(
    rule=Rule.DEPTH,
    severity=Severity.CRITICAL,
    subject="e\nmail",
    active=True,
    value=10_001,
    threshold=10_000,
    since=datetime(2030, 1, 31, 8, tzinfo=UTC),
    at=datetime(2030, 1, 31, 8, 2, tzinfo=UTC),
    message="queue 'e\\nmail': more than 10,000 jobs wait",
)


class Receiver(HTTPServer):
    """A web server that keeps what was posted. answer: its status."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posted: list[dict[str, Any]] = []
        self.answer = 200


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(json.loads(body))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("ALERT_WEBHOOK", f"http://127.0.0.1:{server.server_port}/hook")
        yield server
        server.shutdown()
        thread.join()


class Mailbox:
    def __init__(self) -> None:
        self.mails: list[Any] = []

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        self.mails.append(email.message_from_bytes(envelope.content, policy=policy.default))
        return "250 ok"


@pytest.fixture
def mailbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    it = Mailbox()
    port = free_port()
    controller = Controller(it, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setenv("ALERT_SMTP", f"127.0.0.1:{port}")
    monkeypatch.setenv("ALERT_MAIL_TO", "oncall@example.org")
    yield it
    controller.stop()


def test_an_alert_is_posted_with_a_text_for_people(webhook: Receiver) -> None:
    app.post_to_webhook(ALERT)
    [posted] = webhook.posted
    assert posted["text"] == "[critical] queue 'e\\nmail': more than 10,000 jobs wait"
    assert (posted["rule"], posted["active"], posted["value"]) == ("depth", True, 10_001)
    assert posted["since"] == "2030-01-31 08:00:00+00:00"


def test_a_webhook_that_refuses_raises_for_the_log(webhook: Receiver) -> None:
    webhook.answer = 500
    with pytest.raises(HTTPError):
        app.post_to_webhook(ALERT)


def test_an_alert_is_mailed(mailbox: Mailbox) -> None:
    app.send_mail(ALERT)
    [mail] = mailbox.mails
    assert mail["To"] == "oncall@example.org"
    assert mail["Subject"] == "[critical] queue 'e\\nmail': more than 10,000 jobs wait"
    assert "since 2030-01-31 08:00:00 UTC" in mail.get_content()


def test_without_an_address_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALERT_WEBHOOK", "ALERT_MAIL_TO"):
        monkeypatch.delenv(name, raising=False)
    app.post_to_webhook(ALERT)
    app.send_mail(ALERT)


def test_a_dead_letter_reaches_both_while_the_leader_works(
    books: Books, webhook: Receiver, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duty, "PAUSE_SECONDS", 0.05)

    async def scenario() -> None:
        async with running(app.jobs, books.url):
            books.bury("work", queue="email")
            await auntil(lambda: webhook.posted and mailbox.mails, what="both are told")

    play(scenario())
    assert webhook.posted[0]["text"] == "[critical] queue 'email': dead letters: 1"
    assert mailbox.mails[0]["Subject"] == "[critical] queue 'email': dead letters: 1"
