"""A fake CRM: answers `GET /records/N`, counts calls, and says 429 above its limit."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import deque
from contextlib import suppress
from pathlib import Path

LIMIT = 50
WINDOW_SECONDS = 1.0


class Crm:
    """Counts calls in a sliding window; what it refused does not count in it."""

    def __init__(self) -> None:
        self.calls = 0
        self.refused = 0
        self._window: deque[float] = deque()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one call."""
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        status, body = self._answer(path)
        text = json.dumps(body).encode()
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nRetry-After: 1\r\n"
            "Connection: close\r\n\r\n".encode()
            + text
        )
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    def _answer(self, path: str) -> tuple[str, dict[str, object]]:
        if path == "/counts":
            return "200 OK", {"calls": self.calls, "refused": self.refused}
        now = time.monotonic()
        while self._window and now - self._window[0] >= WINDOW_SECONDS:
            self._window.popleft()
        self.calls += 1
        if len(self._window) >= LIMIT:
            self.refused += 1
            return "429 Too Many Requests", {}
        self._window.append(now)
        number = int(path.rpartition("/")[2])
        return "200 OK", {"id": number, "name": f"customer {number}"}


async def main(address: Path) -> None:
    """Serve until ended. address: a file that then holds the port."""
    server = await asyncio.start_server(Crm().serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    address.with_suffix(".new").write_text(str(port))
    address.with_suffix(".new").rename(address)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
