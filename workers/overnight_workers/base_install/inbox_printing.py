"""`overnight inbox sql|alembic|django` in a base install, which has no command line: what a product migrates by.

The options are those of `cli/inbox.py`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from overnight_models.wire import inbox_migrations
from overnight_models.wire.inbox import NAME, InboxTable

TOOLS = ("sql", "alembic", "django")


def main(words: Sequence[str]) -> None:
    """Print the migration. words: behind `overnight inbox`, the tool first. Raises SystemExit for what is wrong."""
    parser = argparse.ArgumentParser(
        prog="overnight inbox", description="Print what makes the inbox table, for a product's own tool of migrations."
    )
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("--table", default=NAME, help="the table's name; what the product says as OVERNIGHT_INBOX")
    parser.add_argument("--schema", default="", help="the schema it lies in (default: the first of the search path)")
    parser.add_argument("--grant", action="append", default=[], metavar="ROLE", help="a role of the product")
    parser.add_argument("--grant-relay", action="append", default=[], metavar="ROLE", help="the relay's role")
    given = parser.parse_args(words)
    try:
        table = InboxTable.read(f"{given.schema}.{given.table}" if given.schema else given.table)
        statements = inbox_migrations.sql(table, writers=given.grant, relays=given.grant_relay)
    except ValueError as error:
        parser.error(str(error))
    if given.tool == "sql":
        sys.stdout.write(inbox_migrations.script(statements))
    else:
        write = inbox_migrations.alembic if given.tool == "alembic" else inbox_migrations.django
        sys.stdout.write(write(statements, table))
