"""`[roles]` and `[alarms]`: who may do what in Flower, and who is told when something is wrong."""

from __future__ import annotations

from dataclasses import dataclass

from overnight_workers.configuration.kinds import texts
from overnight_workers.configuration.reading import setting


@dataclass(frozen=True, kw_only=True)
class Roles:
    """`[roles]`: who may do what in Flower, by the names of its login; `*` stands for all who get in."""

    viewer: tuple[str, ...] = setting(texts, ("*",))
    """They see the pages, and nothing of a request or an answer."""
    operator: tuple[str, ...] = setting(texts, ())
    """They pause, cancel, try again and decide too."""
    reader_of_bodies: tuple[str, ...] = setting(texts, ())
    """They may look at a request and its answer, one at a time; each look is recorded."""


@dataclass(frozen=True, kw_only=True)
class AlarmCommand:
    """`[alarms]`: a program that pages somebody, or writes to a channel. See `operators.telling`."""

    command: tuple[str, ...] = setting(texts, ())
    """The program and its arguments; it is run without a shell, and reads JSON. Empty: nobody is told."""
