"""Inboxes of products, as a purge sees them: how many of its items lie there, which it doesn't reach.

They are the products' own tables: a purge reads them by the relays' connections, and changes nothing there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from overnight_models.errors import BadSettings, OvernightError
from overnight_models.ledger.database import Database
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_models.ledger.relays import inbox
from overnight_models.quantities import several
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.settings import settings
from overnight_workers.stages.waiting_messages import Wanted, fitting

_AT_ONCE: Final = 20
"""Messages that are read at once: each may have a megabyte."""
_STATEMENT_TIMEOUT_S: Final = 30.0


@dataclass
class NotReached:
    """What of a purge lies in the inbox of one relay."""

    relay: str
    waiting: int = 0
    """Items that the relay takes on when it comes to them."""
    aside: int = 0
    """Items of messages that were put aside: they stay until somebody says so."""
    why_unknown: str | None = None
    """Why nobody can tell from here."""

    @property
    def lines(self) -> list[str]:
        """What is said of it, and what to do."""
        place = f"in the inbox of relay {self.relay}"
        said = []
        if self.waiting:
            do = "purge again when the relay has taken them on"
            said.append(f"kept: {several(self.waiting, 'item')} {place}: {do}")
        if self.aside:
            do = f"`overnight inbox aside {self.relay}` shows them, `overnight inbox drop {self.relay}` deletes them"
            said.append(f"kept: {several(self.aside, 'item')} put aside {place}: {do}")
        if self.why_unknown is not None:
            do = "say it again where the relay runs, or ask who owns that database"
            said.append(f"unknown: what lies {place}, which can't be read from here ({self.why_unknown}): {do}")
        return said


def not_reached(purge: Purge) -> list[NotReached]:
    """Of each relay of the configuration in whose inbox something of it lies, or may. It never raises for one of them.

    What was enqueued before a time that is over isn't there any more, and not looked for.
    """
    if purge.items.enqueued_before is not None:
        return []
    wanted = Wanted(purge.items.lane, purge.items.tenant, purge.items.run, purge.key_hash)
    looked = [_look(name, relay, wanted) for name, relay in sorted(settings().relays.items())]
    return [there for there in looked if there.lines]


def _look(name: str, relay: RelaySettings, wanted: Wanted) -> NotReached:
    there = NotReached(name)
    try:
        database = Database(relay.link, name="overnight purge", statement_timeout_s=_STATEMENT_TIMEOUT_S)
        try:
            with database.snapshot() as connection:
                after = 0
                while messages := inbox.lying(
                    connection, relay.table, lane=wanted.lane, run=wanted.run, after=after, limit=_AT_ONCE
                ):
                    for message in messages:
                        arguments = {"lane": message.lane, "run": message.run}
                        items = fitting(wanted, arguments, message.items, message.encoding)
                        there.aside += items if message.is_aside else 0
                        there.waiting += 0 if message.is_aside else items
                    after = messages[-1].id
        finally:
            database.close()
    except BadSettings as error:
        there.why_unknown = "; ".join(error.faults)
    except (OvernightError, SQLAlchemyError) as error:
        there.why_unknown = " ".join(str(error).split())
    return there
