"""Keys that may be replaced while workers run: of a variable, a file that is written anew, or a command.

A file is read again when it has changed, a command is run again every five minutes. As long as a source has trouble
what was read last is used. **Invariant:** no key, and nothing that a command prints, is in a log, an error or a repr.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from overnight_workers.configuration.key_sources import Check, KeySource, NoKey

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_COMMAND_EVERY_S: Final = 300.0
_AGAIN_S: Final = 30.0
"""After a command failed."""


@dataclass
class Kept:
    """What was read of one source."""

    lock: Lock = field(default_factory=Lock, repr=False)
    """Of several threads one reads."""
    key: str | None = field(default=None, repr=False)
    """As the source has it, without what surrounds it."""
    stamp: tuple[int, ...] | None = None
    """Of the file, as it was read."""
    read_at: float | None = None
    """By the monotonic clock."""
    refused_at: float | None = None
    """When it was last read because a key was turned down, or wasn't in it."""
    why_not: str | None = None
    """What the last reading failed by."""


def current(source: KeySource, kept: Kept, check: Check, **about: str) -> str:
    """What a source holds now. Raises NoKey. about: whose it is, for the log. Its lock is the caller's."""
    if _is_due(source, kept):
        read_again(source, kept, check, **about)
    if kept.key is None:
        raise NoKey(kept.why_not)
    return kept.key


def _is_due(source: KeySource, kept: Kept) -> bool:
    if kept.read_at is None or source.kind == "env":
        return True
    if source.kind == "file":
        return kept.key is None or _stamp(source) != kept.stamp
    pause_s = _COMMAND_EVERY_S if kept.why_not is None else _AGAIN_S
    return time.monotonic() - kept.read_at >= pause_s


def read_again(source: KeySource, kept: Kept, check: Check, **about: str) -> None:
    """Read a source. One that has trouble keeps the key that was read before, and says so."""
    kept.read_at = time.monotonic()
    stamp = _stamp(source) if source.kind == "file" else None
    try:
        key = source.read(check)
    except NoKey as error:
        kept.why_not = str(error)
        if source.kind == "env":
            kept.key = None
        if kept.key is not None:  # without one the caller says it
            _log().warning("a key can't be read, and the one before is used", **about, why=kept.why_not)
        return
    if kept.key is not None and key != kept.key:
        _log().info("another key", **about, source=source.spoken)
    kept.key, kept.stamp, kept.why_not = key, stamp, None


def _log() -> BoundLogger:
    """Only where there is something to say: `overnight doctor` runs every minute, and looks at keys."""
    from overnight_workers.telemetry import logs

    return logs.get(__name__)


def _stamp(source: KeySource) -> tuple[int, ...] | None:
    try:
        there = Path(source.place).stat()
    except OSError:
        return None
    return there.st_mtime_ns, there.st_size, there.st_ino
