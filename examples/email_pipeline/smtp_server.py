"""A mail server with the moods of a real one, in a process of its own.

It listens on a free port of 127.0.0.1, and says in a file which one.
"""

from __future__ import annotations

import argparse
import asyncio
import email
import signal
from pathlib import Path
from typing import TextIO

from aiosmtpd.smtp import SMTP, Envelope, Session

from examples.email_pipeline import record
from examples.email_pipeline.record import Mail

# One recipient in so many is told to come back later, once.
ONE_GREYLISTED_IN = 10
# How far away the server is, each way: what a sender waits for in practice.
TRAVEL_SECONDS = 0.04


class Mailboxes:
    """Answers as a mail server does: yes, later (451), or never (550).

    refused: recipients that have no mailbox here.
    received: where each mail is put on record.
    """

    def __init__(self, refused: frozenset[str], received: TextIO) -> None:
        self._refused = refused
        self._received = received
        self._asked_to_wait: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,  # noqa: ARG002 - aiosmtpd's signature
        session: Session,  # noqa: ARG002
        envelope: Envelope,
        address: str,
        options: list[str],  # noqa: ARG002
    ) -> str:
        """Say whether mail for `address` is taken."""
        await asyncio.sleep(TRAVEL_SECONDS)
        if address in self._refused:
            return "550 5.1.1 unknown user"
        if is_greylisted(address) and address not in self._asked_to_wait:
            self._asked_to_wait.add(address)
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self,
        server: SMTP,  # noqa: ARG002 - aiosmtpd's signature
        session: Session,  # noqa: ARG002
        envelope: Envelope,
    ) -> str:
        """Take a mail. It is on record before the sender hears of it."""
        mail = email.message_from_bytes(envelope.original_content or b"")
        for recipient in envelope.rcpt_tos:
            record.append(self._received, Mail(recipient, mail["X-Job-Id"]))
        await asyncio.sleep(TRAVEL_SECONDS)
        return "250 2.0.0 received"


def is_greylisted(recipient: str) -> bool:
    """Whether the first attempt to reach `recipient` is put off; a tenth are."""
    return sum(recipient.encode()) % ONE_GREYLISTED_IN == 0


async def serve(record_file: Path, address_file: Path, refused: frozenset[str]) -> None:
    """Receive mail until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    with record_file.open("w") as received:
        mailboxes = Mailboxes(refused, received)
        server = await loop.create_server(
            lambda: SMTP(mailboxes, hostname="mail.example.org", loop=loop), "127.0.0.1", 0
        )
        host, port = server.sockets[0].getsockname()
        _publish(address_file, f"{host}:{port}")
        await stop.wait()
        server.close()


def _publish(file: Path, text: str) -> None:
    """Write `text` to `file` so that nobody ever reads half of it."""
    draft = file.with_suffix(".draft")
    draft.write_text(text)
    draft.replace(file)


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--record", type=Path, required=True, help="file for what arrives")
    parser.add_argument("--address-file", type=Path, required=True, help="file for host:port")
    parser.add_argument("--refuse", action="append", default=[], help="recipient without mailbox")
    options = parser.parse_args()
    asyncio.run(serve(options.record, options.address_file, frozenset(options.refuse)))


if __name__ == "__main__":
    main()
