"""What products enqueue in their own transactions: the relay that takes it on is killed wherever it may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import orjson

from overnight_models.ledger import accept
from overnight_models.ledger.relays import inbox
from overnight_models.wire import inbox_migrations
from overnight_models.wire.inbox import InboxRow, InboxTable, insert_statement
from overnight_models.wire.message import VERSION
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.process import database
from overnight_workers.relay.relay import Relay
from tests.chaos.scenario import DONE, ROUND, Scenario
from tests.chaos.steps import Step, one
from tests.driving import Service
from tests.service.ledger import Json

_TABLE: Final = InboxTable("overnight_inbox", "chaos_shop")


def an_inbox(service: Service) -> None:
    """The product's table; beside the ledger, which makes no difference to a relay."""
    for statement in inbox_migrations.sql(_TABLE):
        service.ledger.execute(statement)


def committed(number: int, *items: Callable[[], Json]) -> Step:
    """A product's message, in its own transaction; the same each time, as of a product that isn't sure."""

    def put(service: Service) -> None:
        message_id = str(uuid5(NAMESPACE_URL, f"{service.api.key} relay {number}"))
        lines = "\n".join(orjson.dumps(item()).decode() for item in items)
        row = InboxRow(message_id, VERSION, "default", None, None, lines, len(items))
        service.ledger.execute(insert_statement(_TABLE, "%s"), *row)

    return put


def rolled_back(number: int, *items: Callable[[], Json]) -> Step:
    """The same of a transaction that is given up."""

    def put(service: Service) -> None:
        service.ledger.execute("BEGIN")
        committed(number, *items)(service)
        service.ledger.execute("ROLLBACK")

    return put


def the_relay(service: Service) -> None:
    """Turns until the inbox is empty. What ended its relay six times was put aside, and is tried again by a person."""
    relay = Relay("chaos", RelaySettings(database_url=service.database_url, inbox=str(_TABLE)))
    try:
        for _ in range(2):
            while relay.turn():
                pass
            _tried_again(service)
        relay.tell(at_once=True)
    finally:
        relay.close()


def _tried_again(service: Service) -> None:
    """As by `overnight inbox retry`."""
    with database().transaction() as shop:  # the same database here
        messages = inbox.aside_messages(shop, _TABLE, ())
        if messages:
            with database().transaction() as own:
                accept.forget(own, messages)
            inbox.let_go_on(shop, _TABLE, messages)


def it_is_empty(service: Service) -> None:
    """What was committed is taken on, and goes out of the product's table, which isn't left to other tests."""
    assert service.ledger.fetch_all("SELECT * FROM chaos_shop.overnight_inbox") == []
    service.ledger.execute("DROP SCHEMA chaos_shop CASCADE")


RELAYS: Final = (
    Scenario(
        "in a product's own transactions",
        (
            an_inbox,
            committed(1, one("a"), one("b")),
            rolled_back(2, one("never")),
            committed(3, one("c")),
            committed(1, one("a"), one("b")),
            the_relay,
            it_is_empty,
            *ROUND,
        ),
        {"a": DONE, "b": DONE, "c": DONE},
        shows="SELECT 1 FROM relay WHERE name = 'chaos' AND waiting = 0",
    ),
)
