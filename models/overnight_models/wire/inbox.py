"""The inbox: a table in a product's own database, where its transactions leave accept messages. Version 1.

A row is one accept message (`message.py`), in the columns `v`, `message_id`, `lane`, `run`, `encoding` and `items`.
What is rolled back was never there; what is committed is taken by `overnight relay`, which deletes a row when the
ledger has its verdict. Beside them:

    id           in the order in which they are taken
    item_count   how many items it holds, so that nobody needs to read it to know
    enqueued_at  when it was written
    error        why it was put aside, or null: such a row isn't taken again before a person says so

The table is made by the product's own migration tool. Its writer needs INSERT, and no right to read anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

NAME: Final = "overnight_inbox"
COLUMNS: Final = ("message_id", "v", "lane", "run", "encoding", "items", "item_count")
"""What a message fills in."""
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,62}")
_TYPES: Final = {"message_id": "uuid", "v": "smallint", "item_count": "integer"}
"""Of columns that aren't texts."""


class InboxRow(NamedTuple):
    """One message, as it is written. Its fields are the columns."""

    message_id: str
    v: int
    lane: str
    run: str | None
    encoding: str | None
    items: str
    item_count: int


@dataclass(frozen=True)
class InboxTable:
    """Which table it is. Its names are taken as they are written, also as to capitals."""

    name: str = NAME
    schema: str | None = None
    """None: the first of the connection's search path that has the table."""

    @classmethod
    def read(cls, written: str) -> InboxTable:
        """Read `NAME` or `SCHEMA.NAME`. Raises ValueError."""
        schema, _, name = written.strip().rpartition(".")
        for part in (name, *([schema] if schema else [])):
            if _IDENTIFIER.fullmatch(part) is None:
                raise ValueError(
                    f"{written!r} isn't the name of a table: NAME or SCHEMA.NAME, of letters, digits, _ and $"
                )
        return cls(name, schema or None)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def quoted(self) -> str:
        """As it stands in a statement."""
        return f'"{self.schema}"."{self.name}"' if self.schema else f'"{self.name}"'

    @property
    def index(self) -> str:
        """The name of its index."""
        return f'"{self.name[:57]}_aside"'


@lru_cache
def insert_statement(table: InboxTable, placeholder: str) -> str:
    """The statement that writes a row. placeholder: how a driver marks a value by name, as `%({})s` or `:{}`."""
    mark: Callable[[str], str] = placeholder.format
    values = ", ".join(f"CAST({mark(column)} AS {_TYPES.get(column, 'text')})" for column in COLUMNS)
    return f"INSERT INTO {table.quoted} ({', '.join(COLUMNS)}) VALUES ({values})"
