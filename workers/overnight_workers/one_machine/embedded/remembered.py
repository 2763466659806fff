"""What an embedded server keeps between its runs, besides data: a port and a password."""

from __future__ import annotations

import os
import random
import secrets
import socket
from pathlib import Path

from overnight_workers.one_machine.embedded.errors import EmbeddedServerError

HOST = "127.0.0.1"
# Below the range from which Linux takes the local ports of outgoing connections (32768 and up): a port from
# that range could be in use by any client at the moment the server starts again.
_PORTS = range(20_000, 32_768)
_TRIES = 100


def remembered_password(file: Path) -> str:
    """The password in that file, readable by its owner only; made at the first call."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text().strip()
    with os.fdopen(handle, "w") as new:
        password = secrets.token_urlsafe(24)
        new.write(password + "\n")
        new.flush()
        os.fsync(handle)
    return password


def remembered_port(file: Path) -> int:
    """The port in that file if nobody else listens there, else another free one, which is remembered."""
    try:
        port = int(file.read_text())
        if is_free(port):
            return port
    except (FileNotFoundError, ValueError):
        pass
    for port in random.sample(_PORTS, _TRIES):
        if is_free(port):
            file.write_text(f"{port}\n")
            return port
    raise EmbeddedServerError(f"{_TRIES} ports of {HOST} tried, from {_PORTS.start} on, and all are taken")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier run that still time out don't matter, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen()
        except OSError:
            return False
    return True
