"""What a product holds after enqueuing: proof to ask with, and what came of it."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final
from uuid import uuid4

from overnight_models.errors import BadItem
from overnight_models.wire.verdict import VerdictDocument

_VARIANT: Final = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
"""The 17th digit of a UUID: its first two bits say by which rules it is made."""


@dataclass(frozen=True)
class Receipt:
    """One enqueued item. Enqueue the same again with this `key`, and it is the same item."""

    item_id: str
    """A UUID."""
    key: str
    """The item's key in its lane; made up when none was given."""
    lane: str
    message_id: str
    """The message it travels in; "" when it is known to be in Postgres."""
    warnings: tuple[str, ...] = ()
    """What is likely to go wrong with it: known traps of its model, a sentence each."""
    in_transaction: bool = False
    """It was enqueued with a `session`: nobody sees it before that has committed, and `overnight relay` takes it on."""


@dataclass
class Sent:
    """Many enqueued items: what `confirm` asks with. It grows with the messages, not with the items.

    `receipts()` are those of the items without a key of their own; the others are asked for by their keys, or by
    `receipt(index, key)`.
    """

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
    in_transaction: bool = False
    """They were enqueued with a `session`, as in `Receipt`."""
    positions: dict[str, list[int]] = field(default_factory=dict, repr=False)
    """For messages with a gap (a bad item was passed over): the index of each of its items."""

    unnamed: list[range] = field(default_factory=list, repr=False)
    """The indexes of items without a key of their own."""
    until: int = field(default=0, repr=False)
    """The index after the last item handed to Redis."""
    seed: bytes = field(default_factory=lambda: uuid4().bytes, repr=False)
    """What the ids of its items are made from, so that none needs to be kept."""

    def item_id(self, index: int) -> str:
        """The id of the item of this index: a UUID."""
        # of version 4, as `UUID(bytes=..., version=4)` would have it, and for as many as there are items
        drawn = blake2b(index.to_bytes(8), key=self.seed, digest_size=16).hexdigest()
        return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-{_VARIANT[drawn[16]]}{drawn[17:20]}-{drawn[20:]}"

    def receipt(self, index: int, key: str | None = None) -> Receipt:
        """The receipt of one item.

        index: its position in what was enqueued, counted from 0.
        key: its own, where it has one.

        Raises IndexError when no item of that index was handed to Redis.
        """
        if not 0 <= index < self.until or any(item.index == index for item in self.bad):
            raise IndexError(f"no item of index {index} was handed to Redis")
        message_ids = list(self.messages)
        message_id = message_ids[bisect_right(list(self.messages.values()), index) - 1]
        item_id = self.item_id(index)
        key = item_id if key is None else key
        return Receipt(item_id, key, self.lane, message_id, in_transaction=self.in_transaction)

    def receipts(self) -> Iterator[Receipt]:
        """The receipts of the items without a key of their own, in their order. Memory stays flat."""
        message_ids, firsts = list(self.messages), list(self.messages.values())
        for indexes in self.unnamed:
            for index in range(indexes.start, min(indexes.stop, self.until)):
                item_id, message_id = self.item_id(index), message_ids[bisect_right(firsts, index) - 1]
                yield Receipt(item_id, item_id, self.lane, message_id, in_transaction=self.in_transaction)

    def note_unnamed(self, index: int) -> None:
        """The item of this index has no key of its own."""
        if self.unnamed and self.unnamed[-1].stop == index:
            self.unnamed[-1] = range(self.unnamed[-1].start, index + 1)
        else:
            self.unnamed.append(range(index, index + 1))

    def note(self, message_id: str, indexes: list[int]) -> None:
        """One more message is on its way, with the items of these indexes."""
        self.until = indexes[-1] + 1
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
    """In Postgres already, with the same content: the same items, or those whose outcome comes to these too."""
    rejected: tuple[Rejection, ...] = ()
    warnings: Counter[str] = field(default_factory=Counter)
    """What is likely to go wrong, and with how many of the items: of `enqueue_confirmed`, which sent them too."""
    delivered: int = 0
    """Of the known: with `if_known="deliver"`, their outcomes come to these items' callbacks too."""
    redone: int = 0
    """Of the accepted: with `if_known="redo"`, they have taken the place of items that failed or were canceled."""
    sent: Sent | None = field(default=None, compare=False, repr=False)
    """What `enqueue_confirmed` sent: the receipts of its items without a key of their own."""

    def __add__(self, other: Confirmation) -> Confirmation:
        return Confirmation(
            self.accepted + other.accepted,
            self.known + other.known,
            self.rejected + other.rejected,
            self.warnings + other.warnings,
            self.delivered + other.delivered,
            self.redone + other.redone,
            self.sent or other.sent,
        )


def read_verdict(verdict: VerdictDocument, receipt: Receipt | Sent, message_id: str) -> Confirmation:
    """One message's verdict, its rejections by their index in what was enqueued."""
    first = receipt.messages[message_id] if isinstance(receipt, Sent) else 0
    positions = receipt.positions.get(message_id) if isinstance(receipt, Sent) else None
    rejected = tuple(
        Rejection(fault["key"], positions[fault["index"]] if positions else first + fault["index"], fault["why"])
        for fault in verdict["rejected"]
    )
    return Confirmation(
        verdict["accepted"],
        verdict["known"],
        rejected,
        # which workers of an older version don't say
        delivered=verdict.get("delivered", 0),
        redone=verdict.get("redone", 0),
    )
