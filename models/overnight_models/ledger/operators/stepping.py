"""Steps of a rotation: what one has done, and what is by the keys of today."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from overnight_models.ledger.bodies.encryption import MARK, Keys, NoKey, head_of_text, id_in, keys_of
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection


@dataclass
class Stepped:
    """What a step has done."""

    last: int | None
    """Where the next one goes on; None: there is no more."""
    changed: int = 0
    unread: int = 0
    """Values that can't be read: their key isn't there, or they are damaged."""
    why: str | None = None
    """Why the first of them can't."""

    def leave(self, error: DamagedGroup) -> None:
        """One can't be read, and stays as it is."""
        self.unread += 1
        self.why = self.why or str(error)


def keys_here(connection: Connection) -> Keys:
    """The keys that a connection knows. Raises NoKey."""
    keys = keys_of(connection)
    if keys is None:
        raise NoKey("this connection knows no encryption keys")
    return keys


def is_by(text: str, key: bytes | None) -> bool:
    """Whether a text is kept by this key. None: it isn't encrypted."""
    if key is None or not text.startswith(MARK):
        return key is None and not text.startswith(MARK)
    return text.startswith(head_of_text(key))


def key_in(sealed_text: str) -> str:
    """By which key a text that is encrypted is, as the key's id in hex."""
    return id_in(base64.b64decode(sealed_text[len(MARK) : len(MARK) + 16])).hex()


def head_in_sql(column: str) -> str:
    """In SQL: by which key a text that is encrypted is, as the key's id in hex."""
    return f"encode(substring(decode(substring({column} FROM {len(MARK) + 1} FOR 16), 'base64') FROM 5 FOR 8), 'hex')"
