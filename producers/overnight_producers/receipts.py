"""What a product holds after enqueuing: proof to ask with, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    positions: dict[str, list[int]] = field(default_factory=dict, repr=False)
    """For messages with a gap (a bad item was passed over): the index of each of its items."""


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

    def __add__(self, other: Confirmation) -> Confirmation:
        return Confirmation(self.accepted + other.accepted, self.known + other.known, self.rejected + other.rejected)
