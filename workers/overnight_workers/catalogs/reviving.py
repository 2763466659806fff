"""Reviving: a class that became milder takes answers that it refused before. They are paid, and aren't bought again.

What is asked doesn't change with a class's validators, so its rows are unchanged, and their answers lie in the ledger.
A schema that changed is another request: its answers are bought, after a word.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson
from pydantic import BaseModel

from overnight_models import exact_json
from overnight_models.crash_points import reach
from overnight_models.ledger.catalogs import reviving as ledger
from overnight_models.ledger.catalogs.reviving import Invalid
from overnight_models.ledger.collect import collect
from overnight_models.wire.answer import tool_calls
from overnight_models.wire.judgement import problem_of
from overnight_models.wire.outcome import unfit
from overnight_producers.structured import asked_and_strict
from overnight_workers import process
from overnight_workers.catalogs import trying
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.output import Output, output_of
from overnight_workers.catalogs.rows import read_item_key
from overnight_workers.stages import output_schema


def valid_by_now(catalog: Catalog) -> set[tuple[bytes, bytes]]:
    """Rows whose answer wasn't valid, and is by now: the row's hash, and half the hash of what was sent.

    Nothing is written.
    """
    return {(entry, sent) for page in _pages(catalog) for entry, _, sent in (read_item_key(row.key) for row in page)}


def revive(catalog: Catalog) -> int:
    """Their items have succeeded from now on, so that whoever asks the same gets their answers. Returns how many."""
    revived = 0
    for page in _pages(catalog):
        with process.database().transaction() as connection:
            revived += ledger.revive(connection, [row.id for row in page])
        reach("answers were revived")
    return revived


def _pages(catalog: Catalog) -> Iterator[list[Invalid]]:
    """Items whose answers are valid by now, of every run of the catalog, and of what was tried and compared."""
    output = output_of(catalog)
    if output is None:
        return
    judge = _Judge(output)
    for run in (None, trying.run_name(catalog), trying.compared_run_name(catalog)):
        after = 0
        while True:
            with process.database().transaction() as connection:
                page = ledger.invalid(connection, catalog.name, run=run, after=after)
            if not page:
                break
            after = page[-1].id
            if valid := [row for row in page if judge.takes(row)]:
                yield valid


class _Judge:
    """Says of answers what collect says of them, and then what the class says."""

    def __init__(self, output: Output) -> None:
        self._class: type[BaseModel] | None = output if isinstance(output, type) else None
        self._schema = asked_and_strict(output)[0]
        self._is_todays: dict[int, bool] = {}
        self._check = output_schema.check(exact_json.dumps(self._schema).decode())

    def takes(self, row: Invalid) -> bool:
        """Whether an answer is valid. One to another schema, or that can't be read, isn't."""
        message = None if row.message is None else orjson.loads(row.message)
        if message is None or not self._asked_the_same(row.schema_id):
            return False
        if problem_of(message, self._check)[0] is not None:
            return False
        content = message.get("content")
        if self._class is None or tool_calls(content):
            return True
        try:
            return unfit(self._class, content) is None
        except Exception:  # noqa: BLE001  # somebody else's validator may raise anything
            return False

    def _asked_the_same(self, schema_id: int) -> bool:
        if schema_id not in self._is_todays:
            with process.database().transaction() as connection:
                document = collect.output_schema(connection, schema_id)
            self._is_todays[schema_id] = exact_json.loads(document.encode()) == self._schema
        return self._is_todays[schema_id]
