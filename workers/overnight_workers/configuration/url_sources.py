"""URLs with a password in them: said as they are, or where they are (`env:`, `file:`, `command:`), read when needed.

Whoever needs the URL reads it again and again, so that a password that was replaced needs no restart. A process that
doesn't need it needn't have it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Final

from overnight_models.errors import BadSettings
from overnight_workers.configuration.key_sources import KINDS, NoKey, key_source
from overnight_workers.configuration.kinds import Read, text

_COMMAND_EVERY_S: Final = 300.0
_AGAIN_S: Final = 30.0
"""After a command failed."""


@dataclass
class _Printed:
    """What a command last printed, and when it was last run."""

    url: str | None = None
    run_at: float = float("-inf")
    why_not: NoKey | None = None


_running: Final = Lock()
"""Of several threads one runs a command."""


@cache
def _printed(written: str) -> _Printed:
    """Of each command. written: as in the settings."""
    return _Printed()


def is_source(written: str) -> bool:
    """Whether it says where the URL is."""
    return written.partition(":")[0] in KINDS


def url_or_source(read: Read[str]) -> Read[str]:
    """How a setting is read that is a URL, as `read` takes it, or says where that is. Nothing of it is shown."""

    def read_either(given: object) -> str:
        written = text(given).strip()
        if not is_source(written):
            return read(given)
        key_source(written)
        return written

    return read_either


def url_at(written: str, read: Read[str]) -> str:
    """The URL of such a setting, as it is now. Raises BadSettings, which says where it was looked for and no more."""
    if not is_source(written):
        return written
    source = key_source(written)
    try:
        return read(_of_command(written) if source.kind == "command" else source.read())
    except NoKey as error:
        raise BadSettings([str(error)]) from None
    except ValueError as error:
        raise BadSettings([f"what {source.spoken} holds isn't the URL: {error}"]) from None


def _of_command(written: str) -> str:
    """What it prints; it is run every five minutes, and the last URL is used while it fails. Raises NoKey."""
    with _running:
        printed = _printed(written)
        if time.monotonic() - printed.run_at >= (_COMMAND_EVERY_S if printed.why_not is None else _AGAIN_S):
            printed.run_at, printed.why_not = time.monotonic(), None
            try:
                printed.url = key_source(written).read()
            except NoKey as error:
                printed.why_not = error
        if printed.url is None:
            raise printed.why_not or NoKey("the command printed nothing")
        return printed.url
