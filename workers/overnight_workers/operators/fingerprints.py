"""Problems grouped by what they say: numbers, ids and quotations aside, so that a thousand of a kind are one line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from typing import Final

from overnight_models.ledger.operators.problems import SaidProblem
from overnight_models.wire.outcome import Problem

_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|“[^”]*”|「[^」]*」")
_ID: Final = re.compile(
    r"\b[A-Za-z]+_[0-9A-Za-z]{8,}\b|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{16,}\b"
)
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_PLACE: Final = re.compile(r"(?<=^at )[^:]+(?=:)")
"""Where in an answer something is wrong: its names are the answer's."""
_PROPERTIES: Final = re.compile(r"(?<=properties are not allowed )\(.*\)")


@dataclass(frozen=True)
class ErrorGroup:
    """Outcomes of a lane that say the same."""

    fingerprint: str
    """The same for the same problem and words, in every lane and at any time."""
    lane: str
    problem: str
    text: str
    """What they say, without what may be of a request or an answer: quotations, ids, numbers."""
    n: int
    first_at: datetime
    last_at: datetime


def masked(problem: str, detail: str) -> str:
    """A text without what differs between two of a kind, or may be of a request or an answer."""
    if problem == Problem.REFUSED:  # a category, and the model's own words
        return detail.partition(": ")[0]
    masked = _PROPERTIES.sub("(…)", _PLACE.sub("…", detail))
    masked = _ID.sub("…", _QUOTED.sub('"…"', masked))
    return " ".join(_NUMBER.sub("#", masked).split())


def grouped(said: Iterable[SaidProblem]) -> list[ErrorGroup]:
    """The groups, the most frequent first."""
    groups: dict[tuple[str, str], ErrorGroup] = {}
    for part in said:
        text = masked(part.problem, part.detail)
        digest = blake2b(f"{part.problem}\0{text}".encode(), digest_size=4).hexdigest()
        group = groups.get((part.lane, digest))
        if group is None:
            group = ErrorGroup(digest, part.lane, part.problem, text, 0, part.first_at, part.last_at)
        groups[part.lane, digest] = replace(
            group,
            n=group.n + part.n,
            first_at=min(group.first_at, part.first_at),
            last_at=max(group.last_at, part.last_at),
        )
    return sorted(groups.values(), key=lambda group: (-group.n, group.lane, group.fingerprint))
