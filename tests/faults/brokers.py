"""A product's Redis that can be killed and frozen, and a wire to it that can be cut between question and answer."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import redis

from overnight_workers.one_machine.embedded import EmbeddedRedis
from overnight_workers.one_machine.supervision.leash import leashed

PUSH: Final = b"LPUSH"


class TheirRedis:
    """A Redis of a product's own, with nothing in it whenever it starts."""

    def __init__(self, data_dir: Path) -> None:
        self._server = EmbeddedRedis(data_dir, durable=False)
        self.start()

    @property
    def url(self) -> str:
        """The same after each start."""
        return self._server.url

    def start(self) -> None:
        """Start it, until it answers."""
        self._server.prepare()
        self._process = subprocess.Popen(leashed(self._server.argv(), signal.SIGTERM), stdout=subprocess.DEVNULL)
        self._server.wait_ready()

    def kill(self) -> None:
        """`kill -9`."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it accepts connections (the kernel does) and says nothing."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT: it goes on with all that was sent to it meanwhile."""
        self._process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A connection to it."""
        with redis.Redis.from_url(self.url, socket_timeout=10) as client:
            yield client

    def set(self, **told: Any) -> None:
        """CONFIG SET."""
        with self.client() as client:
            for name, value in told.items():
                client.config_set(name.replace("_", "-"), value)

    @property
    def used(self) -> int:
        """Bytes in use."""
        with self.client() as client:
            return int(client.info("memory")["used_memory"])


class Wire:
    """A TCP proxy in front of a Redis. Everything passes, until it is told otherwise.

    when_pushed: called once, when the messages of a push have been sent on to the server.
    when_taken: called once, when the server has answered a push; the answer is thrown away and the client's connection
    cut.
    passing: pushes that are answered before that one.
    """

    def __init__(
        self,
        to: str,
        *,
        when_pushed: Callable[[], object] | None = None,
        when_taken: Callable[[], object] | None = None,
        passing: int = 0,
    ) -> None:
        parts = urlsplit(to)
        self._to = (parts.hostname, parts.port)
        self._when_pushed, self._when_taken, self._passing = when_pushed, when_taken, passing
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = to.replace(f":{parts.port}/", f":{port}/")
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._to)
                pushing = threading.Event()
                for pump in (self._to_server, self._to_client):
                    threading.Thread(target=pump, args=(client, server, pushing), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, pushing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if PUSH in data:
                    pushing.set()
                    called, self._when_pushed = self._when_pushed, None
                    if called is not None:
                        called()
                server.sendall(data)
        _close(client, server)

    def _to_client(self, client: socket.socket, server: socket.socket, pushing: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if pushing.is_set() and self._when_taken is not None and self._passing == 0:
                    called, self._when_taken = self._when_taken, None
                    called()
                    break
                self._passing -= pushing.is_set()
                client.sendall(data)
        _close(client, server)


def _close(*sockets: socket.socket) -> None:
    for pair in sockets:
        with contextlib.suppress(OSError):
            pair.shutdown(socket.SHUT_RDWR)
        pair.close()


def deliverer() -> subprocess.Popen[bytes]:
    """A process that hands over what is due, with the settings of the service that is being driven, and ends."""
    # without byte code on disk it would compile everything anew
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    code = "from overnight_workers.stages.deliver.deliver import deliver; print(deliver())"
    return subprocess.Popen([sys.executable, "-c", code], env=environment)


@contextlib.contextmanager
def silent_server() -> Iterator[str]:
    """Something that accepts connections and never says a word; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
