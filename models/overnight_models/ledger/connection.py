"""A connection to the ledger: of SQLAlchemy, for whoever stays; of psycopg alone, for a process of a moment.

Statements are the same for both, through `ledger.rows`. Importing SQLAlchemy takes twice as long as all questions of
`overnight status`, so a module of the ledger names its connections by `Connection`, and doesn't import it for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeAlias

import psycopg

if TYPE_CHECKING:
    import sqlalchemy

Connection: TypeAlias = "sqlalchemy.Connection | PlainConnection"


class PlainConnection:
    """A connection of psycopg's, in its transaction. options: what it carries, as `Database` takes them."""

    def __init__(self, driver: psycopg.Connection, options: Mapping[str, object] | None = None) -> None:
        self.driver = driver
        self._options = dict(options or {})

    def get_execution_options(self) -> Mapping[str, object]:
        """What it carries, by SQLAlchemy's name for it."""
        return self._options

    def begin_nested(self) -> AbstractContextManager[object]:
        """A savepoint."""
        return self.driver.transaction()

    def run(self, statement: str, values: Mapping[str, object]) -> tuple[Sequence[str], list[tuple[object, ...]], int]:
        """Run one statement, in psycopg's form: its columns, its rows, how many rows it touched."""
        cursor = self.driver.execute(statement.encode(), values)
        if cursor.description is None:
            return (), [], cursor.rowcount
        return [column.name for column in cursor.description], cursor.fetchall(), cursor.rowcount
