"""Files that are whole on the disk, whatever happens meanwhile: replaced at once, and synced."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def put(path: Path, make: Callable[[Path], object]) -> None:
    """Put a file in the place of the one that is there: written aside, synced, renamed; nobody else may read it.

    make: writes the file at the path that it gets.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
    try:
        aside.touch(mode=0o600)
        make(aside)
        aside.chmod(0o600)  # whoever writes it may have put another file there
        sync(aside)
        aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """What was written into a file, or renamed into a directory, is on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
