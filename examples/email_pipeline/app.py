"""The application: people sign up, and each of them gets a welcome mail."""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage
from typing import Any

import psycopg

from jobqueue import JobQueue, Retry, current_job

jobs = JobQueue()  # JOBQUEUE_DATABASE_URL, read when it is needed


class MailRefusedError(Exception):
    """The mail server refuses the recipient for good; trying again cannot help."""


def sign_up(connection: psycopg.Connection[Any], name: str, email: str) -> None:
    """Add a user and enqueue the welcome mail, in the caller's transaction: both or neither."""
    [(user_id,)] = connection.execute(
        "INSERT INTO users (name, email) VALUES (%s, %s) RETURNING id", [name, email]
    ).fetchall()
    send_welcome.enqueue(connection, user_id=user_id)


@jobs.task(queue="email", retry=Retry(attempts=5, give_up_on=MailRefusedError))
def send_welcome(user_id: int) -> None:
    """Send a user the welcome mail.

    A refusal for good makes the job a dead letter at once. Any other error, such as a mail server
    that says "later", has it tried again after 1, 2, 4 and 8 seconds and some jitter.
    """
    with jobs.connect() as connection:
        user = connection.execute(
            "SELECT name, email FROM users WHERE id = %s", [user_id]
        ).fetchone()
    if user is None:
        return  # the account was deleted meanwhile: nobody to welcome
    name, email = user
    send(welcome_mail(name, email))


def welcome_mail(name: str, email: str) -> EmailMessage:
    """Write the welcome mail."""
    mail = EmailMessage()
    mail["From"] = "hello@example.com"
    mail["To"] = email
    mail["Subject"] = f"Welcome, {name}!"
    # A worker that dies between the mail server's yes and its own note of it sends the mail twice.
    # The job's id is the same both times, so whoever receives it can tell.
    mail["X-Job-Id"] = str(current_job().id)
    mail.set_content(f"Hello {name},\n\nit is good to have you here.\n")
    return mail


def send(mail: EmailMessage) -> None:
    """Hand a mail to the server that SMTP_SERVER names, as `host:port`.

    Raises MailRefusedError if the recipient is refused for good.
    """
    try:
        with smtplib.SMTP(
            os.environ["SMTP_SERVER"], local_hostname="app.example.com", timeout=10
        ) as server:
            server.send_message(mail)
    except smtplib.SMTPRecipientsRefused as refused:
        [(code, reason)] = refused.recipients.values()
        if code >= 500:
            raise MailRefusedError(f"{mail['To']}: {code} {reason.decode()}") from refused
        raise
