"""Keys that are named elsewhere: in what messages were told, and in what people did. They go before the items do.

Afterwards nobody could tell any more whose keys they are.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_models.ledger.rows import execute, fetch_all, fetch_column

_WHY: Final = "purged"
_WORDS: Final = ("key", "key_prefix")


class _Verdict(NamedTuple):
    """What a message was told."""

    message_id: UUID
    verdict: str


class _Action(NamedTuple):
    """What somebody did, to what."""

    id: int
    wish: str


def forget(connection: Connection, purge: Purge) -> dict[str, int]:
    """Forget keys of these items where they are named. Returns by kind, in how many rows."""
    verdicts = fetch_all(
        connection,
        _Verdict,
        "SELECT message_id, verdict FROM inbox WHERE verdict LIKE '%\"rejected\":[{%' ORDER BY message_id",
    )
    acted = fetch_all(
        connection,
        _Action,
        """
        SELECT id, wish FROM action
        WHERE ended_at IS NOT NULL AND (wish LIKE '%"key":%' OR wish LIKE '%"key_prefix":%') ORDER BY id
        """,
    )
    named = {fault["key"] for row in verdicts for fault in orjson.loads(row.verdict)["rejected"]}
    named |= {orjson.loads(row.wish).get(word) for row in acted for word in _WORDS}
    theirs = _of(connection, purge, {name for name in named if isinstance(name, str)})
    if not theirs:
        return {}
    return {
        "verdicts": sum(_forget_in_verdict(connection, row, theirs) for row in verdicts),
        "actions": sum(_forget_in_wish(connection, row, theirs) for row in acted),
    }


def _of(connection: Connection, purge: Purge, keys: Collection[str]) -> set[str]:
    """Those of the keys that items have which are to be purged."""
    if not keys:
        return set()
    by_hash = {key_hash(key): key for key in keys}
    wanted = purge.items
    there = fetch_column(
        connection,
        bytes,
        f"""
        SELECT DISTINCT key_hash FROM item_key
        WHERE lane_id IN (SELECT id FROM lane) AND key_hash = ANY(:hashes)
          AND item_id IN (SELECT item.id FROM {wanted.source} WHERE {wanted.where})
        """,
        hashes=list(by_hash),
        **wanted.values,
    )
    return {by_hash[bytes(key_hash)] for key_hash in there}


def _forget_in_verdict(connection: Connection, row: _Verdict, theirs: Collection[str]) -> int:
    document = orjson.loads(row.verdict)
    faults = [fault for fault in document["rejected"] if fault["key"] in theirs]
    for fault in faults:
        fault |= {"key": None, "why": _WHY}
    if faults:
        written = "UPDATE inbox SET verdict = :verdict WHERE message_id = :id"
        execute(connection, written, verdict=orjson.dumps(document).decode(), id=row.message_id)
    return bool(faults)


def _forget_in_wish(connection: Connection, row: _Action, theirs: Collection[str]) -> int:
    wish = orjson.loads(row.wish)
    words = [word for word in _WORDS if wish.get(word) in theirs]
    for word in words:
        wish[f"{word}_hash"] = key_hash(wish.pop(word)).hex()
    if words:
        written = "UPDATE action SET wish = :wish WHERE id = :id"
        execute(connection, written, wish=orjson.dumps(wish, option=orjson.OPT_SORT_KEYS).decode(), id=row.id)
    return bool(words)
