"""What is kept of each partition, and for how long lanes keep their things."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.rows import fetch_all

Layer = Literal["deliveries", "bodies", "outcomes", "keys", "money"]

MOST_CARRIED: Final = 10_000
"""More items of a partition that aren't done keep all of it where it is."""
LISTS_END: Final = timedelta(days=30)
"""Whatever was created is listed, and its results are kept, for less than that."""


@dataclass(frozen=True)
class Keep:
    """How long a lane's things are kept after their outcomes, in seconds; None: for ever."""

    deliveries: float | None = None
    bodies: float | None = None
    outcomes: float | None = None
    keys: float | None = None
    money: float | None = None


Keeps = Mapping[int, Keep]
"""By lane; those of a lane that isn't in it are kept for ever."""


class KeptView(NamedTuple):
    """What is kept of the items of one partition."""

    first_item: int
    looked_at: datetime | None
    waits_for: str | None
    finished_before: datetime | None
    copied_to: int | None
    left_out: list[int]
    deliveries_dropped_at: datetime | None
    bodies_dropped_at: datetime | None
    outcomes_dropped_at: datetime | None
    keys_looked_to: int | None
    keys_dropped_at: datetime | None
    carried: int


VIEW: Final = ", ".join(KeptView._fields)


def kept(connection: Connection) -> list[KeptView]:
    """What is kept of each partition that was looked at, the oldest first."""
    return fetch_all(connection, KeptView, f"SELECT {VIEW} FROM kept ORDER BY first_item")


def within(column: str) -> str:
    """The condition that an item is of a partition, or of a window; its values: `bounds`."""
    return f"{column} >= :first AND {column} < :until"


def bounds(first: int) -> dict[str, object]:
    """Of a partition's items."""
    return {"first": first, "until": first + PARTITION_ITEMS}
