"""`overnight inbox`: the table in a product's database, and what lies in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from overnight_models.errors import BadSettings
from overnight_models.quantities import several
from overnight_models.wire import inbox_migrations
from overnight_models.wire.inbox import NAME, InboxTable
from overnight_workers.cli import console
from overnight_workers.cli.act import by
from overnight_workers.cli.relay import chosen

if TYPE_CHECKING:
    from sqlalchemy import Connection

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


Relay = Annotated[str, typer.Argument(help="The relay, as in `[relays.NAME]`. [default: the only one]")]
Ids = Annotated[list[int] | None, typer.Option("--id", help="Only this row of `aside`. Repeatable. [default: all]")]


@inbox.command()
def aside(
    name: Relay = "", as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines, a message each.")] = False
) -> None:
    """Show the messages that were put aside and why, the first hundred."""
    from rich.table import Table
    from rich.text import Text

    from overnight_models.ledger.relays import inbox as ledger
    from overnight_models.quantities import spoken

    with _opened(name) as (connection, table):
        messages = ledger.aside(connection, table)
    if as_json:
        console.as_json([message._asdict() for message in messages])
        return
    if not messages:
        console.OUT.print("Nothing was put aside.")
        return
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("id", "lane", "items", "waits for", "why"):
        shown.add_column(title, no_wrap=title != "why")
    for message in messages:
        texts = str(message.id), message.lane, f"{message.item_count:,}", spoken(message.age_s), message.error
        shown.add_row(*map(Text, texts))
    console.OUT.print(shown)


@inbox.command()
def retry(name: Relay = "", ids: Ids = None) -> None:
    """Have messages that were put aside taken on again; what is in the ledger of them stays as it is."""
    from overnight_workers.operators import put_aside

    number = put_aside.retry(chosen(name)[0], ids or (), by(None))
    console.OUT.print(f"{several(number, 'message is', 'messages are')} taken on again")


@inbox.command()
def drop(
    name: Relay = "", ids: Ids = None, yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False
) -> None:
    """Give up messages that were put aside: what was rejected of them is never done."""
    from overnight_models.ledger.relays import inbox as ledger

    with _opened(name) as (connection, table):
        messages = ledger.aside_messages(connection, table, ids or ())
    question = f"{several(len(messages), 'message is', 'messages are')} deleted. Go on?"
    if messages and not yes and not console.ask(question):
        raise typer.Exit(1)
    with _opened(name) as (connection, table):
        number = ledger.drop_aside(connection, table, messages)
    console.OUT.print(f"{several(number, 'message is', 'messages are')} deleted")


@contextmanager
def _opened(name: str) -> Iterator[tuple[Connection, InboxTable]]:
    """A transaction in the database of a relay, and its table."""
    from overnight_workers.operators import put_aside

    with put_aside.opened(chosen(name)[1]) as connection_and_table:
        yield connection_and_table


def _statements(
    name: str, schema: str, writers: Sequence[str] | None, relays: Sequence[str] | None
) -> tuple[list[str], InboxTable]:
    try:
        table = InboxTable.read(f"{schema}.{name}" if schema else name)
        return inbox_migrations.sql(table, writers=writers or (), relays=relays or ()), table
    except ValueError as error:
        raise BadSettings([str(error)]) from error
