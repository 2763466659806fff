"""The rows of a source, as they are hashed and rendered: by one rule, wherever they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from overnight_workers.catalogs import memory, stamps
from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.faults import BadRow
from overnight_workers.catalogs.recipe import Recipe, Request

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_AT_ONCE: Final = 2_000
_BETWEEN: Final = "chr(31)"
"""Between cells that are hashed together: the unit separator, which stands in no table."""


@dataclass(slots=True)
class Row:
    """One row, with one variant."""

    number: int
    """The MD5 of its key and variant, as DuckDB's md5_number has it."""
    input: int
    """Half the MD5 of the cells that the prompt uses."""
    key: tuple[str, ...]
    variant: str | None
    cells: dict[str, str | None]
    """Those that the prompt uses."""
    beside: int
    """What stood beside its hash where it was asked for."""

    @property
    def entry(self) -> bytes:
        """The MD5's 16 bytes."""
        return self.number.to_bytes(16, "little")

    @property
    def key_text(self) -> str:
        """The cells of its key, as JSON."""
        return orjson.dumps(self.key).decode()


@dataclass(frozen=True)
class Rows:
    """How rows of one source become entries and requests."""

    key: tuple[str, ...]
    recipe: Recipe
    view: str = "source"
    """The source's relation, in a connection."""

    @property
    def source(self) -> str:
        """The FROM clause: each row with each variant."""
        variants = [name for name in self.recipe.variants if name is not None]
        if not variants:
            return f"FROM {self.view}"
        names = ", ".join("'{}'".format(name.replace("'", "''")) for name in variants)
        return f"FROM {self.view}, (SELECT unnest([{names}]) AS overnight_variant)"

    @property
    def hash(self) -> str:
        """A row's hash, in SQL; null where its key is."""
        columns = [quoted(name) for name in self.key]
        cells = [*columns, *([] if self.recipe.variants == (None,) else ["overnight_variant"])]
        if len(cells) == 1:
            return f"md5_number({cells[0]})"  # the same hash, of null too, and sooner
        nulls = " OR ".join(f"{column} IS NULL" for column in columns)
        return f"CASE WHEN {nulls} THEN NULL ELSE md5_number(concat_ws({_BETWEEN}, {', '.join(cells)})) END"

    @property
    def input(self) -> str:
        """The hash of the cells that the prompt uses, and of the state of files that they name, in SQL.

        An empty cell is a null one.
        """
        columns = [*self.recipe.columns, *map(stamps.column_of, self.recipe.file_columns)]
        cells = f", {_BETWEEN}, ".join(map(quoted, columns))
        return memory.first_half(f"concat({cells})" if cells else "''")  # concat takes a null for an empty text

    def read(self, connection: DuckDBPyConnection, chosen: str, *, same_input: bool = False) -> Iterator[Row]:
        """Rows whose hash is chosen. Memory stays flat.

        chosen: a query of `n` and one more integer, which comes back beside the row; with `same_input` the cells must
        still have the hash `input` that stands there too.
        """
        variant = "NULL" if self.recipe.variants == (None,) else "overnight_variant"
        columns = (*self.key, *self.recipe.columns)
        # each a column of its own under a name of its own: a list of them takes twice as long to become Python's
        cells = "".join(f", {quoted(name)} AS cell_{number}" for number, name in enumerate(columns))
        cursor = connection.cursor()
        joined = "chosen.n = row_hash" + (" AND chosen.input = row_input" if same_input else "")
        # halves: an integer of 128 bits becomes one of Python by way of its text, which takes 50 microseconds
        cursor.execute(f"""
            SELECT {memory.HALVES}, {", ".join(f"cell_{number}" for number in range(len(columns)))}, variant, row_input,
                   chosen.* EXCLUDE (n)
            FROM (
                SELECT {self.hash} AS row_hash, {self.input} AS row_input, {variant} AS variant{cells} {self.source}
            ) AS given
            JOIN ({chosen}) AS chosen ON {joined}
        """)
        names, first, last = self.recipe.columns, 2 + len(self.key), 2 + len(columns)
        while group := cursor.fetchmany(_AT_ONCE):
            for given in group:
                used = dict(zip(names, given[first:last], strict=True))
                variant_, input_, beside = given[last : last + 3]
                yield Row((given[1] << 64) | given[0], input_, given[2:first], variant_, used, int(beside or 0))

    def rendered(self, connection: DuckDBPyConnection, chosen: str) -> Iterator[tuple[Row, int]]:
        """Rows with the first half of the hash of what would be sent; 0 where that can't be rendered."""
        for row in self.read(connection, chosen):
            try:
                yield row, sent_half(self.recipe.request(row.cells, row.variant))
            except BadRow:
                yield row, 0


def sent_half(request: Request) -> int:
    """The first 8 bytes of the hash of what is sent."""
    return int.from_bytes(request.sent_hash[:8], "little")


def item_key(catalog: str, row: Row, request: Request) -> str:
    """The key of the item that a row becomes."""
    return key_of(catalog, row, sent_half(request))


def key_of(catalog: str, row: Row, sent: int) -> str:
    """The same. sent: the first half of the hash of what is sent."""
    return f"catalog/{catalog}/{row.entry.hex()}/{row.variant or '-'}/{sent.to_bytes(8, 'little').hex()}"


def read_item_key(key: str) -> tuple[bytes, str | None, bytes]:
    """Of an item's key: the row's hash, its variant, and half the hash of what was sent."""
    _, _, entry, variant, sent = key.split("/")
    return bytes.fromhex(entry), None if variant == "-" else variant, bytes.fromhex(sent)
