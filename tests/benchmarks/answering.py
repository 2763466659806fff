"""An endpoint for webhooks that answers each request after 5 ms: `python -m tests.benchmarks.answering [SECONDS]`.

It prints its port, and when its standard input ends how many requests and bytes came.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Final

_ANSWER: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class _Endpoint:
    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self.requests = self.bytes = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                assert length is not None
                body = await reader.readexactly(int(length[1]))
                self.requests, self.bytes = self.requests + 1, self.bytes + len(body)
                await asyncio.sleep(self._after_s)
                writer.write(_ANSWER)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def main(after_s: float) -> None:
    """Serve until nobody is there any more."""
    endpoint = _Endpoint(after_s)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, limit=2_000_000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(endpoint.requests, endpoint.bytes, flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.005))
