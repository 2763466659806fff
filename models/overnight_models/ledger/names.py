"""Names and their numbers: lanes, runs, headers and output schemas, looked up once a process."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_pairs, fetch_value

if TYPE_CHECKING:
    from overnight_models.ledger.database import Database


class Names:
    """The numbers of names, kept in memory: they never change once given."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[tuple[object, ...], int] = {}

    def lane(self, name: str) -> int:
        """The lane's number."""
        return self._number("lane", name=name)

    def run(self, name: str | None) -> int | None:
        """The run's number; None for none."""
        return None if name is None else self._number("run", name=name)

    def catalog(self, name: str) -> int:
        """The catalog's number."""
        return self._number("catalog", name=name)

    def tenant(self, name: str | None) -> int | None:
        """The tenant's number; None for none."""
        return None if name is None else self._number("tenant", name=name)

    def model(self, name: str) -> int:
        """The model's number."""
        return self._number("model", name=name)

    def target(self, broker: str, queue: str) -> int:
        """The number of a queue that outcomes go to."""
        return self._number("target", broker=broker, queue=queue)

    def headers(self, workspace: str, betas: Sequence[str], api_version: str) -> int:
        """The number of what a batch is sent with. The order of betas doesn't matter."""
        self._note_workspace(workspace)
        return self._number("headers", workspace=workspace, betas=",".join(sorted(set(betas))), api_version=api_version)

    def output_schema(self, document: str) -> int:
        """The number of a JSON schema."""
        return self._number("output_schema", more={"document": document}, hash=schema_hash(document.encode()))

    def shape(self, headers_id: int, shape: bytes) -> int:
        """The number of a kind of request, as sent with these headers."""
        return self._number("shape", hash=shape_hash(headers_id, shape))

    def _note_workspace(self, name: str) -> None:
        """A workspace has no number: its name is its key."""
        if ("workspace", name) in self._numbers:
            return
        with self._database.transaction() as connection:
            execute(connection, "INSERT INTO workspace (name) VALUES (:name) ON CONFLICT DO NOTHING", name=name)
        # remembered only now that it is committed
        self._numbers["workspace", name] = 0

    def _number(self, table: str, *, more: dict[str, object] | None = None, **named: object) -> int:
        known = self._numbers.get((table, *named.values()))
        if known is not None:
            return known
        with self._database.transaction() as connection:
            number = _look_up(connection, table, named) or _insert(connection, table, named | (more or {}))
            # two may insert at once: the loser's row is the winner's
            number = number or _look_up(connection, table, named)
        assert number is not None
        # remembered only now that it is committed
        self._numbers[(table, *named.values())] = number
        return number


def schema_hash(document: bytes) -> bytes:
    """What an output schema is known by, of its JSON as `exact_json` writes it: 16 bytes."""
    return hashlib.blake2b(document, digest_size=16).digest()


def shape_hash(headers_id: int, shape: bytes) -> bytes:
    """What a kind of request is known by, as sent with these headers: 16 bytes."""
    return hashlib.blake2b(b"%d %b" % (headers_id, shape), digest_size=16).digest()


def shapes(connection: Connection, hashes: Collection[bytes]) -> dict[bytes, int]:
    """The numbers of kinds of requests, in a transaction that goes on; new ones get theirs."""
    # in one order, or two who number the same wait for each other
    named = {"hashes": sorted(hashes)}
    execute(
        connection,
        """
        INSERT INTO shape (hash) SELECT new.hash FROM unnest(CAST(:hashes AS bytea[])) AS new (hash)
        WHERE NOT EXISTS (SELECT FROM shape WHERE shape.hash = new.hash) ORDER BY new.hash ON CONFLICT DO NOTHING
        """,
        **named,
    )
    numbers = fetch_pairs(connection, bytes, int, "SELECT hash, id FROM shape WHERE hash = ANY(:hashes)", **named)
    return {bytes(hash_): number for hash_, number in numbers.items()}


def callbacks(connection: Connection, documents: Collection[str]) -> dict[str, int]:
    """The numbers of callbacks, in a transaction that goes on; new ones get theirs."""
    return _numbers_of(connection, "callback", "document", documents)


def served_models(connection: Connection, names: Collection[str]) -> dict[str, int]:
    """The numbers of models, in a transaction that goes on; new ones get theirs."""
    return _numbers_of(connection, "model", "name", names)


def _numbers_of(connection: Connection, table: str, column: str, texts: Collection[str]) -> dict[str, int]:
    # in one order, or two who number the same wait for each other
    named = {"texts": sorted(texts)}
    known = f"SELECT {column}, id FROM {table} WHERE {column} = ANY(:texts)"
    numbers = fetch_pairs(connection, str, int, known, **named)
    if len(numbers) < len(texts):
        execute(
            connection,
            f"""
            INSERT INTO {table} ({column})
            SELECT new.text FROM unnest(CAST(:texts AS text[])) AS new (text)
            WHERE NOT EXISTS (SELECT FROM {table} WHERE {table}.{column} = new.text)
            ORDER BY new.text ON CONFLICT DO NOTHING
            """,
            **named,
        )
        numbers = fetch_pairs(connection, str, int, known, **named)
    return numbers


def models(connection: Connection) -> dict[int, str]:
    """Every model by its number."""
    return fetch_pairs(connection, int, str, "SELECT id, name FROM model")


def _look_up(connection: Connection, table: str, named: dict[str, object]) -> int | None:
    same = " AND ".join(f"{name} = :{name}" for name in named)
    return fetch_value(connection, int, f"SELECT id FROM {table} WHERE {same}", **named)


def _insert(connection: Connection, table: str, values: dict[str, object]) -> int | None:
    """The new row's number; None when it is there already."""
    columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    return fetch_value(
        connection,
        int,
        f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING id",
        **values,
    )
