"""What the embedded servers have in common: a directory, a port and a password that are kept, and waiting for them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, Final

from overnight_workers.one_machine.embedded.errors import EmbeddedServerError
from overnight_workers.one_machine.embedded.remembered import HOST, is_free, remembered_password, remembered_port
from overnight_workers.one_machine.supervision.child import Process

READY_POLL_S: Final = 0.02


class EmbeddedServer(ABC):
    """One server, its data in `data_dir`, on 127.0.0.1, with a password.

    Only one process may prepare or run it at a time; hold the data directory's lock (`Supervisor` does).

    port: where to listen; by default a free port, chosen once and remembered.
    durable: False is for tests only: a crash of the machine may lose or ruin everything.
    """

    TITLE: ClassVar[str]

    def __init__(self, data_dir: Path, port: int | None = None, *, durable: bool = True) -> None:
        self.data_dir = data_dir.absolute()
        self._wanted_port = port
        self._port: int | None = None
        self._durable = durable
        self._was_ready = False

    @property
    @abstractmethod
    def url(self) -> str:
        """Where it answers, with the password in it. Known once the server is prepared."""

    @abstractmethod
    def prepare(self) -> None:
        """Make it ready to run. Called before each start. Whatever was killed, it finds and clears."""

    @abstractmethod
    def process(self) -> Process:
        """What the supervisor runs."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether it answers, without waiting long."""

    @property
    def port(self) -> int:
        """Where it listens. Known once the server is prepared."""
        if self._port is None:
            raise EmbeddedServerError("the port isn't chosen yet: call prepare() or start process() first")
        return self._port

    @property
    def password(self) -> str:
        """Made at first, and kept in a file that only its owner can read."""
        return remembered_password(self.data_dir / "password")

    def is_ready(self) -> bool:
        """Whether it does its work."""
        if self._port is None or not self._answers():
            return False
        self._was_ready = True
        return True

    def wait_ready(self, timeout_seconds: float = 60.0) -> None:
        """Block until it does its work."""
        deadline = time.monotonic() + timeout_seconds
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"{self.TITLE} in {self.data_dir} didn't answer in {timeout_seconds:g} s")
            time.sleep(READY_POLL_S)  # a server says nothing when it is ready: it is asked again

    def _choose_port(self) -> None:
        if self._was_ready:
            return  # others know the port: better wait for it than move
        if self._wanted_port is None:
            self._port = remembered_port(self.data_dir / "port")
        elif is_free(self._wanted_port):
            self._port = self._wanted_port
        else:
            raise EmbeddedServerError(f"port {self._wanted_port} of {HOST} is taken by another program")
