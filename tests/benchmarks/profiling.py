"""Profiles by py-spy, from outside: the stacks of each service, what takes the most time in it, each step by item."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PROFILED: Final = ("intake", "batches", "submit", "results", "deliver", "direct", "sandbox")
_RATE: Final = 200
"""Samples a second."""
_SHOWN: Final = 12
_STEPS_SHOWN: Final = 30
_OUR_STEP: Final = re.compile(r"(\S*\.)?(\w+) \((overnight_\w+/[\w/]+)\.py:\d+\)")
"""A frame of ours, by function and file; comprehensions and lambdas belong to the function around them."""
_FRAME_OF_ALL: Final = ("/fork_server", "/celery_app")
_WAITS: Final = (
    "Connection._recv (billiard",
    "_epoll.poll (kombu",
    "Hub.poller (kombu",
    "_HiredisParser.read_from_socket (redis",
    "Connection.wait (psycopg",
    "SyncStream.read (httpcore",
    "EpollSelector.select (",
    "Condition.wait (",
)
"""Where a process waits for another, and py-spy takes it for work."""


@contextmanager
def profiled(pids: Mapping[str, int], directory: Path | None, *, items: int | None = None) -> Iterator[None]:
    """Profile these services while the block lasts; nothing when there is no directory.

    items: how many go the whole way meanwhile; each step's time is shown by item then.
    """
    if directory is None:
        yield
        return
    spy = Path(sys.executable).with_name("py-spy")
    directory.mkdir(parents=True, exist_ok=True)
    recorders = [
        subprocess.Popen(
            [
                *[str(spy), "record", "--pid", str(pids[name]), "--subprocesses", "--rate", str(_RATE)],
                *["--format", "raw", "--output", str(directory / f"{name}.txt"), "--duration", "unlimited"],
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
            _show(directory / f"{name}.txt", items)


def _show(stacks: Path, items: int | None) -> None:
    """The functions that most samples ended in, those that only wait left out; and the steps of ours, by item."""
    if not stacks.exists():
        return
    own: Counter[str] = Counter()
    steps: Counter[tuple[str, str]] = Counter()
    for line in stacks.read_text().splitlines():
        stack, _, seen = line.rpartition(" ")
        frames = stack.split(";")
        if frames[-1].startswith(_WAITS):
            continue
        own[frames[-1]] += int(seen)
        for step in {(match[3], match[2]) for match in map(_OUR_STEP.fullmatch, frames) if match}:
            if not step[0].endswith(_FRAME_OF_ALL):
                steps[step] += int(seen)
    total = sum(own.values())
    print(f"{stacks.stem}: {total} samples")
    for frame, samples in own.most_common(_SHOWN):
        print(f"  {100 * samples / max(total, 1):5.1f}%  {frame}")
    if items is not None:
        for (file, function), samples in steps.most_common(_STEPS_SHOWN):
            print(f"  {samples / _RATE / items * 1e6:6.1f} us an item, with what it calls: {function} ({file}.py)")
