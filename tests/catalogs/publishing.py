"""A sink of each kind beside a test: published into, and read again as rows."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import duckdb
import sqlalchemy as sa

from overnight_models.wire.outcome import Outcome
from overnight_workers.catalogs.memory import Hashes
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.sinks import Answered, Publication, Reply, Sink, sink_of

KINDS: Final = ("answers.csv", "answers.jsonl", "answers.parquet", "sqlite", "postgresql", "mariadb")
_DECLARATION: Final = """
key = "sku"
model = "claude-haiku-4-5"
max_tokens = 200
{more}
[source]
path = "in.csv"
[prompt]
row = "{{{{ name }}}}"
[output]
schema_file = "answer.json"
[sink]
{sink}
gone = "{gone}"
"""
_PLAIN: Final = {"title": {"type": "string"}, "stars": {"type": "integer"}}


@dataclass
class Place:
    """A sink of one kind, in a directory of its own."""

    directory: Path
    kind: str
    database_url: str

    @property
    def url(self) -> str:
        """Of the database that has the table, for a sink; SQLite's begins from the catalog's file."""
        return "sqlite:///answers.db" if self.kind == "sqlite" else self.database_url

    def sink(self, *, gone: str = "keep", more: str = "", properties: Mapping[str, Any] = _PLAIN) -> Sink:
        """The sink of a catalog that says so."""
        (self.directory / "in.csv").write_text("sku,name\nA,Kettle\n")
        schema = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
        (self.directory / "answer.json").write_text(json.dumps(schema))
        where = f'path = "{self.kind}"' if "." in self.kind else f'table = "answers"\nurl = "{self.url}"'
        file = self.directory / "shop.toml"
        file.write_text(_DECLARATION.format(sink=where, gone=gone, more=more))
        sink = sink_of(read_catalog(file))
        assert sink is not None
        return sink

    @contextmanager
    def connected(self) -> Iterator[sa.Connection]:
        """The table's database."""
        there = self.database_url.replace("postgresql://", "postgresql+psycopg://")
        url = f"sqlite:///{self.directory / 'answers.db'}" if self.kind == "sqlite" else there
        engine = sa.create_engine(url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()

    def rows(self) -> list[dict[str, Any]]:
        """What readers see, in order of the keys."""
        file = self.directory / self.kind
        if file.suffix == ".csv":
            with file.open(newline="") as text:
                return list(csv.DictReader(text))
        if file.suffix == ".jsonl":
            return [json.loads(line) for line in file.read_text().splitlines()]
        if file.suffix == ".parquet":
            with duckdb.connect() as duck:
                selected = duck.execute(f"SELECT * FROM '{file}'")
                names = [column[0] for column in selected.description or ()]
                return [dict(zip(names, row, strict=True)) for row in selected.fetchall()]
        with self.connected() as connection:
            return [dict(row) for row in connection.execute(sa.text("SELECT * FROM answers ORDER BY sku")).mappings()]

    def seen(self, *columns: str) -> list[tuple[str, ...]]:
        """Some columns of all rows as texts, empty for null: alike for every kind."""
        return [tuple("" if row[name] is None else str(row[name]) for name in columns) for row in self.rows()]


def answer(key: str, document: Mapping[str, Any] | None, *, variant: str | None = None, **told: Any) -> Answered:
    """What came back for a row; None: it failed as `problem` says."""
    problem = told.get("problem")
    message = {"content": [{"type": "text", "text": json.dumps(document)}]} if document is not None else None
    outcome = Outcome(
        item_id=key,
        key=key,
        lane="default",
        ok=problem is None,
        problem=problem,
        message=message,
        model="claude-haiku-4-5",
        cost_usd=Decimal("0.000000001"),
        earlier_cost_usd=Decimal(0),
        enqueued_at=datetime(2026, 11, 30, 1, tzinfo=UTC),
        finished_at=datetime(2026, 11, 30, 2, tzinfo=UTC),
    )
    return Answered((key,), variant, "00ff", problem, Reply.of(outcome), bool(told.get("may_do_better")))


def publish(sink: Sink, number: int, rows: Sequence[Answered], gone: Sequence[tuple[str, ...]] = ()) -> None:
    """Publish one run's answers. gone: keys, with the variant behind."""
    hashes = Hashes()
    for key in gone:
        hashes.add(hashlib.md5("\x1f".join(key).encode(), usedforsecurity=False).digest())
    sink.publish(Publication(number, iter(rows), hashes))
