"""What no item has any more, of prefixes and chains: all items are looked at in bounded steps, each a transaction.

There is no index for it, which every item would pay for; and one statement through all items would keep those who
accept waiting for the prefixes that it has locked.

**Invariant:** whoever lets an item go on from a prefix locks the prefix's row first. Then the item's number is drawn,
and is above `Look.last`; or, of an item that was there before, `used_at` is written.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_only

ITEMS_AT_ONCE: Final = 200_000
"""Numbers of items that one step looks at: some tenths of a second."""


@dataclass(frozen=True)
class Look:
    """How far a look has come."""

    prefix_ids: tuple[int, ...]
    """Those that it has met nowhere so far."""
    chain_ids: tuple[int, ...]
    after: int
    """Items up to this one have been looked at."""
    last: int
    """The newest item of when it began; who goes on from a prefix since then has a newer one."""
    began: datetime

    @property
    def is_over(self) -> bool:
        """Every item was looked at, or nothing is left to be looked for."""
        return self.after >= self.last or not (self.prefix_ids or self.chain_ids)


class _Begun(NamedTuple):
    last: int
    began: datetime


class _Has(NamedTuple):
    """What some items have; of purged ones, the chain's name is none of theirs any more."""

    prefix_id: int | None
    chain_id: int | None


def begin(connection: Connection, prefix_ids: Collection[int], chain_ids: Collection[int] = ()) -> Look:
    """Begin to look. What holds one of the prefixes at this moment has committed then, and is met."""
    lock_prefixes(connection, prefix_ids)
    begun = fetch_only(connection, _Begun, "SELECT last_value AS last, clock_timestamp() AS began FROM item_id")
    return Look(tuple(prefix_ids), tuple(chain_ids), 0, *begun)


def go_on(connection: Connection, look: Look) -> Look:
    """Look at the next items, in the order of their numbers: what is asked again is there before what it stands for."""
    until = min(look.after + ITEMS_AT_ONCE, look.last)
    met = fetch_all(
        connection,
        _Has,
        """
        SELECT DISTINCT prefix_id, CASE WHEN NOT purged THEN chain_id END AS chain_id FROM item
        WHERE id > :after AND id <= :until AND (
            prefix_id = ANY(CAST(:prefix_ids AS integer[])) OR chain_id = ANY(CAST(:chain_ids AS integer[]))
        )
        """,
        after=look.after,
        until=until,
        prefix_ids=list(look.prefix_ids),
        chain_ids=list(look.chain_ids),
    )
    prefix_ids, chain_ids = {has.prefix_id for has in met}, {has.chain_id for has in met}
    return replace(
        look,
        prefix_ids=tuple(number for number in look.prefix_ids if number not in prefix_ids),
        chain_ids=tuple(number for number in look.chain_ids if number not in chain_ids),
        after=until,
    )


def lock_prefixes(connection: Connection, prefix_ids: Collection[int]) -> None:
    """Whoever accepts holds what he goes on from until he has committed: wait for him, and let no other come."""
    execute(connection, "SELECT FROM prefix WHERE id = ANY(:ids) ORDER BY id FOR UPDATE", ids=sorted(prefix_ids))


LEFT: Final = """
    prefix.id = ANY(:prefix_ids) AND prefix.used_at < :began
    AND NOT EXISTS (SELECT FROM item WHERE item.prefix_id = prefix.id AND item.id > :last)
"""
"""The condition that a prefix was met nowhere: behind `lock_prefixes`, with a look that is over."""


def left_values(look: Look) -> dict[str, object]:
    """The parameters of `LEFT`."""
    return {"prefix_ids": list(look.prefix_ids), "began": look.began, "last": look.last}
