"""The verdict: what became of a message's items, as JSON; workers write it, and products read it."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict


class Fault(TypedDict):
    """Why an item wasn't accepted."""

    index: int
    """Its place in the message."""
    key: str | None
    """None where the line has none that can be read."""
    why: str
    id: NotRequired[str]
    """Its receipt; absent where the line had none."""


class VerdictDocument(TypedDict):
    """What became of a message's items. What says nothing is left out; an older version never says it."""

    accepted: int
    known: int
    rejected: list[Fault]
    delivered: NotRequired[int]
    redone: NotRequired[int]
    stand_for: NotRequired[dict[str, str]]
    """By receipt, the receipt of the follower that it is."""
