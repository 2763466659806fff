"""Whether the temporary directory has room for the bodies that stages keep there."""

from __future__ import annotations

import shutil
import tempfile

from overnight_workers.settings import settings


def temporary_directory_fault() -> str | None:
    """Why bodies may not fit into the temporary directory, and what to do; None when they do."""
    largest = int(max(lane.max_bytes for lane in settings().lanes.values()))
    try:
        place = tempfile.gettempdir()
        free = shutil.disk_usage(place).free
    except OSError as error:
        return f"no temporary directory can be used ({error}): set TMPDIR to one with {_megabytes(largest)} free"
    if free >= largest:
        return None
    return (
        f"the temporary directory {place} has {_megabytes(free)} free, and the body of a batch may have"
        f" {_megabytes(largest)} (max_bytes): make room, or set TMPDIR to another"
    )


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
