"""Whether what an operator names is there: a name that nobody has is a mistake, and not an empty answer."""

from __future__ import annotations

from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_column, fetch_only_value

_SHOWN = 5


def unknown_lane(connection: Connection, name: str, configured: tuple[str, ...]) -> str | None:
    """What is wrong with a lane's name; None when it is configured, or ever had an item."""
    known = sorted({*configured, *fetch_column(connection, str, "SELECT name FROM lane ORDER BY name")})
    return None if name in known else f"there is no lane {name!r}: there are {', '.join(known)}"


def unknown_run(connection: Connection, name: str) -> str | None:
    """What is wrong with a run's name; None when it is one."""
    if fetch_only_value(connection, bool, "SELECT EXISTS (SELECT FROM run WHERE name = :name)", name=name):
        return None
    newest = fetch_column(connection, str, "SELECT name FROM run ORDER BY id DESC LIMIT :shown", shown=_SHOWN)
    there = f": the newest are {', '.join(newest)}" if newest else ", and no other"
    return f"there is no run {name!r}{there}"


def unknown_tenant(connection: Connection, name: str) -> str | None:
    """What is wrong with a tenant's name; None when an item ever was on its behalf."""
    return _unknown(connection, "tenant", name)


def unknown_model(connection: Connection, name: str) -> str | None:
    """What is wrong with a model's name; None when a request ever called it so."""
    return _unknown(connection, "model", name)


def _unknown(connection: Connection, table: str, name: str) -> str | None:
    if fetch_only_value(connection, bool, f"SELECT EXISTS (SELECT FROM {table} WHERE name = :name)", name=name):
        return None
    some = fetch_column(connection, str, f"SELECT name FROM {table} ORDER BY name LIMIT :shown", shown=2 * _SHOWN)
    return f"there is no {table} {name!r}: {'there are ' + ', '.join(some) if some else 'there is none'}"


def unknown_batch(connection: Connection, batch_id: int) -> str | None:
    """What is wrong with a batch's number; None when it is one."""
    if fetch_only_value(connection, bool, "SELECT EXISTS (SELECT FROM batch WHERE id = :id)", id=batch_id):
        return None
    return f"there is no batch {batch_id}: `overnight batches` lists them"


def unknown_queue(connection: Connection, name: str) -> str | None:
    """What is wrong with the name of a queue or a webhook; None when outcomes ever went there."""
    if fetch_only_value(connection, bool, "SELECT EXISTS (SELECT FROM target WHERE queue = :name)", name=name):
        return None
    some = fetch_column(
        connection, str, "SELECT queue FROM target GROUP BY queue ORDER BY queue LIMIT :shown", shown=2 * _SHOWN
    )
    return f"no outcome goes to a queue or webhook {name!r}: {'some go to ' + ', '.join(some) if some else 'none do'}"


def unknown_key(connection: Connection, key: str, lane: str | None) -> str | None:
    """What is wrong with an item's key; None when an item of the lane, or of any, has it."""
    lanes = fetch_column(
        connection,
        str,
        """
        SELECT lane.name FROM item_key JOIN lane ON lane.id = item_key.lane_id
        WHERE item_key.key_hash = :key_hash ORDER BY lane.name
        """,
        key_hash=key_hash(key),
    )
    if lane in lanes or (lane is None and lanes):
        return None
    if lanes:
        return f"lane {lane!r} has no item with the key {key!r}: lane {', '.join(lanes)} has"
    return (
        f"no item has the key {key!r}: what was enqueued just now may be on its way, and what was turned down is in the"
        " log of accept, and in what `confirm` told its producer"
    )
