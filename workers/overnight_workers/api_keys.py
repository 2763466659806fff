"""API keys, which may be replaced while workers run: by a variable, a file that is written anew, or a command.

A file is read again when it has changed, a command is run again every five minutes, and both at once when the API turns
a key down (401). As long as a source has trouble the key that was read last is used; without one the workspace has no
key, which holds it. **Invariant:** no key, and nothing that a command prints, is in a log, an error or a repr.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from overnight_models.errors import BadSettings
from overnight_workers.configuration.key_sources import KeySource, NoKey
from overnight_workers.held import held
from overnight_workers.settings import Workspace, settings

if TYPE_CHECKING:
    from structlog.stdlib import BoundLogger

_COMMAND_EVERY_S: Final = 300.0
_AGAIN_S: Final = 30.0
"""After a command failed."""
_REFUSED_EVERY_S: Final = 5.0
"""However many calls are turned down, a command isn't run more often than that."""


@dataclass
class _Kept:
    """What was read of one workspace's source."""

    lock: Lock = field(default_factory=Lock, repr=False)
    """Of several threads one reads."""
    key: str | None = field(default=None, repr=False)
    stamp: tuple[int, ...] | None = None
    """Of the file, as it was read."""
    read_at: float | None = None
    """By the monotonic clock."""
    refused_at: float | None = None
    """When it was last read because the API had turned a key down."""
    why_not: str | None = None
    """What the last reading failed by."""


@held
def _kept(workspace: str) -> _Kept:
    return _Kept()


def key_of(name: str, workspace: Workspace) -> str:
    """The key of a workspace, as its source has it now. Raises BadSettings that says why there is none."""
    source, kept = workspace.key_source, _kept(name)
    with kept.lock:
        if _is_due(source, kept):
            _read_again(name, source, kept)
        if kept.key is None:
            raise BadSettings([f"workspace {name!r} has no key: {kept.why_not}"])
        return kept.key


def has_key(name: str, workspace: Workspace) -> bool:
    """Whether there is one now."""
    try:
        return bool(key_of(name, workspace))
    except BadSettings:
        return False


def current(name: str) -> str:
    """The key of a workspace by its name. Raises BadSettings."""
    workspace = settings().workspaces.get(name)
    if workspace is None:
        raise BadSettings([f"there is no [workspaces.{name}]"])
    return key_of(name, workspace)


def after_refusal(name: str, used: str) -> str | None:
    """The API has turned a key down: another one that its source has by now; None when that has the same, or none."""
    workspace = settings().workspaces.get(name)
    if workspace is None:
        return None
    kept = _kept(name)
    with kept.lock:
        pause_s = _REFUSED_EVERY_S if workspace.key_source.kind == "command" else 0.0
        if kept.key == used and (kept.refused_at is None or time.monotonic() - kept.refused_at >= pause_s):
            kept.refused_at = time.monotonic()
            _read_again(name, workspace.key_source, kept)
        return kept.key if kept.key != used else None


def _is_due(source: KeySource, kept: _Kept) -> bool:
    if kept.read_at is None or source.kind == "env":
        return True
    if source.kind == "file":
        return kept.key is None or _stamp(source) != kept.stamp
    pause_s = _COMMAND_EVERY_S if kept.why_not is None else _AGAIN_S
    return time.monotonic() - kept.read_at >= pause_s


def _read_again(name: str, source: KeySource, kept: _Kept) -> None:
    """Read a source. One that has trouble keeps the key that was read before, and says so."""
    kept.read_at = time.monotonic()
    stamp = _stamp(source) if source.kind == "file" else None
    try:
        key = source.read()
    except NoKey as error:
        kept.why_not = str(error)
        if source.kind == "env":
            kept.key = None
        if kept.key is not None:  # without one the caller says it
            _log().warning("a key can't be read, and the one before is used", workspace=name, why=kept.why_not)
        return
    if kept.key is not None and key != kept.key:
        _log().info("another key", workspace=name, source=source.spoken)
    kept.key, kept.stamp, kept.why_not = key, stamp, None


def _log() -> BoundLogger:
    """Only where there is something to say: `overnight doctor` runs every minute, and looks at keys."""
    from overnight_workers import logs

    return logs.get(__name__)


def _stamp(source: KeySource) -> tuple[int, ...] | None:
    try:
        there = Path(source.place).stat()
    except OSError:
        return None
    return there.st_mtime_ns, there.st_size, there.st_ino
