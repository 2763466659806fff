"""Serving the sandbox: uvicorn, told what an emulator needs."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from socket import socket

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from overnight_workers.sandbox.http.app import build
from overnight_workers.sandbox.options import Options

#: Clients keep connections and reuse them at the moment we would close them: then we would invent a fault.
_KEEP_ALIVE_S = 3600
#: Threads that work give way this often, so that calls are answered while a large batch is settled.
_SWITCH_S = 0.001


class _Protocol(H11Protocol):
    """Hands each request its connection, so that a fault can close it without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state: dict[str, object] = {**self.app_state, "transport": transport}


class _Server(uvicorn.Server):
    """Says when it answers."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers:
            host, port = server.sockets[0].getsockname()[:2]
            print(f"overnight sandbox: http://{host}:{port} ready", flush=True)


def run(options: Options) -> None:
    """Serve until told to stop. Port 0 takes a free one; the line on stdout says which."""
    os.umask(0o077)  # what it is sent may be a company's own
    sys.setswitchinterval(_SWITCH_S)
    # Requests come and go by the hundred thousand, and none of them is in a cycle.
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)
    logging.basicConfig(level=logging.INFO if options.verbose else logging.WARNING, format="%(asctime)s %(message)s")
    config = uvicorn.Config(
        build(options),
        host=options.host,
        port=options.port,
        http=_Protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        access_log=False,
        log_config=None,
        date_header=False,  # the answers carry the sandbox's own date
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=2,
        backlog=2048,
    )
    _Server(config).run()
