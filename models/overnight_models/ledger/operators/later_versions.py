"""What workers of a later version have begun, while two versions run: an action that says what isn't known here."""

from __future__ import annotations

from dataclasses import fields
from typing import Final, NamedTuple

import orjson

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.purge.wanted import OWN_WORDS
from overnight_models.ledger.rows import fetch_only


def _words_of(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in fields(kind))


_WORDS: Final = {
    "redo": _words_of(ItemFilter),
    "cancel": _words_of(ItemFilter),
    "replay": _words_of(Replayed),
    "purge": _words_of(ItemFilter) | OWN_WORDS,
}
"""What a wish may say, by the action's name."""


class Later(NamedTuple):
    """What of an action this version doesn't know: whoever began it is of a later one."""

    said: str
    stood_s: float
    """For so long nobody has taken a step of it."""


class _Standing(NamedTuple):
    """An action that nobody takes a step of."""

    name: str
    wish: str
    stood_s: float


def of_later_version(connection: Connection, action_id: int) -> Later | None:
    """What of an action only a later version knows, which may be there already; None when all of it is known here."""
    standing = fetch_only(
        connection,
        _Standing,
        "SELECT name, wish, extract(epoch FROM now() - stepped_at)::float AS stood_s FROM action WHERE id = :id",
        id=action_id,
    )
    if standing.name not in _WORDS:
        return Later(f"{standing.name!r}", standing.stood_s)
    unknown = sorted(orjson.loads(standing.wish).keys() - _WORDS[standing.name])
    return Later(f"{standing.name} by {', '.join(unknown)}", standing.stood_s) if unknown else None
