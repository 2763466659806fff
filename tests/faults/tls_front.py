"""A TLS end before a Postgres that has none, as a load balancer or a managed database is: it speaks TLS or nothing."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Final

_PIECE: Final = 65536
_SSL_REQUEST: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class TlsFront:
    """Takes connections at every address of this machine's loopback, at one port.

    certificates: a directory with server.pem and server.key.
    """

    def __init__(self, port: int, certificates: Path) -> None:
        self._to = ("127.0.0.1", port)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
        self._listener = socket.create_server(("0.0.0.0", 0))
        self.port = int(self._listener.getsockname()[1])
        self.encrypted = 0
        """Connections that came about."""
        self.plain = 0
        """Connections that wanted to say something in the clear."""
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if client.recv(len(_SSL_REQUEST)) != _SSL_REQUEST:
                self.plain += 1
                return
            client.sendall(b"S")
            with self._context.wrap_socket(client, server_side=True) as shielded:
                self.encrypted += 1
                with socket.create_connection(self._to) as server:
                    _pump(shielded, server)

    def close(self) -> None:
        """No more connections."""
        self._listener.close()


def _pump(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Both ways, in one thread: TLS of one connection isn't for two."""
    import select

    while True:
        ready = [client] if client.pending() else select.select([client, server], [], [])[0]
        for source, target in ((client, server), (server, client)):
            if source in ready:
                data = source.recv(_PIECE)
                if not data:
                    return
                target.sendall(data)
