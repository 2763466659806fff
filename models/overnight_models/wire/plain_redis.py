"""A Redis asked a few questions by a process that lives for a moment: importing redis-py costs more than all of them.

Connects, asks, and goes: no pool, no retries. Whatever stays uses `redis_client`.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedReader
from types import TracebackType
from typing import Self, TypeAlias

from overnight_models.wire.redis_place import RedisPlace, Tls

Word: TypeAlias = str | int
Reply: TypeAlias = "bytes | int | list[Reply] | Said | None"


class Said(Exception):
    """An error that the server answered; its first word says which."""

    @property
    def code(self) -> str:
        """Such as READONLY, OOM, NOPERM, NOAUTH, WRONGPASS."""
        return str(self).partition(" ")[0]


class PlainRedis:
    """One connection to the primary of a place. Raises OSError and Said when it can't be made."""

    def __init__(self, place: RedisPlace, timeout_s: float = 2.0) -> None:
        self._timeout_s = timeout_s
        self._socket = _dialled(place, timeout_s)
        self._read = self._socket.makefile("rb")
        try:
            if place.password is not None:
                self._must("AUTH", *([place.username] if place.username else []), place.password)
            if place.database:
                self._must("SELECT", place.database)
        except (OSError, Said):
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        with suppress(OSError):
            self._read.close()
            self._socket.close()

    def ask(self, *commands: Sequence[Word]) -> list[Reply]:
        """The replies to some commands, sent at once. An error of the server is one of them. Raises OSError."""
        self._socket.sendall(b"".join(_written(command) for command in commands))
        return [_reply(self._read) for _ in commands]

    def _must(self, *command: Word) -> None:
        (reply,) = self.ask(command)
        if isinstance(reply, Said):
            raise reply


def _written(command: Sequence[Word]) -> bytes:
    words = [str(word).encode() for word in command]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def _reply(read: BufferedReader) -> Reply:
    line = read.readline()
    if not line.endswith(b"\r\n"):
        raise ConnectionResetError("it closed the connection")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest
    if kind == b"-":
        return Said(rest.decode(errors="replace"))
    if kind == b":":
        return int(rest)
    if kind not in (b"$", b"*"):
        raise ConnectionResetError("it doesn't speak Redis' protocol")
    length = int(rest)
    if length < 0:
        return None
    if kind == b"*":
        return [_reply(read) for _ in range(length)]
    text = read.read(length + 2)
    if len(text) != length + 2:
        raise ConnectionResetError("it closed the connection")
    return text[:-2]


def _dialled(place: RedisPlace, timeout_s: float) -> socket.socket:
    """A connection to the primary, which Sentinels are asked for where there are some."""
    if place.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(place.socket)
        except OSError:
            connection.close()
            raise
        return connection
    if place.master_name is None:
        return _connected(place.nodes[0], place.tls, timeout_s)
    why: Exception | None = None
    for node in place.nodes:
        try:
            with _connected(node, place.tls, timeout_s) as sentinel, sentinel.makefile("rb") as read:
                sentinel.sendall(_written(("SENTINEL", "get-master-addr-by-name", place.master_name)))
                match _reply(read):
                    case [bytes() as host, bytes() as port]:
                        return _connected((host.decode(), int(port)), place.tls, timeout_s)
                    case Said() as said:
                        why = said
                    case _:
                        why = ConnectionRefusedError(f"no Sentinel knows {place.master_name!r}")
        except OSError as error:
            why = error
    raise why or ConnectionRefusedError("no Sentinel answers")


def _connected(node: tuple[str, int], tls: Tls | None, timeout_s: float) -> socket.socket:
    if tls is None:
        return socket.create_connection(node, timeout=timeout_s)
    context = ssl.create_default_context(cafile=tls.get("ssl_ca_certs"))
    context.check_hostname = bool(tls.get("ssl_check_hostname", True))
    if tls.get("ssl_cert_reqs") == "none":
        context.verify_mode = ssl.CERT_NONE
    if tls.get("ssl_certfile"):
        context.load_cert_chain(tls["ssl_certfile"], tls.get("ssl_keyfile"))
    connection = socket.create_connection(node, timeout=timeout_s)
    try:
        return context.wrap_socket(connection, server_hostname=node[0])
    except OSError:
        connection.close()
        raise
