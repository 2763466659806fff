"""The sandbox as a process of its own, for tests and for `overnight up`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import IO, Protocol

_STARTS_WITHIN_S = 30.0
_STOPS_WITHIN_S = 10.0


class SandboxFailed(RuntimeError):
    """The sandbox ended, or didn't answer in time, instead of getting ready. The message ends with its log."""


class Process(Protocol):
    """What is used of a `subprocess.Popen`."""

    pid: int

    def poll(self) -> int | None:
        """How it ended; None: it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended, and how."""

    def send_signal(self, sig: int, /) -> None:
        """Send it a signal, if it still runs."""

    def kill(self) -> None:
        """SIGKILL."""


class Running:
    """A sandbox that answers at `url`. Its log is in `log`, which goes with the data directory."""

    def __init__(self, data_dir: Path, *arguments: str) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir = data_dir
        self.log = data_dir / "sandbox.log"
        words = ["--data-dir", str(data_dir), *arguments]
        if "--port" not in arguments:
            words += ["--port", "0"]
        self.process, self._said = self._start(words)
        try:
            self.url = self._wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def _start(self, words: list[str]) -> tuple[Process, IO[bytes]]:
        """Its process, and what it says."""
        command = [sys.executable, "-m", "overnight_workers.sandbox", *words]
        with self.log.open("ab") as log:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        return process, process.stdout

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + _STARTS_WITHIN_S
        said = b""
        with DefaultSelector() as selector:
            selector.register(self._said, EVENT_READ)
            while b"ready\n" not in said:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    break
                chunk = os.read(self._said.fileno(), 4096)
                if not chunk:
                    break
                said += chunk
        for line in said.decode().splitlines():
            if line.endswith(" ready"):
                return line.split()[-2]
        log = self.log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SandboxFailed(f"the sandbox did not get ready: {said.decode()}{log}")

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        self._said.close()
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(_STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@contextmanager
def running(data_dir: Path, *arguments: str) -> Iterator[Running]:
    """A sandbox for as long as the block lasts, on a free port unless `--port` is among the arguments."""
    sandbox = Running(data_dir, *arguments)
    try:
        yield sandbox
    finally:
        sandbox.stop()
