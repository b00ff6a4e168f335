"""A TCP proxy before both servers, which can cut, go silent and dawdle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from tests.chaos.servers import free_port

CHUNK_BYTES = 65_536


class Proxy:
    """Forwards one port of its own to each port behind it."""

    def __init__(self, behind: Sequence[int]) -> None:
        self._behind = behind
        self.ports = tuple(free_port() for _ in behind)
        self._servers: list[asyncio.Server] = []
        self._pairs: set[asyncio.Task[None]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        self._clients: dict[int, int] = {}
        self._requests_pass = asyncio.Event()
        self._answers_pass = asyncio.Event()
        self._requests_pass.set()
        self._answers_pass.set()
        self._delay_seconds = 0.0

    async def start(self) -> None:
        for port, behind in zip(self.ports, self._behind, strict=True):
            accept = self._accepting(behind)
            self._servers.append(await asyncio.start_server(accept, "127.0.0.1", port))

    def end(self) -> None:
        for server in self._servers:
            server.close()
        self.cut()

    def client_port(self, port: int) -> int | None:
        """Give the port of the client whose connection reaches the server from `port`."""
        return self._clients.get(port)

    def cut(self) -> None:
        """Drop every connection at once, as a firewall that was restarted."""
        for transport in list(self._transports):
            transport.abort()

    async def half_open(self, seconds: float, *, answers_only: bool) -> None:
        """Forward nothing while both sides believe themselves connected, then drop them.

        answers_only: what clients ask for is still done, and they never hear of it.
        """
        if not answers_only:
            self._requests_pass.clear()
        self._answers_pass.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self.cut()
            self._requests_pass.set()
            self._answers_pass.set()

    async def dawdle(self, seconds: float, delay_seconds: float) -> None:
        """Deliver everything late for a while."""
        self._delay_seconds = delay_seconds
        try:
            await asyncio.sleep(seconds)
        finally:
            self._delay_seconds = 0.0

    def _accepting(self, port: int):
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._pairs.add(task)
            try:
                await self._join(reader, writer, port)
            finally:
                self._pairs.discard(task)

        return accept

    async def _join(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        self._transports.add(writer.transport)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            self._drop(writer)
            return
        self._transports.add(far_writer.transport)
        near, far = writer.get_extra_info("peername"), far_writer.get_extra_info("sockname")
        self._clients[far[1]] = near[1]
        try:
            pumps = [
                self._pump(reader, far_writer, self._requests_pass),
                self._pump(far_reader, writer, self._answers_pass),
            ]
            tasks = [asyncio.ensure_future(pump) for pump in pumps]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        finally:
            self._drop(writer)
            self._drop(far_writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passing: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await passing.wait()
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                writer.write(data)
                await writer.drain()

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._transports.discard(writer.transport)
        writer.transport.abort()
