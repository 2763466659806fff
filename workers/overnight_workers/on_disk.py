"""Files that are whole on the disk, whatever happens meanwhile: replaced at once, and synced."""

from __future__ import annotations

import fcntl
import glob
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from overnight_models.crash_points import reach

_ASIDE: Final = ".aside"


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Put a file in the place of the one that is there: written aside, synced, renamed; nobody else may read it.

    make: writes the file at the path that it gets. What a killed process has left aside is removed.
    """
    with own_directory(path.parent, f".{path.name}.", _ASIDE) as directory:
        aside = directory / path.name
        aside.touch(mode=0o600)
        make(aside)
        aside.chmod(0o600)  # whoever writes it may have put another file there
        sync(aside)
        reach("before a file is put in its place")
        aside.replace(path)
        sync(path.parent)
        reach("after a file was put in its place")


def sync(path: Path) -> None:
    """What was written into a file, or renamed into a directory, is on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def own_directory(place: Path, begin: str, end: str = "") -> Iterator[Path]:
    """An empty directory of this process, read by its owner only. Those that killed processes left are removed first.

    place: where it is made. begin, end: of its name, and of the names of those that are removed. A living process holds
    the lock of its own.
    """
    for left in place.glob(f"{glob.escape(begin)}*{glob.escape(end)}"):
        with suppress(OSError):  # another user's, one that is in use, or one that somebody else is removing
            _remove(left)
    directory, lock = _made(place, begin, end)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _made(place: Path, begin: str, end: str) -> tuple[Path, int]:
    """A new directory, locked. Another process may take it for one that was left, until it is locked: then the next."""
    while True:
        directory = Path(tempfile.mkdtemp(end, begin, place))
        try:
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        with suppress(OSError):  # a file system that has no locks: nobody else gets one there, and nothing is removed
            fcntl.flock(lock, fcntl.LOCK_EX)
        if directory.exists():
            return directory, lock
        os.close(lock)


def _remove(left: Path) -> None:
    """Remove what a process that was killed has left. Raises OSError where it lives."""
    lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    finally:
        os.close(lock)
