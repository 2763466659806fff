"""What the ledger is asked where lanes encrypt."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models.ledger import hand_overs, prefixes, redo
from overnight_models.ledger.bodies import examples, groups, reasons, said
from overnight_models.ledger.bodies.encryption import key_id, options, writing_keys
from overnight_models.ledger.deliver import deliver
from overnight_models.ledger.operators import encrypted_prefixes, encrypted_words, encryption, unused
from overnight_models.ledger.rows import execute, fetch_column, fetch_one
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


def _ask_prefixes(connection: Connection) -> None:
    """A lane has prefixes of its own; without their key they can't be read."""
    assert encrypted_prefixes.count_shared(connection, 0, 1_000_000).total() > 0
    assert encrypted_prefixes.step_shared(connection, 0, encryption.last_item(connection)).changed > 0
    look = unused.go_on(connection, encrypted_prefixes.look_for_left(connection))
    encrypted_prefixes.delete_left(connection, look)
    assert encrypted_prefixes.count(connection).total() > 0
    own = fetch_one(
        connection,
        "SELECT prefix.id, own_lane_id AS lane_id, lane.name, encode(hash, 'hex') AS hash"
        " FROM prefix JOIN lane ON lane.id = own_lane_id ORDER BY prefix.id LIMIT 1",
    )
    assert own is not None
    execute(connection, "UPDATE prefix SET document = '{}' WHERE id = :id", id=own["id"])
    assert encrypted_prefixes.step_own(connection, 0).changed == 1
    execute(connection, "UPDATE prefix SET document = '{}' WHERE id = :id", id=own["id"])
    assert prefixes.keep_own(connection, own["hash"], prefixes.Owner(own["lane_id"], own["name"]), "{}") == own["id"]
    keyless = connection.execution_options(**options(NoKeys()))
    goes_on = fetch_column(connection, int, "SELECT id FROM item WHERE prefix_id = :id LIMIT 1", id=own["id"])
    assert list(prefixes.unreadable_of(keyless, goes_on)) == goes_on


def _ask_words(connection: Connection) -> None:
    """What was said of batches, and what reports show."""
    execute(connection, "UPDATE batch SET reason = '400 it is no good'")
    assert sum(encrypted_words.count(connection, words, 0)[0].total() for words in encrypted_words.WORDS) > 0
    assert sum(encrypted_words.step(connection, words, 0).changed for words in encrypted_words.WORDS) > 0
    (item_id, *_) = fetch_column(connection, int, "SELECT id FROM item")
    assert list(writing_keys(connection, [item_id])) == [item_id]
    (batch_id, *_) = fetch_column(connection, int, "SELECT id FROM batch")
    assert said.of_batch(connection, batch_id, 1, "400 it is no good").of_batch.startswith("400 [")
    assert examples.sealed(connection, 1, "before", "[]") == "[]", "there is no such run"


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
    _ask_prefixes(connection)
    _ask_words(connection)
    execute(connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=final)
    assert redo.redo(connection, [final])
    _ask_without_key(connection)
