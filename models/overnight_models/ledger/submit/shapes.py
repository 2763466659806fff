"""Shapes: kinds of requests that the API was asked about before a batch of them was paid for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from overnight_models.ledger import prefixes
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column
from overnight_models.request.prefix import Prefix


@dataclass(frozen=True)
class Sample:
    """Some requests of a shape that the API hasn't passed yet."""

    shape_id: int
    params: dict[int, bytes]
    """Of its first item in a batch, one in the middle, and the last, by item; JSON."""


class _Request(NamedTuple):
    """A request of a shape, as the tables have it."""

    shape_id: int
    item_id: int
    prefix_id: int | None
    prefix: str | None


def to_be_asked(connection: Connection, batch_id: int, *, limit: int) -> list[Sample]:
    """The shapes in a batch that haven't passed, those of the most items first."""
    requests = fetch_all(
        connection,
        _Request,
        """
        SELECT unknown.shape_id, item.id AS item_id, prefix.id AS prefix_id, prefix.document AS prefix
        FROM (
            SELECT shape_id, count(*) AS items,
                   ARRAY[min(id), percentile_disc(0.5) WITHIN GROUP (ORDER BY id), max(id)] AS samples
            FROM item
            WHERE batch_id = :batch_id AND state = 'batched'
              -- most of the time there is none, and then the items aren't read
              AND shape_id = ANY(ARRAY(SELECT id FROM shape WHERE passed_at IS NULL))
            GROUP BY shape_id ORDER BY items DESC LIMIT :limit
        ) unknown
        JOIN item ON item.id = ANY(samples)
        LEFT JOIN prefix ON prefix.id = item.prefix_id
        ORDER BY items DESC, unknown.shape_id, item.id
        """,
        batch_id=batch_id,
        limit=limit,
    )
    texts = prefixes.read_asked(connection, [request.item_id for request in requests]).texts
    samples: dict[int, dict[int, bytes]] = {}
    for request in requests:
        own = texts.get(request.item_id)
        if own is None:
            continue  # whoever builds the batch puts it aside
        samples.setdefault(request.shape_id, {})[request.item_id] = _whole(connection, request, own)
    return [Sample(shape_id, params) for shape_id, params in samples.items()]


def _whole(connection: Connection, request: _Request, own: bytes) -> bytes:
    if request.prefix_id is None or request.prefix is None:
        return own
    return Prefix(prefixes.whole(connection, request.prefix_id, request.prefix).encode()).splice(own)


def unpassed(connection: Connection, shape_ids: Collection[int]) -> set[int]:
    """Those of them that haven't passed."""
    unknown = "SELECT id FROM shape WHERE id = ANY(:ids) AND passed_at IS NULL"
    return set(fetch_column(connection, int, unknown, ids=list(shape_ids)))


def passed(connection: Connection, shape_ids: Collection[int]) -> None:
    """The API takes requests of these shapes: it isn't asked again."""
    execute(connection, "UPDATE shape SET passed_at = now() WHERE id = ANY(:ids)", ids=list(shape_ids))


def members(connection: Connection, batch_id: int, shape_id: int) -> list[int]:
    """The items of a shape that are in a batch now."""
    return fetch_column(
        connection,
        int,
        "SELECT id FROM item WHERE batch_id = :batch_id AND state = 'batched' AND shape_id = :shape_id ORDER BY id",
        batch_id=batch_id,
        shape_id=shape_id,
    )
