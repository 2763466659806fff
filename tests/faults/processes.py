"""The processes of a whole installation: started, asked to stop, killed and frozen."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import orjson

from overnight_workers.one_machine.supervision import process_table
from overnight_workers.one_machine.supervision.process_table import Entry
from tests.faults.orders import Json
from tests.forking import Program, run_program
from tests.migrated_cluster import copy_migrated_cluster
from tests.servers import assert_never_crashed
from tests.waiting import wait_until

OVERNIGHT: Final = [sys.executable, "-c", "from overnight_workers.cli import main; main()"]
SERVERS: Final = frozenset({"postgres", "redis", "sandbox", "fork-server"})


class Processes:
    """What `overnight up` keeps up in a data directory of its own.

    up: the command that keeps it up.
    environment: more variables for its processes.
    flower: Flower too.
    """

    def __init__(
        self, home: Path, *, up: Sequence[str], turnaround: str, environment: Mapping[str, str], flower: bool = False
    ) -> None:
        self.data_dir = home / "data"
        self.output = home / "up.out"
        self._command = up
        self._options = ["--turnaround", turnaround, "--flower" if flower else "--no-flower"]
        self._more = dict(environment)
        self._up: Program | subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What its processes and commands are told."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OVERNIGHT_", "ANTHROPIC_"))}
        # without byte code on disk every process compiles the SDK anew: seconds each
        clean.pop("PYTHONDONTWRITEBYTECODE", None)
        return clean | {"OVERNIGHT_DATA_DIR": str(self.data_dir)} | self._more

    def start(self) -> None:
        """`overnight up`, until it says that it is ready. At first it finds a migrated cluster: that saves 5 s."""
        if not self.data_dir.exists():
            self.data_dir.mkdir(mode=0o700)
            copy_migrated_cluster(self.data_dir / "postgres")
        up = [*self._command, "--data-dir", str(self.data_dir), *self._options]
        self._up = self._start(up)
        wait_until(
            lambda: b"ready after" in self.output.read_bytes() or not self.is_up, 180, what=self.output.read_text
        )
        assert self.is_up, self.output.read_text()

    def _start(self, argv: Sequence[str]) -> Program | subprocess.Popen[bytes]:
        """In a test it is forked; a benchmark measures it as a person starts it."""
        if "PYTEST_CURRENT_TEST" in os.environ and argv[: len(OVERNIGHT)] == OVERNIGHT:
            self.output.unlink(missing_ok=True)
            return Program(["overnight", *argv[len(OVERNIGHT) :]], self.output, environment=self.environment)
        with self.output.open("wb") as out:
            return subprocess.Popen(argv, env=self.environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    @property
    def is_up(self) -> bool:
        """Whether its supervisor runs."""
        return self._up is not None and self._up.poll() is None

    def stop(self) -> None:
        """Ask it to stop; then nothing of it may be left."""
        everybody = self.everybody()
        assert self._up is not None
        self._up.terminate()
        assert self._up.wait(60) == 0
        self._up = None
        assert [who for who in everybody if process_table.is_alive(who)] == []

    def close(self) -> None:
        """End it, whatever state a test left it in. What PostgreSQL wrote must be without a crash of its own."""
        if self.is_up:
            self.stop()
        with contextlib.suppress(FileNotFoundError):
            assert_never_crashed((self.data_dir / "log" / "postgres.log").read_bytes())

    def pids(self) -> dict[str, int]:
        """The leaders of its processes by name."""
        record = json.loads((self.data_dir / "run" / "processes.json").read_bytes())
        return {name: pid for name, pid, *_ in record["processes"]}

    def processes(self, *names: str) -> list[Entry]:
        """Processes with all their children; those that are between two lives are left out."""
        pids = self.pids()
        leaders = [process_table.entry(pids[name]) for name in names if name in pids]
        return [who for leader in leaders if leader for who in process_table.family(leader.pid, leader.started)]

    def children(self, name: str) -> list[Entry]:
        """The pool of one worker."""
        leader = self.pids()[name]
        return [who for who in self.processes(name) if who.pid != leader]

    def everybody(self) -> list[Entry]:
        """Every process of it, the supervisor too."""
        up = None if self._up is None else process_table.entry(self._up.pid)
        return [*([up] if up else []), *self.processes(*self.pids())]

    def kill(self, *names: str) -> None:
        """`kill -9` to these and all their children at once."""
        for who in self.processes(*names):
            process_table.send(who, signal.SIGKILL)

    def kill_workers(self) -> None:
        """`kill -9` to every Celery process."""
        self.kill(*self.workers())

    def workers(self) -> list[str]:
        """The names of everything that isn't a server."""
        return [name for name in self.pids() if name not in SERVERS]

    def kill_everything(self) -> None:
        """What the out-of-memory killer would do on its worst day."""
        everybody = self.everybody()
        for who in everybody:
            process_table.send(who, signal.SIGKILL)
        assert self._up is not None
        self._up.wait(60)
        self._up = None
        wait_until(lambda: not [who for who in everybody if process_table.is_alive(who)])

    @contextlib.contextmanager
    def frozen(self, *these: Entry) -> Iterator[None]:
        """SIGSTOP, and SIGCONT at the end: they keep all that they hold, and go on as if no time had passed."""
        for who in these:
            process_table.send(who, signal.SIGSTOP)
        try:
            yield
        finally:
            for who in these:
                process_table.send(who, signal.SIGCONT)

    def command(self, *words: str, timeout_s: float = 120.0) -> str:
        """Run an `overnight` command; what it printed."""
        if "PYTEST_CURRENT_TEST" in os.environ:
            done = run_program(["overnight", *words], environment=self.environment, timeout_s=timeout_s)
        else:
            argv = [*OVERNIGHT, *words]
            done = subprocess.run(
                argv, env=self.environment, capture_output=True, text=True, timeout=timeout_s, check=False
            )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def logged(self, *levels: str) -> list[Json]:
        """What the workers wrote at these levels, oldest first."""
        documents = []
        for name in self.workers():
            for line in (self.data_dir / "log" / f"{name}.log").read_bytes().splitlines():
                with contextlib.suppress(ValueError):
                    document = orjson.loads(line)
                    if isinstance(document, dict) and document.get("level") in levels:
                        documents.append(document | {"worker": name})
        return sorted(documents, key=lambda document: str(document.get("timestamp")))
