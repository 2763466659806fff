"""Messages that a relay put aside in a product's database: looked at, and taken on again, recorded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from overnight_models.errors import PermanentError
from overnight_models.ledger import accept
from overnight_models.ledger.database import Database
from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.relays import inbox
from overnight_models.ledger.relays.inbox import AllAside
from overnight_models.wire.inbox import InboxTable
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.process import database
from overnight_workers.settings import settings


def known_relay(name: str) -> RelaySettings:
    """The settings of a relay. Raises PermanentError when the configuration has no such relay."""
    relays = settings().relays
    if name not in relays:
        raise PermanentError(f"there is no [relays.{name}]: the configuration has {', '.join(relays) or 'none'}")
    return relays[name]


@contextmanager
def opened(relay: RelaySettings) -> Iterator[tuple[Connection, InboxTable]]:
    """A transaction in the database of a relay, and its table."""
    of_product = Database(relay.link)
    try:
        with of_product.transaction() as connection:
            yield connection, relay.table
    finally:
        of_product.close()


def all_of(relay: RelaySettings) -> AllAside:
    """How much a relay has put aside."""
    with opened(relay) as (connection, table):
        return inbox.all_aside(connection, table)


def retry(name: str, ids: Collection[int], by: By) -> int:
    """Have messages taken on again: those of these ids, or all. What is in the ledger of them stays as it is.

    Returns how many. Raises PermanentError when there is no such relay.
    """
    with opened(known_relay(name)) as (connection, table):
        message_ids = inbox.aside_messages(connection, table, ids)
        # before the rows: what has its old verdict would be put aside again
        with database().transaction() as own:
            accept.forget(own, message_ids)
            if message_ids:
                actions.note(own, "retry put aside", {"relay": name, "messages": len(message_ids)}, by)
        return inbox.let_go_on(connection, table, message_ids)
