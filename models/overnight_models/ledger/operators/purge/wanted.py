"""What a purge is about: a filter of items, and what may be done so that they can go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators.item_filter import OF_KEY, ItemFilter
from overnight_models.ledger.rows import fetch_column

Wish = Mapping[str, object]
"""What was said of an action, as JSON has it."""
OWN_WORDS: Final = frozenset({"cancel", "keys", "shared_batches", "key_hash"})
"""What the wish of a purge says beside its filter."""
_BEFORE: Final = "enqueued_before"


@dataclass(frozen=True, kw_only=True)
class Purge:
    """Whose texts go."""

    items: ItemFilter
    key_hash: bytes | None = None
    """Of the key that was named: the key itself isn't written down. `items` has the numbers of its items then."""
    cancel: bool = False
    """What is on its way is taken back first; what is at the API is billed and dropped when it comes."""
    keys: bool = False
    """The keys' hashes go, too: then the same key is another item."""
    shared_batches: bool = False
    """Batches at the API are deleted, too, of which other items are kept: their results are recorded here."""

    @property
    def wish(self) -> dict[str, object]:
        """As the wish of an action: names and numbers, and nothing of a request or an answer."""
        narrowed = {name: _written(value) for name, value in self.items.narrowed.items()}
        said = {name: True for name in ("cancel", "keys", "shared_batches") if getattr(self, name)}
        return narrowed | said | ({} if self.key_hash is None else {"key_hash": self.key_hash.hex()})

    @classmethod
    def of(cls, wish: Wish) -> Purge:
        """The purge that a wish says."""
        narrowed = {name: value for name, value in wish.items() if name not in OWN_WORDS}
        if _BEFORE in narrowed:
            narrowed[_BEFORE] = datetime.fromisoformat(str(narrowed[_BEFORE]))
        if "ids" in narrowed:
            narrowed["ids"] = tuple(cast("list[int]", narrowed["ids"]))
        said = {name: bool(wish.get(name)) for name in ("cancel", "keys", "shared_batches")}
        hashed = wish.get("key_hash")
        own = None if hashed is None else bytes.fromhex(str(hashed))
        return cls(items=ItemFilter(**narrowed), key_hash=own, **said)  # type: ignore[arg-type]


def _written(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def items_of_key(connection: Connection, key: str) -> tuple[int, ...]:
    """All items that a key ever had, in every lane: also those whose places others have taken, and followers."""
    return tuple(
        fetch_column(
            connection,
            int,
            f"""
            WITH RECURSIVE same (id) AS (
                SELECT item_id FROM item_key WHERE {OF_KEY}
                UNION
                SELECT other.id FROM same CROSS JOIN LATERAL (
                    SELECT of_item_id AS id FROM redo WHERE redo.item_id = same.id
                    UNION ALL SELECT item_id FROM follower WHERE of_item_id = same.id
                ) other
            )
            SELECT id FROM same ORDER BY id
            """,
            key_hash=key_hash(key),
        )
    )
