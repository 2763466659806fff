"""A process to be supervised, and one such process being supervised."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from overnight_workers.one_machine.supervision import process_table
from overnight_workers.one_machine.supervision.fork_server import ForkServer, Wish
from overnight_workers.one_machine.supervision.leash import Account, leashed
from overnight_workers.one_machine.supervision.run_directory import RunDirectory, Started, kill_family

_ALLOCATOR: Final = {"MALLOC_TRIM_THRESHOLD_": str(128 << 20), "MALLOC_MMAP_THRESHOLD_": str(32 << 20)}
"""glibc gives memory back and asks for it anew with each chunk of some megabytes: a twentieth of all processor time."""

_FIRST_DELAY_SECONDS = 0.2
_LONGEST_DELAY_SECONDS = 10.0
_LIVED_WELL_SECONDS = 10.0
_TAIL_BYTES = 4_000
_TAIL_LINES = 8


@dataclass(frozen=True)
class Process:
    """A process to run.

    name: unique within its supervisor, and the name of its log.
    argv: the command, or what makes it (called before each start, after `prepare`).
    env: added to the supervisor's own environment, and to what tells the allocator to keep some memory.
    log: takes its output; DATA_DIR/log/NAME.log by default.
    prepare: called before each start, restarts included, by the supervisor's thread; keep it short.
    ready: whether it does its work; must answer False, not raise, when it doesn't yet.
    death_signal: what it gets when the supervisor itself dies; the stop signal by default.
    restart: start it again when it dies.
    account: the user to run as, when the supervisor is root.
    fork_server: what forks it, when its command is `python -m` and the fork server answers.
    """

    name: str
    argv: Sequence[str] | Callable[[], Sequence[str]]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    log: Path | None = None
    prepare: Callable[[], None] | None = None
    ready: Callable[[], bool] | None = None
    ready_timeout_seconds: float = 60.0
    """How long it may do nothing before it is ready: a machine may be slow, so what is at work is waited for."""
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 30.0
    death_signal: signal.Signals | None = None
    restart: bool = True
    account: Account | None = None
    fork_server: ForkServer | None = None


class _Forked:
    """A child that another process has forked: what is used of a Popen."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def wait(self) -> int:
        """Reap it; its exit status, or the signal that ended it, as a negative number."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


class Child:
    """One process being supervised: start it, notice its end, stop it. For one thread, which must stay."""

    def __init__(self, process: Process, directory: RunDirectory) -> None:
        self.process = process
        self.log = process.log or directory.log_file(process.name)
        self.handle: int | None = None  # pidfd, readable when the process has ended
        self.restart_at: float | None = None
        self.kill_at: float | None = None
        self._directory = directory
        self._popen: subprocess.Popen[bytes] | _Forked | None = None
        self._ticks = 0
        self._log_offset = 0
        self._started_at = 0.0
        self.starts = 0
        self._delay = 0.0
        self._asked_family: list[process_table.Entry] = []

    @property
    def is_running(self) -> bool:
        """Started and not seen to have ended."""
        return self._popen is not None

    @property
    def age_seconds(self) -> float:
        """Since its last start."""
        return time.monotonic() - self._started_at

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._popen is None else self._popen.pid

    def start(self) -> None:
        """Start it, in a session of its own: a terminal's Ctrl-C reaches the supervisor only."""
        self.restart_at = None
        self._started_at = time.monotonic()
        if self.process.prepare is not None:
            self.process.prepare()
        argv = self.process.argv() if callable(self.process.argv) else self.process.argv
        log = self._directory.open_log(self.log)
        try:
            self._log_offset = os.fstat(log).st_size
            self._started_at = time.monotonic()
            environment = {**_ALLOCATOR, **os.environ, **self.process.env}
            popen = self._fork(argv, environment, log) or subprocess.Popen(
                leashed(argv, self._death_signal, self.process.account),
                env=environment,
                cwd=self.process.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=0o077,  # requests, answers and passwords are in what they write
            )
        finally:
            os.close(log)
        self.handle = os.pidfd_open(popen.pid)
        entry = process_table.entry(popen.pid)
        # Dead at once, it is a zombie until reaped: any start no later than its own will do.
        self._ticks = 0 if entry is None else entry.started
        self._popen = popen
        self.starts += 1

    @property
    def _death_signal(self) -> signal.Signals:
        return self.process.death_signal or self.process.stop_signal

    def _fork(self, argv: Sequence[str], environment: Mapping[str, str], log: int) -> _Forked | None:
        """The same by the fork server. None where there is none, or it doesn't answer."""
        if self.process.fork_server is None or list(argv[:2]) != [sys.executable, "-m"]:
            return None
        wish = Wish(
            name=self.process.name,
            module=argv[2],
            arguments=argv[3:],
            environment=environment,
            directory=None if self.process.cwd is None else str(self.process.cwd),
            parent=os.getpid(),
            death_signal=self._death_signal,
        )
        pid = self.process.fork_server.fork(wish, log)
        return None if pid is None else _Forked(pid)

    def processor_ticks(self) -> int:
        """How much processor time it and all that belongs to it have used; 0 while it doesn't run."""
        popen = self._popen
        return 0 if popen is None else process_table.processor_ticks(process_table.family(popen.pid, self._ticks))

    def started(self) -> Started | None:
        """What the next supervisor must know to end it, if it runs."""
        if self._popen is None:
            return None
        return Started(self.process.name, self._popen.pid, self._ticks, self.process.stop_signal)

    def reap(self) -> str | None:
        """How it ended ("signal 9", "exit status 1"), None while it runs. Its session's rest is killed."""
        if self._popen is None or self.handle is None:
            return None
        if os.waitid(os.P_PID, self._popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return None
        # Before it is reaped, so that its pid can't name anything else.
        kill_family(self._popen.pid, self._ticks)
        for who in self._asked_family:
            process_table.send(who, signal.SIGKILL)
        self._asked_family = []
        status = self._popen.wait()
        os.close(self.handle)
        self._popen = self.handle = self.kill_at = None
        return f"signal {-status}" if status < 0 else f"exit status {status}"

    def schedule_restart(self) -> float:
        """Decide when to start it again; returns the delay: none after a good life, then ever longer ones."""
        if self.age_seconds >= _LIVED_WELL_SECONDS:
            self._delay = 0.0
            delay = 0.0
        else:
            delay = self._delay = min(self._delay * 2 or _FIRST_DELAY_SECONDS, _LONGEST_DELAY_SECONDS)
        self.restart_at = time.monotonic() + delay
        return delay

    def ask_to_stop(self) -> bool:
        """Ask once; then, when the grace is over, kill. Returns whether it was killed now."""
        self.restart_at = None
        if self._popen is None or self.handle is None:
            return False
        if self.kill_at is None:
            self.kill_at = time.monotonic() + self.process.grace_seconds
            # Who belongs to it can be told only while it lives: a descendant with a session of its own is
            # anybody's once its parents are gone.
            self._asked_family = process_table.family(self._popen.pid, self._ticks)
            # Not Popen.send_signal: it may reap, and reaping is `reap`'s.
            signal.pidfd_send_signal(self.handle, self.process.stop_signal)
        elif time.monotonic() >= self.kill_at:
            self.kill()
            return True
        return False

    def kill(self) -> None:
        """Kill it and all that belongs to it; reap it next."""
        self.restart_at = None
        if self._popen is not None:
            kill_family(self._popen.pid, self._ticks)

    def last_words(self) -> list[str]:
        """The last lines it wrote to its log since its last start."""
        try:
            with self.log.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(self._log_offset, end - _TAIL_BYTES))
                text = log.read().decode(errors="replace")
        except OSError:
            return []
        return [line for line in text.splitlines() if line.strip()][-_TAIL_LINES:]
