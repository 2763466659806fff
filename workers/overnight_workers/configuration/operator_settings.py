"""`[roles]`, `[alarms]` and `[privacy]`: who may do what, who is told of what is wrong, what is shown to nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from overnight_workers.configuration.kinds import text, texts
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
class AlarmsTold:
    """`[alarms]`: who is told of alarms: a program, a webhook, or both. See `operators.telling`."""

    command: tuple[str, ...] = setting(texts, ())
    """The program and its arguments; it is run without a shell, and reads JSON. Empty: nobody is told."""
    webhook: str = setting(text, "")
    """The NAME of a `[webhooks.NAME]` that alarms are sent to; empty: none."""


_NAME: Final = r"(?:\*|[A-Za-z0-9_-]+)"
_PATH: Final = re.compile(rf"[A-Za-z0-9_-]+|(?:params|message|callback)(?:\.{_NAME})*\.[A-Za-z0-9_-]+(?:\.\*)?")


def _paths(given: object) -> tuple[str, ...]:
    """Paths of fields, or names of fields."""
    paths = texts(given)
    wrong = [path for path in paths if _PATH.fullmatch(path) is None]
    if wrong:
        raise ValueError(
            f"{wrong[0]!r} is no path: params.NAME.…, message.NAME.… or callback.NAME.…, with * for every element,"
            " or the name of a field alone"
        )
    return paths


@dataclass(frozen=True, kw_only=True)
class Privacy:
    """`[privacy]`: what is shown to nobody. See `redaction`."""

    redact: tuple[str, ...] = setting(_paths, ())
    """Fields that are hidden in bodies, errors and logs, such as `params.messages.*.content` or `email`."""
