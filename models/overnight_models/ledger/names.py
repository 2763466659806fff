"""Names and their numbers: lanes, runs, headers and output schemas, looked up once a process."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from overnight_models.ledger.database import Database, fetch_one


class Names:
    """The numbers of names, kept in memory: they never change once given."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[tuple[Any, ...], int] = {}

    def lane(self, name: str) -> int:
        """The lane's number."""
        return self._number("lane", name=name)

    def run(self, name: str | None) -> int | None:
        """The run's number; None for none."""
        return None if name is None else self._number("run", name=name)

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
        self._number("workspace", key="name", name=workspace)
        return self._number("headers", workspace=workspace, betas=",".join(sorted(set(betas))), api_version=api_version)

    def output_schema(self, document: str) -> int:
        """The number of a JSON schema."""
        digest = hashlib.blake2b(document.encode(), digest_size=16).digest()
        return self._number("output_schema", more={"document": document}, hash=digest)

    def shape(self, headers_id: int, shape: bytes) -> int:
        """The number of a kind of request, as sent with these headers."""
        digest = hashlib.blake2b(b"%d %b" % (headers_id, shape), digest_size=16).digest()
        return self._number("shape", hash=digest)

    def _number(self, table: str, *, key: str = "id", more: dict[str, Any] | None = None, **named: Any) -> int:
        known = self._numbers.get((table, *named.values()))
        if known is not None:
            return known
        values = named | (more or {})
        columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
        same = " AND ".join(f"{name} = :{name}" for name in named)
        result = 0
        with self._database.transaction() as connection:
            # two may insert at once: the loser's row is the winner's
            one_row = fetch_one(connection, f"SELECT {key} AS number FROM {table} WHERE {same}", **named) or fetch_one(
                connection,
                f"INSERT INTO {table} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING RETURNING {key} AS number",
                **values,
            )
            one_row = one_row or fetch_one(connection, f"SELECT {key} AS number FROM {table} WHERE {same}", **named)
            assert one_row is not None
            result = one_row["number"] if key == "id" else 0
        # remembered only now that it is committed
        self._numbers[(table, *named.values())] = result
        return result
