"""What was said of batches and calls, and what reports of catalogs show, by the keys of today."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger.bodies import examples, said
from overnight_models.ledger.bodies.encryption import MARK, seal_str, unseal_text
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.direct.record import place_of_doubt
from overnight_models.ledger.operators.stepping import Stepped, is_by, key_in, keys_here
from overnight_models.ledger.rows import execute, fetch_all

_ROWS_AT_ONCE: Final = 200
_OF_BATCH: Final = "FROM {table} own JOIN lane ON lane.id = own.lane_id"
_OF_RUN: Final = "FROM {table} own JOIN catalog_run ON catalog_run.id = own.run_id"


class _Row(NamedTuple):
    """A text, and what says where it belongs."""

    number: int
    """Several may have the same."""
    of: str
    """The lane's name, or the declaration that names it."""
    bound: str
    """What else its place is made of."""
    text: str


@dataclass(frozen=True)
class Words:
    """A column of texts that aren't an item's."""

    table: str
    column: str
    number: str
    """The column by whose order it is gone through."""
    joined: str
    """What names its lane; of a catalog's run, its declaration."""
    of: str
    place: Callable[[_Row], str]
    bound: str = "''"
    is_said: bool = False
    """It is encrypted as `bodies.said` does it."""

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.table}.{self.column}"

    def lane(self, row: _Row) -> str:
        """The lane that a text is of."""
        return examples.lane_in(row.of) if self.joined == _OF_RUN else row.of


WORDS: Final = (
    Words("batch", "reason", "id", _OF_BATCH, "lane.name", lambda row: f"batch:{row.number}", is_said=True),
    Words(
        "submission",
        "error",
        "id",
        "FROM {table} own JOIN batch ON batch.id = own.batch_id JOIN lane ON lane.id = batch.lane_id",
        "lane.name",
        lambda row: f"submission:{row.number}",
        is_said=True,
    ),
    Words(
        "maybe_billed",
        "why",
        "id",
        _OF_BATCH,
        "lane.name",
        lambda row: place_of_doubt(int(row.bound)),
        bound="own.item_id::text",
    ),
    Words(
        "catalog_report",
        "before",
        "run_id",
        _OF_RUN,
        "declaration",
        lambda row: examples.place_of(row.number, "before"),
    ),
    Words(
        "catalog_report",
        "document",
        "run_id",
        _OF_RUN,
        "declaration",
        lambda row: examples.place_of(row.number, "document"),
    ),
    Words(
        "catalog_unsent",
        "detail",
        "run_id",
        _OF_RUN,
        "declaration",
        lambda row: examples.place_of(row.number, examples.of_row(bytes.fromhex(row.bound))),
        bound="encode(own.entry, 'hex')",
    ),
)


def _rows(connection: Connection, words: Words, after: int) -> list[_Row]:
    return fetch_all(
        connection,
        _Row,
        f"""
        SELECT own.{words.number} AS number, {words.of} AS of, {words.bound} AS bound, own.{words.column} AS text
        {words.joined.format(table=words.table)}
        WHERE own.{words.number} > :after AND own.{words.column} IS NOT NULL
        ORDER BY own.{words.number} FETCH FIRST :limit ROWS WITH TIES
        """,
        after=after,
        limit=_ROWS_AT_ONCE,
    )


def count(connection: Connection, words: Words, after: int) -> tuple[Counter[tuple[str, str | None]], int | None]:
    """How many of the next texts are kept by which key, by lane and the key's id; and where to go on."""
    rows = _rows(connection, words, after)
    values: Counter[tuple[str, str | None]] = Counter()
    for row in rows:
        token = _token(words, row.text)
        if token is not None or not words.is_said or said.is_by_the_api(row.text):
            values[words.lane(row), None if token is None else key_in(token)] += 1
    return values, rows[-1].number if rows else None


def step(connection: Connection, words: Words, after: int) -> Stepped:
    """Write the next texts as their lanes have it now. Raises NoKey."""
    keys = keys_here(connection)
    rows = _rows(connection, words, after)
    stepped = Stepped(rows[-1].number if rows else None)
    for row in rows:
        try:
            anew = _anew(connection, words, row, keys.of_lane(words.lane(row)))
        except DamagedGroup as error:
            stepped.leave(error)
            continue
        if anew is not None:
            stepped.changed += execute(
                connection,
                f"""
                UPDATE {words.table} own SET {words.column} = :anew
                WHERE own.{words.number} = :id AND {words.bound} = :bound AND own.{words.column} = :old
                """,
                anew=anew,
                id=row.number,
                bound=row.bound,
                old=row.text,
            )
    return stepped


def _token(words: Words, text: str) -> str | None:
    """What is encrypted of a text; None: nothing is."""
    if words.is_said:
        return said.token_in(text)
    return text if text.startswith(MARK) else None


def _anew(connection: Connection, words: Words, row: _Row, key: bytes | None) -> str | None:
    """A text by this key; None where it is by it already. Raises DamagedGroup."""
    token = _token(words, row.text)
    if is_by(token or "", key):
        return None
    place = words.place(row)
    if words.is_said:
        plain = said.readable(connection, place, row.text)
        written = plain if key is None else said.sealed(key, place, plain)
    else:
        written = seal_str(key, place, unseal_text(connection, place, row.text))
    return None if written == row.text else written
