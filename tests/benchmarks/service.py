"""A whole installation to be measured, in a directory of its own: every service as `overnight up` runs it."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from overnight_workers.one_machine.installation import Installation
from overnight_workers.one_machine.supervisor import Supervisor
from tests.benchmarks.work import SANDBOX


@dataclass(frozen=True)
class Service:
    """A running installation."""

    home: Path
    installation: Installation
    supervisor: Supervisor

    @property
    def database_url(self) -> str:
        """Its Postgres."""
        return self.installation.urls["database_url"]

    @property
    def redis_url(self) -> str:
        """Its Redis, which is the product's too."""
        return self.installation.urls["redis_url"]

    @property
    def sandbox_url(self) -> str:
        """The API."""
        return self.installation.urls["sandbox_url"]

    def pids(self) -> dict[str, int]:
        """The leaders of its processes by name."""
        return self.supervisor.pids()

    def cpu_seconds(self) -> dict[str, float]:
        """What each service has used of the processors, its ended children included."""
        return {name: sum(_spent(process) for process in _family(pid)) for name, pid in self.pids().items()}

    def peak_rss_mb(self) -> dict[str, int]:
        """The most that any process of each service ever had."""
        return {
            name: max(_status_mb(process.pid, "VmHWM") for process in _family(pid)) for name, pid in self.pids().items()
        }


@dataclass(frozen=True)
class Memory:
    """What one process had when it was first seen, and the most that it ever had."""

    idle_mb: int
    peak_mb: int = 0

    @property
    def over_idle_mb(self) -> int:
        """By how much it grew."""
        return self.peak_mb - self.idle_mb


@contextmanager
def watched_memory(service: Service) -> Iterator[dict[str, Memory]]:
    """The process of each service that grew most while the block lasted; there when the block is left.

    Those included that have ended: a worker replaces a child that has grown large, and its peak would go with it.
    """
    grown: dict[str, Memory] = {}
    seen: dict[str, dict[int, Memory]] = {name: {} for name in service.pids()}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.1):
            for name, leader in service.pids().items():
                for process in _family(leader):
                    known = seen[name].get(process.pid) or Memory(_status_mb(process.pid, "VmRSS"))
                    seen[name][process.pid] = replace(
                        known, peak_mb=max(known.peak_mb, _status_mb(process.pid, "VmHWM"))
                    )

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield grown
    finally:
        over.set()
        watcher.join()
        for name, processes in seen.items():
            grown[name] = max(processes.values(), key=lambda process: process.over_idle_mb)


@contextmanager
def running(config: str, *, sandbox: Sequence[str] = SANDBOX, **more: object) -> Iterator[Service]:
    """An installation with this overnight.toml (a format string), for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="overnight-bench-") as name:
        home = Path(name)
        home.chmod(0o711)  # Postgres has an account of its own when this is root
        toml = home / "overnight.toml"
        toml.touch()
        os.environ["OVERNIGHT_CONFIG"] = str(toml)
        os.environ["OVERNIGHT_LOG_LEVEL"] = "WARNING"
        with Supervisor(home / "data", say=lambda news: None) as supervisor:
            installation = Installation(
                home / "data", sandbox=True, sandbox_options=sandbox, flower=False, say=lambda news: None
            )
            installation.start_servers(supervisor)
            toml.write_text(config.format(redis_url=installation.urls["redis_url"], **more))
            installation.start_workers(supervisor)
            os.environ.update(installation.environment)
            yield Service(home, installation, supervisor)


def _family(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def _spent(process: psutil.Process) -> float:
    """Seconds of a processor, its ended children included; 0 when it has just ended: its parent has them then."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system)


def _status_mb(pid: int, name: str) -> int:
    """VmRSS, what a process has now, or VmHWM, the most that it ever had; 0 when it has just ended."""
    try:
        match = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(match[1]) // 1024 if match else 0
