"""What an action would do, before it does anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from overnight_models.ledger.operators.actions import Wish

Name = Literal["redo", "cancel", "replay", "purge"]


@dataclass(frozen=True)
class Preview:
    """What an action would do, before it does anything."""

    name: Name
    wish: Wish
    items: int
    most_nano: int | None
    """What it may cost, or save, at the most; None where it is not about money."""
    text: str
    """In one sentence or two, for a person."""
    document: dict[str, object]
    """The same for a script: money as decimal strings, in names that end in `_usd`."""
