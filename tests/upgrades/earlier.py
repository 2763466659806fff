"""Ledgers and workers of earlier versions: the schema of a revision, a ledger as 0.1.0 wrote it, and statements.

`ledger_of_0_1_0.sql` has the rows of a ledger that the stages of that version wrote, with items, batches, submissions
and deliveries in every state. `statements_at_NUMBER.sql` has what the workers of that revision executed: their
`tests/golden`, each statement on one line. Neither is ever written anew: a new version adds a file, by

    python -m tests.upgrades.earlier > tests/upgrades/statements_at_NUMBER.sql
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
from alembic import command
from psycopg import sql
from sqlalchemy import Connection

from overnight_models.ledger.database import Database
from overnight_models.ledger.deployment import HOME
from overnight_models.ledger.partitions import PARTITION_ITEMS, PARTITIONED
from overnight_models.ledger.rows import execute
from overnight_models.ledger.schema import config

HERE: Final = Path(__file__).parent
OF_0_1_0: Final = "0002"
WORKSPACE_OF_0_1_0: Final = "t56bf0a473aef"
"""What its account at the sandbox was called."""
_WRITTEN: Final = datetime(2026, 11, 30, 5, 41, 5, tzinfo=UTC)
_TIME: Final = re.compile(r"'(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\+00'")
_numbers = count(1)


@contextmanager
def database_at(postgres_url: str, revision: str) -> Iterator[str]:
    """The URL of an empty ledger whose schema is of that revision."""
    name = f"upgraded_{next(_numbers)}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = f"{postgres_url.rpartition('/')[0]}/{name}"
        database = Database(url)
        with database.transaction() as connection:
            _upgrade(connection, revision)
        database.close()
        yield url
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(config(connection), revision)
    for table in PARTITIONED:
        execute(
            connection, f"CREATE TABLE {table}_from_0 PARTITION OF {table} FOR VALUES FROM (0) TO ({PARTITION_ITEMS})"
        )


def fill_as_0_1_0(url: str) -> None:
    """Write the rows of that version's ledger, as if it had been a moment ago, and in this database."""
    late = datetime.now(UTC) - _WRITTEN
    rows = _TIME.sub(
        lambda time: f"'{datetime.fromisoformat(time[1]).replace(tzinfo=UTC) + late}'",
        (HERE / "ledger_of_0_1_0.sql").read_text(),
    )
    with psycopg.connect(url) as connection:
        # the tally is among the rows: no trigger counts them again
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute(rows.encode())
        connection.execute(f"UPDATE deployment SET home = {HOME}".encode())
        # where that version kept its revision
        connection.execute("ALTER TABLE overnight_version RENAME TO alembic_version")


def statements(golden: str) -> Iterator[str]:
    """The statements of a golden file, each on one line."""
    for part in re.split(r"\n\n(?=-- )", golden)[1:]:
        lines = [re.sub(r"(^|\s)--\s.*", "", line).strip() for line in part.splitlines()]
        yield " ".join(line for line in lines if line)


def explainable(statement: str) -> str | None:
    """The same with numbered parameters, so that Postgres plans it; None for what isn't planned."""
    copied = re.match(r"COPY (\w+)\((.*?)\) FROM STDIN", statement)
    statement = f"SELECT {copied[2]} FROM {copied[1]}" if copied else statement
    if not statement.startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
        return None
    names: dict[str, int] = {}
    numbered = re.sub(r"(?<!:):(\w+)\b", lambda m: f"${names.setdefault(m[1], len(names) + 1)}", statement)
    return f"EXPLAIN (GENERIC_PLAN) {numbered}"


if __name__ == "__main__":
    golden = [there.read_text() for there in sorted((HERE.parent / "golden").rglob("*.sql"))]
    print(*dict.fromkeys(line for text in golden for line in statements(text) if explainable(line)), sep="\n")
