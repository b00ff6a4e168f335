"""A front for a PostgreSQL server, which speaks TLS to whoever comes and passes it on in the clear.

The server that comes with the tests is built without TLS. To a client this is no different from
one with it: the request for encryption, the handshake, the certificates of both sides are libpq's.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg.conninfo import conninfo_to_dict

from jobqueue.store.database import to_conninfo

REQUESTS = {80877103: "TLS", 80877104: "GSS"}
"""What a client may ask for before anything else, by number."""
CANCEL = 80877102
"""A request to cancel what another connection does."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A connection that was made.

    version: of TLS; None in the clear. client: the name in its certificate.
    """

    application: str
    version: str | None
    client: str | None


class Front:
    """Listens on a port of this machine. context: None answers that there is no encryption."""

    def __init__(self, url: str, context: ssl.SSLContext | None) -> None:
        given = conninfo_to_dict(to_conninfo(url))
        self._host = str(given.get("host", "localhost"))
        self.server_port = int(str(given.get("port") or 5432))
        self._context = context
        self.loop = asyncio.new_event_loop()
        self._open: set[asyncio.Task[None]] = set()
        self.visits: list[Visit] = []
        self.refused: list[str] = []
        """clients that were not let in, by what they did wrong"""
        self.port = 0

    async def serve(self, listening: threading.Event, over: asyncio.Event) -> None:
        def come(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = self.loop.create_task(self._visit(reader, writer))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
            # Also of one that was cancelled before it began.
            task.add_done_callback(lambda _: writer.close())

        server = await asyncio.start_server(come, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await over.wait()
        server.close()
        if self._open:  # whoever came has gone by now, or is about to
            await asyncio.wait(self._open, timeout=2.0)
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await server.wait_closed()
        # What was broken off is closed by the loop, once it comes round.
        await asyncio.sleep(0.01)

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            start = await self._handshake(reader, writer)
            if start is not None:
                await self._pass_on(start, reader, writer)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.refused.append(str(error))
        finally:
            await _close(writer)

    async def _handshake(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes | None:
        """Encrypt if asked to, and give the client's first message; None if it is not let in."""
        while True:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!II", head)
            asked = REQUESTS.get(code)
            if asked is None:
                break
            if asked == "GSS" or self._context is None:
                writer.write(b"N")
                continue
            writer.write(b"S")
            await writer.start_tls(self._context)
        message = head + await reader.readexactly(length - 8)
        words = message[8:].split(b"\0") if code != CANCEL else [b"application_name", b"cancel"]
        said = dict(zip(words[::2], words[1::2], strict=False))
        channel: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        if self._context is not None and channel is None:
            self.refused.append("came in the clear")
            return None
        client = _name(channel.getpeercert() if channel else None)
        application = said.get(b"application_name", b"").decode()
        self.visits.append(Visit(application, channel.version() if channel else None, client))
        return message

    async def _pass_on(
        self, start: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._host.startswith("/"):
            socket = f"{self._host}/.s.PGSQL.{self.server_port}"
            there, back = await asyncio.open_unix_connection(socket)
        else:
            there, back = await asyncio.open_connection(self._host, self.server_port)
        back.write(start)
        ways = [asyncio.ensure_future(_copy(*way)) for way in ((reader, back), (there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            back.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close what is written to in good order if that is soon done, and else at once."""
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), 1.0)
    except (OSError, TimeoutError, asyncio.CancelledError):
        writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


def _name(certificate: object) -> str | None:
    if not isinstance(certificate, dict) or not certificate:
        return None
    subject = dict(pair for part in certificate["subject"] for pair in part)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - as ssl documents it
    return str(subject.get("commonName"))  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


@contextmanager
def front(url: str, context: ssl.SSLContext | None) -> Generator[Front]:
    """Put a front before the server at `url`, in a thread of its own."""
    it = Front(url, context)
    listening, over = threading.Event(), asyncio.Event()
    thread = threading.Thread(
        target=it.loop.run_until_complete, args=(it.serve(listening, over),), daemon=True
    )
    thread.start()
    assert listening.wait(10)
    try:
        yield it
    finally:
        it.loop.call_soon_threadsafe(over.set)
        thread.join(10)
        it.loop.close()
