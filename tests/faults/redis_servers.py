"""Redis servers as companies run them: over TLS, in pairs with Sentinels, behind an address that moves."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

from overnight_workers.one_machine.embedded.redis import server_program
from overnight_workers.one_machine.supervision.leash import leashed
from tests.ports import free_port
from tests.waiting import wait_until


@dataclass
class Server:
    """A Redis process without a password, with its options as in redis.conf."""

    place: Path
    options: dict[str, Any] = field(default_factory=dict)
    program: Path = field(default_factory=server_program)
    sentinel: bool = False
    port: int = field(default_factory=free_port)

    def start(self) -> Server:
        """Start it."""
        self.place.mkdir(parents=True, exist_ok=True)
        options = {"port": self.port, "bind": "127.0.0.1", "dir": self.place, **self.options}
        if not self.sentinel:
            options |= {"save": '""', "repl-diskless-sync-delay": 0}
        file = self.place / "redis.conf"
        file.write_text("".join(f"{name} {value}\n" for name, value in options.items()))
        argv = [str(self.program), str(file), *(["--sentinel"] if self.sentinel else [])]
        with (self.place / "log").open("wb") as log:
            self._process = subprocess.Popen(leashed(argv, signal.SIGTERM), stdout=log)
        return self

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.poll() is None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    @contextlib.contextmanager
    def client(self) -> Iterator[redis.Redis]:
        """A connection to it."""
        with redis.Redis(port=self.port, socket_timeout=5) as client:
            yield client

    def wait(self, seconds: float = 20) -> Server:
        """Until it answers."""
        stop_at = time.monotonic() + seconds
        while True:
            try:
                with self.client() as client:
                    client.ping()
                    return self
            except redis.RedisError:
                assert self.alive(), (self.place / "log").read_text()
                assert time.monotonic() < stop_at
                time.sleep(0.05)


class Address:
    """An address that leads to one server, and then to another: open connections stay where they are."""

    def __init__(self, port: int) -> None:
        self.leads_to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """As a URL of a Redis."""
        return f"redis://127.0.0.1:{self.port}/0"

    def close(self) -> None:
        """No more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.leads_to))
                for source, other in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(source, other), daemon=True).start()


def _pump(source: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            other.sendall(data)
    for end in (source, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


@contextlib.contextmanager
def replicating(folder: Path) -> Iterator[tuple[Server, Server]]:
    """A primary and a replica that follows it, until the block ends."""
    primary = Server(folder / "primary").start().wait()
    replica = Server(folder / "replica", {"replicaof": f"127.0.0.1 {primary.port}"}).start().wait()
    try:
        with replica.client() as client:
            wait_until(lambda: client.info("replication")["master_link_status"] == "up")
        yield primary, replica
    finally:
        primary.stop()
        replica.stop()


def demote(primary: Server, replica: Server) -> None:
    """The replica becomes the primary, and the primary its replica; its connections stay open."""
    with replica.client() as client:
        client.replicaof("no", "one")
    with primary.client() as client:
        client.replicaof("127.0.0.1", str(replica.port))


def certificates(place: Path) -> Path:
    """A CA of its own, and a certificate of localhost and 127.0.0.1 that it signed: ca.pem, server.pem, server.key."""
    place.mkdir(parents=True, exist_ok=True)
    # Python 3.13 and later want of a certificate what RFC 5280 does: who has signed it, and what a CA's key is for
    (place / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nauthorityKeyIdentifier=keyid\n")
    new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
    for argv in (
        [
            *[*new, "-x509", "-days", "2", "-subj", "/CN=a test's CA", "-addext", "keyUsage=critical,keyCertSign"],
            *["-keyout", "ca.key", "-out", "ca.pem"],
        ],
        [*new, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"],
        [
            *["openssl", "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"],
            *["-days", "2", "-extfile", "names", "-out", "server.pem"],
        ],
    ):
        subprocess.run(argv, cwd=place, check=True, capture_output=True)
    return place


def server_over_tls(place: Path) -> Server | None:
    """A Redis that speaks TLS only, by a program that can; None where there is none, or no openssl."""
    if shutil.which("openssl") is None:
        return None
    held = certificates(place / "certificates")
    for program in (server_program(), *(shutil.which(name) for name in ("valkey-server", "redis-server"))):
        if program is None:
            continue
        server = Server(place / Path(program).name, program=Path(program))
        server.options = {
            "port": 0,
            "tls-port": server.port,
            "tls-ca-cert-file": held / "ca.pem",
            "tls-cert-file": held / "server.pem",
            "tls-key-file": held / "server.key",
            "tls-auth-clients": "no",
        }
        server.start()
        if _listens(server):
            return server
        server.stop()
    return None


def _listens(server: Server) -> bool:
    while server.alive():
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return True
        time.sleep(0.05)
    return False
