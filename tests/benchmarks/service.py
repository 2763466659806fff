"""A whole installation to be measured, in a directory of its own: every service as `overnight up` runs it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from overnight_workers.installation import Installation
from overnight_workers.supervisor import Supervisor
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
        return {name: sum(_spent(one) for one in _family(pid)) for name, pid in self.pids().items()}

    def rss_mb(self) -> dict[str, int]:
        """What the largest process of each service has now."""
        return {name: max(one.memory_info().rss >> 20 for one in _family(pid)) for name, pid in self.pids().items()}

    def peak_rss_mb(self) -> dict[str, int]:
        """The most that any process of each service ever had."""
        return {name: max(_high_water_mb(one.pid) for one in _family(pid)) for name, pid in self.pids().items()}


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


def _spent(one: psutil.Process) -> float:
    times = one.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _high_water_mb(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0
