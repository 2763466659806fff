"""Rows of catalogs: what runs that are over keep of them goes with their items."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from overnight_models.ledger.bodies import examples
from overnight_models.ledger.catalogs import memory
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_pairs

IN_A_RUN: Final = """
    item.run_id IN (
        SELECT run.id FROM catalog_run JOIN catalog ON catalog.id = catalog_run.catalog_id
        JOIN run ON run.name = catalog.name || '-' || catalog_run.number WHERE catalog_run.ended_at IS NULL
    )
"""
"""The item is of a catalog's run that isn't over: its key says which row it is of until then."""
_KEY: Final = re.compile(r"catalog/(?P<catalog>[^/]+)/(?P<row>[0-9a-f]{32})/.*", re.DOTALL)
_ENTRY_BYTES: Final = 39
_HASH_BYTES: Final = 16
"""Each entry begins with its row's hash, whose first byte is its part's number (the workers' `catalogs/memory.py`)."""


class _Report(NamedTuple):
    """What a run came to."""

    run_id: int
    document: str | None


def forget_examples(connection: Connection, ids: Sequence[int]) -> int:
    """Rows that reports of these items' runs show, and rows that couldn't be sent. Returns of how many runs."""
    runs = fetch_column(
        connection,
        int,
        """
        SELECT catalog_run.id FROM catalog_run JOIN catalog ON catalog.id = catalog_run.catalog_id
        WHERE catalog.name || '-' || catalog_run.number IN (
            SELECT run.name FROM run WHERE id IN (SELECT run_id FROM item WHERE item.id = ANY(:ids))
        )
        """,
        ids=list(ids),
    )
    if not runs:
        return 0
    execute(connection, "UPDATE catalog_unsent SET key = '[]', detail = 'purged' WHERE run_id = ANY(:runs)", runs=runs)
    reports = fetch_all(
        connection, _Report, "SELECT run_id, document FROM catalog_report WHERE run_id = ANY(:runs)", runs=runs
    )
    for report in reports:
        execute(
            connection,
            "UPDATE catalog_report SET before = '[]', document = :document WHERE run_id = :run_id",
            run_id=report.run_id,
            document=None if report.document is None else _without_examples(connection, report.run_id, report.document),
        )
    return len(runs)


def _without_examples(connection: Connection, run_id: int, document: str) -> str:
    whole = orjson.loads(examples.opened(connection, run_id, "document", document))
    problems = [problem | {"said": "", "examples": []} for problem in whole.get("problems", [])]
    left = orjson.dumps(whole | {"drawn": [], "problems": problems}).decode()
    return examples.sealed(connection, run_id, "document", left)


def forget_rows(connection: Connection, keys: Iterable[str]) -> int:
    """What was sent of the rows of these items' keys: such a row is new in the next run. Returns how many."""
    by_catalog: dict[str, set[bytes]] = {}
    for key in keys:
        if (match := _KEY.fullmatch(key)) is not None:
            by_catalog.setdefault(match["catalog"], set()).add(bytes.fromhex(match["row"]))
    return sum(_forget_rows(connection, name, rows) for name, rows in by_catalog.items())


def _forget_rows(connection: Connection, catalog: str, rows: set[bytes]) -> int:
    number = memory.catalog_id(connection, catalog)
    if number is None:
        return 0
    parts = fetch_pairs(
        connection,
        int,
        bytes,
        """
        SELECT part, entries FROM catalog_memory WHERE catalog_id = :id AND part = ANY(:parts) ORDER BY part FOR UPDATE
        """,
        id=number,
        parts=sorted({row[0] for row in rows}),
    )
    left: Mapping[int, bytes] = {part: _without(entries, rows) for part, entries in parts.items()}
    memory.replace_entries(connection, number, {part: kept for part, kept in left.items() if kept != parts[part]})
    return sum(len(parts[part]) - len(kept) for part, kept in left.items()) // _ENTRY_BYTES


def _without(entries: bytes, rows: set[bytes]) -> bytes:
    each = (entries[start : start + _ENTRY_BYTES] for start in range(0, len(entries), _ENTRY_BYTES))
    return b"".join(entry for entry in each if entry[:_HASH_BYTES] not in rows)
