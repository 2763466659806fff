"""`overnight inbox`: the table in a product's database, and what lies in it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from overnight_models.errors import BadSettings
from overnight_models.wire import inbox_migrations
from overnight_models.wire.inbox import NAME, InboxTable

inbox = typer.Typer(
    no_args_is_help=True, help="The table in a product's database, for what it enqueues in its own transactions."
)

Table = Annotated[str, typer.Option(help="The table's name; what the product says as OVERNIGHT_INBOX.")]
Schema = Annotated[str, typer.Option(help="The schema it lies in. [default: the first of the search path]")]
Grant = Annotated[
    list[str] | None, typer.Option(help="A role of the product: it may write, and nothing else. Repeatable.")
]
GrantRelay = Annotated[list[str] | None, typer.Option(help="The role with which `overnight relay` connects.")]


@inbox.command()
def sql(table: Table = NAME, schema: Schema = "", grant: Grant = None, grant_relay: GrantRelay = None) -> None:
    """Print the SQL that makes the table, for psql or any tool of migrations. Harmless where it is there."""
    statements, _ = _statements(table, schema, grant, grant_relay)
    sys.stdout.write(inbox_migrations.script(statements))


@inbox.command()
def alembic(table: Table = NAME, schema: Schema = "", grant: Grant = None, grant_relay: GrantRelay = None) -> None:
    """Print the same as a revision of Alembic: set `down_revision`, and put it into your `versions`."""
    sys.stdout.write(inbox_migrations.alembic(*_statements(table, schema, grant, grant_relay)))


@inbox.command()
def django(table: Table = NAME, schema: Schema = "", grant: Grant = None, grant_relay: GrantRelay = None) -> None:
    """Print the same as a migration of Django: set `dependencies`, and put it into an app's `migrations`."""
    sys.stdout.write(inbox_migrations.django(*_statements(table, schema, grant, grant_relay)))


def _statements(
    name: str, schema: str, writers: Sequence[str] | None, relays: Sequence[str] | None
) -> tuple[list[str], InboxTable]:
    try:
        table = InboxTable.read(f"{schema}.{name}" if schema else name)
        return inbox_migrations.sql(table, writers=writers or (), relays=relays or ()), table
    except ValueError as error:
        raise BadSettings([str(error)]) from error
