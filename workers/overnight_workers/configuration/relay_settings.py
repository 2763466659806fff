"""`[relays.NAME]`: databases of products whose inbox is taken on by `overnight relay`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from overnight_models.errors import BadSettings
from overnight_models.wire.inbox import NAME, InboxTable
from overnight_workers.configuration.kinds import duration, inbox_table
from overnight_workers.configuration.reading import Faults, required_secret, setting
from overnight_workers.configuration.url_sources import url_at, url_or_source
from overnight_workers.configuration.urls import postgres_url


@dataclass(frozen=True, kw_only=True)
class RelaySettings:
    """One database."""

    database_url: str = required_secret(url_or_source(postgres_url))
    """The product's Postgres, or where its URL is: `env:VARIABLE`, `file:PATH`, `command:PROGRAM ARGUMENTS`. Its role
    needs SELECT, UPDATE and DELETE on the inbox table."""
    inbox: str = setting(inbox_table, NAME)
    """The inbox table there, as NAME or SCHEMA.NAME."""
    poll_every: float = setting(duration(0.01, 60.0), 0.2)
    """How often it is looked whether something has come; while there is something, at once again."""

    @property
    def link(self) -> str:
        """The URL of the product's Postgres, as it is now. Raises BadSettings, without anything of it."""
        link = url_at(self.database_url, postgres_url)
        if not link:
            raise BadSettings(["where is the product's database? postgresql://…"])
        return link

    @property
    def table(self) -> InboxTable:
        """The inbox table."""
        return InboxTable.read(self.inbox)


def relays_fit(relays: Mapping[str, RelaySettings], faults: Faults) -> None:
    """Add what is wrong with them."""
    for name, relay in relays.items():
        if faults.is_right("relays", name, "database_url") and not relay.database_url:
            faults.add(("relays", name, "database_url"), "where is the product's database? postgresql://…")
