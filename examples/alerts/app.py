"""An application whose alerts go to a webhook and to a mailbox.

    ALERT_WEBHOOK=https://chat.example.org/hooks/… ALERT_MAIL_TO=oncall@example.org \\
    ALERT_SMTP=mail.example.org:587 ALERT_MAIL_FROM=jobqueue@example.org \\
        jobqueue worker examples.alerts.app:jobs

Only the worker that leads calls the hooks, so that each alert is told once.
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
from dataclasses import asdict
from email.message import EmailMessage
from urllib.request import Request, urlopen

from jobqueue import Alert, AlertRules, JobQueue

# Less than a hook may take, ten seconds.
TIMEOUT_SECONDS = 5.0
# What this fleet calls too much; all other limits are as they come.
LIMITS = AlertRules(depth=10_000, depth_for=120)

jobs = JobQueue()
jobs.alert_rules = LIMITS


@jobs.task
async def work(number: int) -> None:
    """Stand for what your application does."""


@jobs.on_alert
def post_to_webhook(alert: Alert) -> None:
    """Post it as JSON, with the `text` that chat programs show."""
    url = os.environ.get("ALERT_WEBHOOK")
    if not url:
        return
    body = json.dumps({"text": headline(alert), **asdict(alert)}, default=str).encode()
    request = Request(url, body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=TIMEOUT_SECONDS):
        pass  # an answer that is no success raises, and is logged


@jobs.on_alert
def send_mail(alert: Alert) -> None:
    """Send it as a mail, encrypted on the way where the server can."""
    recipient = os.environ.get("ALERT_MAIL_TO")
    if not recipient:
        return
    mail = EmailMessage()
    mail["From"] = os.environ.get("ALERT_MAIL_FROM", recipient)
    mail["To"] = recipient
    mail["Subject"] = headline(alert)
    mail.set_content(
        f"{alert.message}\n\nsince {alert.since:%F %T %Z}\n"
        "What to do: jobqueue doctor; jobqueue stats\n"
    )
    host, _, port = os.environ.get("ALERT_SMTP", "localhost:25").partition(":")
    with smtplib.SMTP(host, int(port or 25), timeout=TIMEOUT_SECONDS) as server:
        if server.has_extn("starttls"):
            server.starttls(context=ssl.create_default_context())
        server.send_message(mail)


def headline(alert: Alert) -> str:
    """Say it in a line, without line breaks whatever a queue is called."""
    line = f"[{alert.severity if alert.active else 'over'}] {alert.message}"
    return " ".join(line.split())
