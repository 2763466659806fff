"""What the ledger is asked where lanes encrypt."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models.ledger import hand_overs, redo
from overnight_models.ledger.bodies import groups, reasons
from overnight_models.ledger.bodies.encryption import key_id, options
from overnight_models.ledger.deliver import deliver
from overnight_models.ledger.operators import encryption
from overnight_models.ledger.rows import execute, fetch_column
from tests.stages.ledger.rows_to_ask import final_item


class OneKey:
    """Every lane encrypts by one key."""

    are_used = True

    def of_lane(self, lane: str) -> bytes | None:
        """It."""
        return b"k" * 32

    def by_id(self, wanted: bytes) -> bytes | None:
        """It, where it is meant."""
        return b"k" * 32 if wanted == key_id(b"k" * 32) else None


class NoKeys(OneKey):
    """No key is there."""

    def by_id(self, wanted: bytes) -> bytes | None:
        """None."""
        return None


def _ask_without_key(connection: Connection) -> None:
    """Deliveries wait for the key that all of them need now."""
    hand_overs.give_rows_to_delivered(connection, fetch_column(connection, int, "SELECT id FROM item"))
    execute(connection, "UPDATE delivery SET state = 'due', due_at = now() - interval '1 minute'")
    target, *_ = deliver.targets(connection)
    keyless: dict[str, str] = {}
    connection = connection.execution_options(**options(NoKeys()))
    assert deliver.claim(connection, target, limit=10, lease_s=60, keyless=keyless) == []
    assert keyless


def ask_encryption(connection: Connection) -> None:
    """Everything is encrypted, and counted; what is tried again keeps what it asks."""
    connection = connection.execution_options(**options(OneKey()))
    final = final_item(connection)
    groups.write_groups(connection, "answer_group", [groups.Body(final, None, b"{}" * 5_000)])
    assert encryption.step_groups(connection, "answer_group", 0).changed >= 1
    assert sum(encryption.step_texts(connection, column, 0).changed for column in encryption.COLUMNS) > 0
    assert encryption.count(connection, 0).total() > 0
    assert encryption.last_item(connection) > 0
    assert reasons.count(connection).total() == 0
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=final)
    assert redo.redo(connection, [final])
    _ask_without_key(connection)
