"""Profiles by py-spy, from outside: one flame graph a service, and what takes the most time in it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PROFILED: Final = ("intake", "batches", "submit", "results", "deliver", "direct", "sandbox")
_SHOWN: Final = 12
_WAITS: Final = (
    "Connection._recv (billiard",
    "_epoll.poll (kombu",
    "Connection.wait (psycopg",
    "SyncStream.read (httpcore",
    "EpollSelector.select (",
    "Condition.wait (",
)
"""Where a process waits for another, and py-spy takes it for work."""


@contextmanager
def profiled(pids: Mapping[str, int], directory: Path | None) -> Iterator[None]:
    """Profile these services while the block lasts; nothing when there is no directory."""
    if directory is None:
        yield
        return
    spy = Path(sys.executable).with_name("py-spy")
    directory.mkdir(parents=True, exist_ok=True)
    recorders = [
        subprocess.Popen(
            [
                *[str(spy), "record", "--pid", str(pids[name]), "--subprocesses", "--rate", "200", "--format", "raw"],
                *["--output", str(directory / f"{name}.txt"), "--duration", "unlimited"],
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in PROFILED
        if name in pids
    ]
    try:
        yield
    finally:
        for recorder in recorders:
            recorder.send_signal(signal.SIGINT)
        for recorder in recorders:
            recorder.wait(60)
        for name in PROFILED:
            _show(directory / f"{name}.txt")


def _show(stacks: Path) -> None:
    """The functions that most samples ended in, those that only wait left out."""
    if not stacks.exists():
        return
    own: Counter[str] = Counter()
    for line in stacks.read_text().splitlines():
        frames, _, samples = line.rpartition(" ")
        frame = frames.rsplit(";", 1)[-1]
        if not frame.startswith(_WAITS):
            own[frame] += int(samples)
    total = sum(own.values())
    print(f"{stacks.stem}: {total} samples")
    for frame, seen in own.most_common(_SHOWN):
        print(f"  {100 * seen / max(total, 1):5.1f}%  {frame}")
