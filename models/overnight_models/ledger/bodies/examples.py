"""Examples of a catalog's rows, in its reports: encrypted where the lane of its run says so."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from typing import Final

from overnight_models.ledger.bodies.encryption import NoKey, Unreadable, keys_of, seal_str, unseal_text, writing_key
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_value

_DEFAULT: Final = "default"


def lane_in(declaration: str) -> str:
    """The lane that a run's rows go by."""
    try:
        lane = tomllib.loads(declaration).get("lane", _DEFAULT)
    except tomllib.TOMLDecodeError:
        return _DEFAULT
    return lane if isinstance(lane, str) else _DEFAULT


def key_of_run(connection: Connection, run_id: int) -> bytes | None:
    """The key for what is kept of a catalog's run; None: its lane doesn't encrypt. Raises NoKey."""
    keys = keys_of(connection)
    if keys is None or not keys.are_used:
        return None
    declaration = fetch_value(connection, str, "SELECT declaration FROM catalog_run WHERE id = :id", id=run_id)
    return None if declaration is None else writing_key(connection, lane_in(declaration))


def sealed(connection: Connection, run_id: int, part: str, text: str) -> str:
    """A text as its row has it. part: which it is of the texts of the run. Raises NoKey."""
    return sealed_all(connection, run_id, [(part, text)])[0]


def sealed_all(connection: Connection, run_id: int, texts: Sequence[tuple[str, str]]) -> list[str]:
    """The same of several texts, each with what it is."""
    key = key_of_run(connection, run_id)
    return [seal_str(key, place_of(run_id, part), text) for part, text in texts]


def opened(connection: Connection, run_id: int, part: str, text: str) -> str:
    """The same as it was. Raises NoKey while its encryption key isn't there, and DamagedGroup."""
    try:
        return unseal_text(connection, place_of(run_id, part), text)
    except Unreadable as error:
        raise NoKey(f"what is kept of a catalog's run: {error}") from error


def of_row(entry: bytes) -> str:
    """What it is that is said of a row that couldn't be sent. entry: the hash of the row."""
    return f"unsent {entry.hex()}"


def place_of(run_id: int, part: str) -> str:
    """What a text is bound to."""
    return f"catalog_run:{run_id} {part}"
