"""The lanes of an installation that is attacked: by batch, in real time, and by deadline; a workspace each."""

from __future__ import annotations

from typing import Final

IN_BATCHES: Final = ("default", "one", "two", "three")
IN_REAL_TIME: Final = "urgent"
BY_DEADLINE: Final = "soon"
LANES: Final = (*IN_BATCHES, IN_REAL_TIME, BY_DEADLINE)
ROADS: Final = {
    IN_REAL_TIME: 'road = "direct"\nmax_maybe_billed = 50',
    BY_DEADLINE: 'road = "by_deadline"\nmax_maybe_billed = 50',
}
"""What their tables say beside what all lanes say."""


def queue_of(lane: str) -> str:
    """The product's queue for a lane."""
    return f"shop-{lane}"
