"""API keys, which may be replaced while workers run: by a variable, a file that is written anew, or a command.

A file is read again when it has changed, a command is run again every five minutes, and both at once when the API turns
a key down (401). As long as a source has trouble the key that was read last is used; without one the workspace has no
key, which holds it. **Invariant:** no key, and nothing that a command prints, is in a log, an error or a repr.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from overnight_models.errors import BadSettings
from overnight_workers.configuration.key_sources import NoKey, one_word
from overnight_workers.configuration.workspace_settings import Workspace
from overnight_workers.held import held
from overnight_workers.keys import key_reading
from overnight_workers.keys.key_reading import Kept
from overnight_workers.settings import settings

_REFUSED_EVERY_S: Final = 5.0
"""However many calls are turned down, a command isn't run more often than that."""


@held
def _kept(workspace: str) -> Kept:
    return Kept()


def key_of(name: str, workspace: Workspace) -> str:
    """The key of a workspace, as its source has it now. Raises BadSettings that says why there is none."""
    source, kept = workspace.key_source, _kept(name)
    with kept.lock:
        try:
            return key_reading.current(source, kept, one_word, workspace=name)
        except NoKey as error:
            raise BadSettings([f"workspace {name!r} has no key: {error}"]) from None


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


async def current_beside_loop(name: str) -> str:
    """The same for an event loop, which no file and no command keeps waiting. Raises BadSettings."""
    workspace = settings().workspaces.get(name)
    if workspace is None or workspace.key_source.kind == "env":
        return current(name)  # a thread for each call costs a tenth of the call
    return await asyncio.to_thread(current, name)


def last(name: str) -> str | None:
    """The key of a workspace as it was read last; None where none was."""
    return _kept(name).key


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
            key_reading.read_again(workspace.key_source, kept, one_word, workspace=name)
        return kept.key if kept.key != used else None
