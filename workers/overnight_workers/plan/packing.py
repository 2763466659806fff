"""How many batches a lane makes of a file, and in how many waves they can be at the API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from overnight_models.ledger.pack.pack import FRAME_BYTES


class Full(StrEnum):
    """Why a batch is packed when it is."""

    ITEMS = "max_items"
    BYTES = "max_bytes"
    WAIT = "max_wait"
    """Nothing more comes, so it goes when its oldest item has waited so long."""


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """One batch that the file will make."""

    items: int
    size: int
    """Bytes of its body."""
    why: Full
    betas: tuple[str, ...] = ()
    """Items with other headers can't be in it."""


class Packer:
    """Fills batches as the lane would, one item at a time."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items, self._max_bytes = max_items, max_bytes
        self._filling: dict[tuple[str, ...], tuple[int, int]] = {}
        self._packed: list[PackedBatch] = []

    def add(self, size: int, betas: Sequence[str]) -> None:
        """One more item. size: bytes of its params."""
        headers = tuple(sorted(set(betas)))
        items, filled = self._filling.get(headers, (0, 0))
        framed = size + FRAME_BYTES
        if items and filled + framed > self._max_bytes:
            self._packed.append(PackedBatch(items, filled, Full.BYTES, headers))
            items, filled = 0, 0
        items, filled = items + 1, filled + framed
        if items == self._max_items:
            self._packed.append(PackedBatch(items, filled, Full.ITEMS, headers))
            items, filled = 0, 0
        self._filling[headers] = (items, filled)

    def packed(self) -> tuple[PackedBatch, ...]:
        """All batches so far, the last ones as full as they are."""
        rest = (PackedBatch(items, size, Full.WAIT, key) for key, (items, size) in self._filling.items() if items)
        return (*self._packed, *rest)


def waves(batches: Sequence[int], queue_limit: int) -> list[list[int]]:
    """Batches by the number of their items, in groups that the API's queue takes at once, in order."""
    rounds: list[list[int]] = []
    room = 0
    for items in batches:
        if items > room or not rounds:
            rounds.append([])
            room = queue_limit
        rounds[-1].append(items)
        room -= items
    return rounds


def divided(items: int, at_most: int) -> list[int]:
    """So many items in batches of at most so many, all about the same."""
    batches = -(-items // at_most)
    return [items // batches + (at < items % batches) for at in range(batches)]
