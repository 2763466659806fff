"""What a product holds after enqueuing: proof to ask with, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from overnight_models.errors import BadItem


@dataclass(frozen=True)
class Receipt:
    """One enqueued item. Enqueue the same again with this `key`, and it is the same item."""

    item_id: str
    """A UUID."""
    key: str
    """The item's key in its lane; made up when none was given."""
    lane: str
    message_id: str
    """The message it travels in."""
    warnings: tuple[str, ...] = ()
    """What is likely to go wrong with it: known traps of its model, a sentence each."""


@dataclass
class Sent:
    """Many enqueued items: what `confirm` asks with. It grows with the messages, not with the items."""

    lane: str
    run: str | None
    items: int = 0
    """Items handed to Redis so far."""
    messages: dict[str, int] = field(default_factory=dict)
    """Message id to the index of its first item."""
    bad: list[BadItem] = field(default_factory=list)
    """Items that were not sent; each says why, with its key and index."""
    warnings: Counter[str] = field(default_factory=Counter)
    """What is likely to go wrong, and with how many of the items."""
    positions: dict[str, list[int]] = field(default_factory=dict, repr=False)
    """For messages with a gap (a bad item was passed over): the index of each of its items."""

    def note(self, message_id: str, indexes: list[int]) -> None:
        """One more message is on its way, with the items of these indexes."""
        self.messages[message_id] = indexes[0]
        if indexes[-1] - indexes[0] + 1 != len(indexes):
            self.positions[message_id] = indexes
        self.items += len(indexes)


@dataclass(frozen=True)
class Rejection:
    """An item that the workers turned down."""

    key: str | None
    index: int
    """Its position in what was enqueued, counted from 0."""
    why: str


@dataclass(frozen=True)
class Confirmation:
    """What the workers say about items."""

    accepted: int = 0
    """New, and in Postgres."""
    known: int = 0
    """In Postgres already, with the same content: the same items."""
    rejected: tuple[Rejection, ...] = ()
    warnings: Counter[str] = field(default_factory=Counter)
    """What is likely to go wrong, and with how many of the items: of `enqueue_confirmed`, which sent them too."""

    def __add__(self, other: Confirmation) -> Confirmation:
        return Confirmation(
            self.accepted + other.accepted,
            self.known + other.known,
            self.rejected + other.rejected,
            self.warnings + other.warnings,
        )


def read_verdict(verdict: Mapping[str, Any], what: Receipt | Sent, message_id: str) -> Confirmation:
    """One message's verdict, its rejections by their index in what was enqueued."""
    first = what.messages[message_id] if isinstance(what, Sent) else 0
    positions = what.positions.get(message_id) if isinstance(what, Sent) else None
    rejected = tuple(
        Rejection(fault["key"], positions[fault["index"]] if positions else first + fault["index"], fault["why"])
        for fault in verdict["rejected"]
    )
    return Confirmation(verdict["accepted"], verdict["known"], rejected)
