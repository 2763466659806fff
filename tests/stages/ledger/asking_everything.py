"""All that the ledger can be asked, asked of a small ledger: by the stages as they run, and function by function."""

from __future__ import annotations

from uuid import UUID, uuid4

from overnight_models.ledger import (
    answer,
    following,
    prefixes,
    schema,
)
from overnight_models.ledger.database import Database
from overnight_models.ledger.rows import execute
from overnight_models.request.prefix import Prefix
from overnight_workers import process
from tests.driving import Service, callback, item, params, put_prefix
from tests.service.ledger import Json
from tests.stages.ledger.asking_batches import (
    ask_collecting,
    ask_disowned,
    ask_packing,
    ask_polling,
    ask_rejected,
    ask_restored,
    ask_sent,
    ask_unclear,
    ask_within_budgets,
)
from tests.stages.ledger.asking_catalogs import ask_catalogs
from tests.stages.ledger.asking_direct import ask_direct, ask_racing
from tests.stages.ledger.asking_encryption import ask_encryption
from tests.stages.ledger.asking_items import (
    ask_again,
    ask_bodies,
    ask_deadlines,
    ask_delivering,
    ask_hand_overs,
    ask_intake,
    ask_obstacles,
    ask_redoing,
    ask_webhooks,
)
from tests.stages.ledger.asking_operators import ask_keeping_house, ask_money, ask_operators, ask_retention
from tests.stages.ledger.asking_relays import ask_relays
from tests.stages.ledger.rows_to_ask import final_item

CONTRACT = "Every clause of it. " * 1200


def ask_everything(service: Service) -> None:
    """Each group of questions in a transaction that is taken back; the stages write what they ask about."""
    database = process.database()
    schema.migrate(database)
    _enqueue(service)
    service.round()
    _enqueue(service, "again")
    _prefixes(database)
    _known_keys(service, database)
    groups = (
        ask_intake,
        ask_bodies,
        ask_packing,
        ask_deadlines,
        ask_within_budgets,
        ask_sent,
        ask_unclear,
        ask_rejected,
        ask_disowned,
        ask_again,
        ask_redoing,
        ask_encryption,
        ask_restored,
        ask_polling,
        ask_direct,
        ask_racing,
        ask_catalogs,
        ask_collecting,
        ask_money,
        ask_hand_overs,
        ask_delivering,
        ask_webhooks,
        ask_obstacles,
        ask_operators,
        ask_keeping_house,
        ask_retention,
        ask_relays,
    )
    for ask in groups:
        with database.engine.connect() as connection, connection.begin() as transaction:
            ask(connection)
            transaction.rollback()


def _enqueue(service: Service, name: str = "first") -> None:
    prefix = put_prefix(service, Prefix.of({"system": CONTRACT}))
    described: Json = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    wanted = {"format": {"type": "json_schema", "schema": described}}
    plain = item(f"{name} plain", callback=callback())
    service.accept(
        plain,
        item(f"{name} tenant", tenant="acme", callback=callback(ack=True)),
        *(item(f"{name} contract {n}", prefix=prefix, params=params(f"Question {name} {n}")) for n in range(3)),
        item(f"{name} structured", params=params(f"{name} structured", output_config=wanted)),
        run="r",
    )
    service.accept(plain, run="r")
    # the same content with other wishes
    service.accept(item(f"{name} plain", callback=callback("other")), run="r")
    service.accept(item(f"{name} structured", "another text"), run="r")


def _prefixes(database: Database) -> None:
    """A process that knows none yet reads them, and stores what Redis has."""
    document = Prefix.of({"system": CONTRACT})
    known = prefixes.Prefixes(database, lambda _: document.document)
    assert known.find(document.hash) is not None
    other = Prefix.of({"system": CONTRACT * 2})
    assert prefixes.Prefixes(database, lambda _: other.document).find(other.hash) is not None


def _known_keys(service: Service, database: Database) -> None:
    """Followers, of an item that is final and of one that waits, and another try of an item that failed."""
    follower = item("first plain", callback=callback("crm"), if_known="deliver")
    service.accept(follower, run="r")
    service.accept(follower | {"id": str(uuid4())}, run="r")
    service.accept(item("again plain", callback=callback("crm"), if_known="deliver"), run="r")
    with database.transaction() as connection:
        answer.locate(connection, answer.Asked("default", "first plain", UUID(follower["id"])))
        following.answer(connection)
        execute(
            connection, "UPDATE item SET state = 'failed' WHERE id = :id", id=final_item(connection, "first structured")
        )
    service.accept(item("first structured", "with another text", if_known="redo"))
