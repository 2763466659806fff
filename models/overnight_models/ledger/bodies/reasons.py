"""Why items were turned down, encrypted where their lane says so: it may quote what they asked.

The rest of a verdict is as it was: keys and receipts are looked up by, and counts are no text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from overnight_models.ledger.bodies.encryption import MARK, NoKey, Unreadable, seal_str, unseal_text, writing_key
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_all
from overnight_models.wire.verdict import Fault, VerdictDocument

_HEAD: Final = 16
"""Characters of base64 with a sealed value's beginning and its key."""


def sealed(connection: Connection, lanes: Mapping[UUID, str], message_id: UUID, fault: Fault) -> Fault:
    """A fault as the inbox has it. lanes: by message. Raises NoKey."""
    key = writing_key(connection, lanes[message_id])
    return fault if key is None else fault | {"why": seal_str(key, _place(message_id), fault["why"])}


def opened(connection: Connection, message_id: UUID, verdict: str) -> str:
    """A verdict as its product reads it. Raises NoKey while an encryption key isn't there."""
    if f'"{MARK}' not in verdict:
        return verdict
    document: VerdictDocument = orjson.loads(verdict)
    for fault in document["rejected"]:
        try:
            fault["why"] = unseal_text(connection, _place(message_id), fault["why"])
        except Unreadable as error:
            raise NoKey(f"why an item was turned down can be read when its encryption key is there: {error}") from error
        except DamagedGroup as error:
            fault["why"] = f"(it can't be read: {error})"
    return orjson.dumps(document).decode()


class _Counted(NamedTuple):
    """Messages whose reasons are kept by one key."""

    key: str
    """Its id in hex."""
    n: int


def count(connection: Connection) -> Counter[str]:
    """How many messages have reasons that are encrypted, by the key's id in hex. They are forgotten after 7 days."""
    counted = fetch_all(
        connection,
        _Counted,
        f"""
        SELECT encode(substring(decode(substring(verdict FROM '"{MARK}(.{{{_HEAD}}})'), 'base64') FROM 5 FOR 8), 'hex')
               AS key, count(*) AS n
        FROM inbox WHERE verdict LIKE '%"{MARK}%' GROUP BY 1
        """,
    )
    return Counter({row.key: row.n for row in counted})


def _place(message_id: UUID) -> str:
    return f"reason:{message_id}"
