"""Priming: one item of a prefix goes ahead in a batch of its own and writes the cache; the others wait for its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger import prefixes
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.pack.pack import Waiting, next_in_line
from overnight_models.ledger.pack.turns import StayBehind
from overnight_models.ledger.rows import execute, fetch_all
from overnight_models.states import BATCH

_GOES_AHEAD: Final = tuple(state for state in BATCH.unfinished if state not in ("ended", "incomplete"))


class PrefixOfModel(NamedTuple):
    """A prefix and the model whose cache it is in, by their numbers."""

    prefix_id: int
    model_id: int


def being_written(connection: Connection, source: Waiting) -> tuple[PrefixOfModel, ...]:
    """The prefixes that a batch writes into the cache right now."""
    written = fetch_all(
        connection,
        PrefixOfModel,
        """
        SELECT prefix_id, model_id FROM primer JOIN batch ON batch.id = primer.batch_id
        WHERE primer.headers_id = :headers_id AND batch.state = ANY(:goes_ahead)
        """,
        headers_id=source.headers_id,
        goes_ahead=list(_GOES_AHEAD),
    )
    return tuple(written)


@dataclass(frozen=True)
class Cold:
    """A prefix that items wait for, and that nobody has written within the hour."""

    item_id: int
    """The one that may go ahead."""
    prefix_id: int
    model_id: int
    model: str
    requests: int
    prefix_bytes: int


def cold(connection: Connection, source: Waiting, *, max_items: int, stay: StayBehind) -> list[Cold]:
    """The prefixes that could be written ahead for those who go next.

    stay: as in `pack.pack`.
    """
    candidates = next_in_line(connection, source, max_items=max_items, stay=stay)
    return fetch_all(
        connection,
        Cold,
        f"""
        SELECT item_id, prefix_id, model_id, model.name AS model, requests, {prefixes.BYTES} AS prefix_bytes
        FROM (
            SELECT min(id) AS item_id, prefix_id, model_id, count(*) AS requests FROM ({candidates.query}) next
            WHERE prefix_id IS NOT NULL GROUP BY prefix_id, model_id
        ) shared
        JOIN prefix ON prefix.id = prefix_id JOIN model ON model.id = model_id
        WHERE NOT EXISTS (
            SELECT FROM primer
            WHERE primer.headers_id = :headers_id AND primer.prefix_id = shared.prefix_id
              AND primer.model_id = shared.model_id AND at > now() - interval '1 hour'
        )
        ORDER BY item_id
        """,
        **candidates.values,
    )


def note(connection: Connection, source: Waiting, primer: Cold) -> None:
    """The item has gone ahead, in the batch that it was packed into."""
    execute(
        connection,
        """
        INSERT INTO primer (headers_id, prefix_id, model_id, batch_id)
        SELECT :headers_id, :prefix_id, :model_id, batch_id FROM item WHERE id = :item_id
        ON CONFLICT (headers_id, prefix_id, model_id) DO UPDATE SET batch_id = excluded.batch_id, at = now()
        """,
        headers_id=source.headers_id,
        prefix_id=primer.prefix_id,
        model_id=primer.model_id,
        item_id=primer.item_id,
    )
