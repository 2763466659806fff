"""Problems grouped by what they say: numbers, ids and quotations aside, so that a thousand of a kind are one line."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b
from heapq import nlargest
from typing import Final

from overnight_models.ledger.operators.problems import ProblemTotal, Said, SaidProblem
from overnight_workers import redaction
from overnight_workers.operators.foreign_texts import plain_words

NEWEST: Final = 100
"""Items of a group that are named."""
_NUMBER: Final = re.compile(r"(?<!HTTP )(?<!\d)\d+(?:[.,]\d+)*")
"""A status of HTTP says what kind it is: 404 and 503 are two."""


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
    newest_items: tuple[int, ...]
    """By their ids: all of them, or the newest `NEWEST`."""


def masked(problem: str | None, detail: str, names: Collection[str] = ()) -> str:
    """A text without what differs between two of a kind, or may be of a request or an answer.

    problem: the outcome's; None where the text is of a delivery.
    names: those that stand beside it, as of the queue.
    """
    return _NUMBER.sub("#", plain_words(redaction.text(detail), problem, names))


def grouped(said: Iterable[SaidProblem]) -> list[ErrorGroup]:
    """The groups, the most frequent first."""
    groups: dict[tuple[str, str], ErrorGroup] = {}
    for part in said:
        text = masked(part.problem, part.detail)
        digest = blake2b(f"{part.problem}\0{text}".encode(), digest_size=4).hexdigest()
        group = groups.get((part.lane, digest))
        if group is None:
            group = ErrorGroup(digest, part.lane, part.problem, text, 0, part.first_at, part.last_at, ())
        groups[part.lane, digest] = replace(
            group,
            n=group.n + part.n,
            first_at=min(group.first_at, part.first_at),
            last_at=max(group.last_at, part.last_at),
            newest_items=tuple(nlargest(NEWEST, [*group.newest_items, *part.item_ids])),
        )
    return sorted(groups.values(), key=lambda group: (-group.n, group.lane, group.fingerprint))


def looked_at(said: Said, totals: Iterable[ProblemTotal], run: str | None, *, is_first: bool) -> str:
    """Which outcomes were looked at, of how many, to follow on "of"."""
    of_run = "" if run is None else " of the run"
    if is_first and said.is_all:
        only = f"1 outcome{of_run} that isn't ok"
        return only if said.looked_at == 1 else f"all {said.looked_at:,} outcomes{of_run} that aren't ok"
    newest = f"the newest {said.looked_at:,}" if is_first else f"{said.looked_at:,} older"
    so_far = "" if run is not None else f" of {sum(total.n for total in totals):,}"
    return f"{newest}{so_far} outcomes{of_run} that aren't ok"
