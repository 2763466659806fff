"""The inbox table as a product's own migration makes it: SQL, Alembic, Django.

Whoever reads a printed migration finds the same statements in each; they are harmless where the table is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from overnight_models.wire.inbox import InboxTable

_ROLE: Final = re.compile(r'[^"\x00]{1,63}')

_ALEMBIC: Final = '''"""The inbox of Overnight: messages of this database's own transactions."""

from alembic import op

revision = "overnight_inbox_1"
down_revision = None  # the revision that yours follows
branch_labels = None
depends_on = None


def upgrade():
{up}


def downgrade():
    op.execute({down})
'''

_DJANGO: Final = '''"""The inbox of Overnight: messages of this database's own transactions."""

from django.db import migrations


class Migration(migrations.Migration):
    # the last migration of your app: dependencies = [("shop", "0007_orders")]
    dependencies = []

    operations = [
{up}
    ]
'''


def sql(table: InboxTable, *, writers: Sequence[str] = (), relays: Sequence[str] = ()) -> list[str]:
    """The statements that make the table.

    writers: roles of the product, which get INSERT and nothing else.
    relays: roles with which `overnight relay` connects.

    Raises ValueError when a role's name can't be one.
    """
    statements = [f'CREATE SCHEMA IF NOT EXISTS "{table.schema}"'] if table.schema else []
    statements += [
        f"""CREATE TABLE IF NOT EXISTS {table.quoted} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id uuid NOT NULL,
    v smallint NOT NULL,
    lane text NOT NULL,
    run text,
    encoding text,
    items text NOT NULL,
    item_count integer NOT NULL,
    enqueued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    error text
)""",
        # they are compressed already: Postgres needn't try
        f"ALTER TABLE {table.quoted} ALTER COLUMN items SET STORAGE EXTERNAL",
        f"CREATE INDEX IF NOT EXISTS {table.index} ON {table.quoted} (id) WHERE error IS NOT NULL",
    ]
    for role in writers:
        statements += [*_usage(table, role), f"GRANT INSERT ON {table.quoted} TO {_quoted_role(role)}"]
    for role in relays:
        statements += [*_usage(table, role), f"GRANT SELECT, UPDATE, DELETE ON {table.quoted} TO {_quoted_role(role)}"]
    return statements


def script(statements: Sequence[str]) -> str:
    """The statements as a file for psql."""
    return "".join(f"{statement};\n" for statement in statements)


def alembic(statements: Sequence[str], table: InboxTable) -> str:
    """The statements as a revision of Alembic."""
    up = "\n".join(f"    op.execute({_literal(statement, 4)})" for statement in statements)
    return _ALEMBIC.format(up=up, down=repr(_drop(table)))


def django(statements: Sequence[str], table: InboxTable) -> str:
    """The statements as a migration of Django; undoing it drops the table."""
    noop, drop = "migrations.RunSQL.noop", repr(_drop(table))
    backwards = (drop if "CREATE TABLE" in statement else noop for statement in statements)
    up = "\n".join(
        f"        migrations.RunSQL({_literal(statement, 8)}, reverse_sql={back}),"
        for statement, back in zip(statements, backwards, strict=True)
    )
    return _DJANGO.format(up=up)


def _drop(table: InboxTable) -> str:
    return f"DROP TABLE {table.quoted}"


def _usage(table: InboxTable, role: str) -> list[str]:
    return [f'GRANT USAGE ON SCHEMA "{table.schema}" TO {_quoted_role(role)}'] if table.schema else []


def _quoted_role(role: str) -> str:
    if _ROLE.fullmatch(role) is None:
        raise ValueError(f"{role!r} isn't the name of a role")
    return f'"{role}"'


def _literal(statement: str, indent: int) -> str:
    """A statement as Python writes it; of several lines, further in."""
    if "\n" not in statement:
        return repr(statement)
    return '"""' + statement.replace("\n", "\n" + " " * indent) + '"""'
