"""Room on the disk of a data directory: who runs there can't write without any, so a person is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

_FULL_BYTES: Final = 20_000_000
"""Postgres writes its log in files of 16 MB, and makes a new one at any moment."""
_ROOM_BYTES: Final = 40_000_000


class DiskWatch:
    """Looks how much room there is, and has news when that matters."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._is_full = False

    def news(self) -> str | None:
        """A sentence when there is no room any more, or room again; None otherwise."""
        try:
            free = shutil.disk_usage(self._directory).free
        except OSError:
            return None
        if not self._is_full and free < _FULL_BYTES:
            self._is_full = True
            return (
                f"the disk of {self._directory} has {free / 1e6:,.0f} MB free: what runs there can't write."
                " Make room; until then it is started again and again, and nothing of what was confirmed is lost"
            )
        if self._is_full and free > _ROOM_BYTES:
            self._is_full = False
            return f"the disk of {self._directory} has room again"
        return None
