"""The network between one host and one server: a TCP proxy that can be cut and mended."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

_PIECE: Final = 65536


class Link:
    """Everything passes; cut, its connections end and new ones are refused.

    url: how that host reaches the server.
    """

    def __init__(self, to: str) -> None:
        parts = urlsplit(to)
        self._to = (parts.hostname, parts.port)
        self._up = threading.Event()
        self._up.set()
        self._passes = threading.Event()
        self._passes.set()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = to.replace(f":{parts.port}/", f":{self._listener.getsockname()[1]}/")
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self._up.is_set():
                    client.close()
                    continue
                server = socket.create_connection(self._to)
                self._open |= {client, server}
                if not self._up.is_set():  # cut while it was made
                    server.close()
                    client.close()
                    continue
                for source, target in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                self._passes.wait()
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
            self._open.discard(end)

    @contextlib.contextmanager
    def swallowing(self) -> Iterator[None]:
        """It stays connected, takes what comes, and passes nothing on, as a pooler that is frozen."""
        self._passes.clear()
        try:
            yield
        finally:
            self._passes.set()

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """For as long as the block lasts."""
        self._up.clear()
        for end in tuple(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        try:
            yield
        finally:
            self._up.set()

    def close(self) -> None:
        """No more connections."""
        self._listener.close()
