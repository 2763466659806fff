"""What a supervisor keeps in its data directory: the lock, the record of what it started, the logs.

DATA_DIR/run/supervisor.lock   held (flock) by the one supervisor; its text is the pid
DATA_DIR/run/processes.json    what was started and may still live, for the next one to end
DATA_DIR/log/NAME.log          one a process
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from overnight_models.errors import PermanentError
from overnight_workers.one_machine.supervision import process_table

_ROTATE_BYTES = 10_000_000
_KILL_ROUNDS = 5


class AlreadyRunning(PermanentError):
    """Another supervisor runs on this data directory. Stop it first, or use another data directory."""


@dataclass(frozen=True)
class Started:
    """A process that was started: enough to find it again, and to end it as it likes to be ended."""

    name: str
    pid: int
    started: int
    stop_signal: signal.Signals


class RunDirectory:
    """The lock, the record and the logs of one data directory. Making one takes the lock."""

    def __init__(self, data_dir: Path) -> None:
        self._run = data_dir / "run"
        self._log = data_dir / "log"
        for directory in (data_dir, self._run, self._log):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._record = self._run / "processes.json"
        # Opened without truncation: the loser of the lock reads the winner's pid.
        self._lock = os.open(self._run / "supervisor.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._lock, 20, 0).decode().strip() or "unknown"
            os.close(self._lock)
            raise AlreadyRunning(
                f"Overnight already runs on {data_dir} (pid {holder}). "
                f"Stop it first (kill {holder}), or use another data directory."
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def release(self) -> None:
        """Let the next supervisor in."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def remember(self, started: Iterable[Started]) -> None:
        """Replace the record."""
        kept = [[child.name, child.pid, child.started, int(child.stop_signal)] for child in started]
        fresh = self._record.with_suffix(".new")
        fresh.write_text(json.dumps({"boot": process_table.boot_id(), "processes": kept}))
        fresh.replace(self._record)

    def end_survivors(self, grace_seconds: float) -> list[str]:
        """End what an earlier supervisor started and couldn't stop; returns the names of what was still there.

        Each is asked by its own stop signal, then killed when the grace is over, with all that belongs to it.
        """
        survivors = []
        deadline = time.monotonic() + grace_seconds
        for recorded in self._recorded():
            members = process_table.family(recorded.pid, recorded.started)
            if members:
                survivors.append((recorded, members))
        leaders = [members[0] for recorded, members in survivors if members[0].pid == recorded.pid]
        for recorded, members in survivors:
            if members[0] in leaders:
                process_table.send(members[0], recorded.stop_signal)
        process_table.wait_until_gone(leaders, deadline - time.monotonic())
        for recorded, _ in survivors:
            kill_family(recorded.pid, recorded.started)
        self.remember([])
        return [recorded.name for recorded, _ in survivors]

    def _recorded(self) -> list[Started]:
        try:
            record = json.loads(self._record.read_text())
            if record["boot"] != process_table.boot_id():
                return []
            return [
                Started(name, pid, started, signal.Signals(number))
                for name, pid, started, number in record["processes"]
            ]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError):
            # Half a record can't be: it is renamed into place. Whatever this is, it is not ours.
            return []

    def log_file(self, name: str) -> Path:
        """Where the process of that name writes."""
        return self._log / f"{name}.log"

    @staticmethod
    def open_log(path: Path) -> int:
        """A descriptor that appends to the log; a large one is set aside first, as NAME.log.1."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _ROTATE_BYTES:
            path.replace(path.with_name(path.name + ".1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def kill_family(pid: int, started: int) -> None:
    """Kill a session's leader and all that belongs to it, until a look finds none: milliseconds."""
    for _ in range(_KILL_ROUNDS):  # more than one: they may fork while we look
        members = process_table.family(pid, started)
        if not members:
            return
        for who in members:
            process_table.send(who, signal.SIGKILL)
        process_table.wait_until_gone(members, 1.0)
