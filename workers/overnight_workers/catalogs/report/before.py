"""Some rows of a run, and what they have in the sink: drawn before anything is published, and looked at again after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from overnight_models.errors import PermanentError, TransientError
from overnight_models.ledger import documents
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.catalogs import reports as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.ledger.operators import item_views
from overnight_models.wire.outcome import Outcome
from overnight_workers import process
from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.opened import duck
from overnight_workers.catalogs.rows import read_item_key
from overnight_workers.catalogs.sinks.answered import VARIANT, Answered, Columns, Reply
from overnight_workers.catalogs.sinks.stored import stored_answers
from overnight_workers.telemetry import logs

DRAWN: Final = 10
_LONGEST: Final = 400
"""Characters of a cell."""

log = logs.get(__name__)


def note(catalog: Catalog, run: Run) -> None:
    """Draw rows and keep what they have in the sink now; done once a run, before its first answer is published."""
    with process.database().transaction() as connection:
        if _noted(connection, run) is not None:
            return
        drawn = ledger.draw(connection, run.name, rows=DRAWN)
    rows = [(tuple(orjson.loads(row.cells or "[]")), read_item_key(row.key)[1]) for row in drawn]
    there = in_sink(catalog, rows)
    noted = [{"key": key, "variant": variant, "before": there.get((key, variant))} for key, variant in rows]
    with process.database().transaction() as connection:
        ledger.note_before(connection, run.id, orjson.dumps(noted).decode())


def _noted(connection: Connection, run: Run) -> str | None:
    """What was kept. Without its encryption key the report shows no rows; the run's answers don't wait for it."""
    try:
        return ledger.before(connection, run.id)
    except NoKey as error:
        log.warning("rows that were drawn for the report can't be read", run=run.name, error=str(error))
        return "[]"


def with_now(catalog: Catalog, run: Run) -> list[dict[str, object]]:
    """The drawn rows with what they have in the sink now."""
    with process.database().transaction() as connection:
        noted: list[dict[str, Any]] = orjson.loads(_noted(connection, run) or "[]")
    there = in_sink(catalog, [(tuple(row["key"]), row["variant"]) for row in noted])
    return [row | {"now": there.get((tuple(row["key"]), row["variant"]))} for row in noted]


def with_answers(catalog: Catalog, run: Run) -> list[dict[str, object]]:
    """Rows of a run that has published nothing: what they have in the sink, and beside it what came back."""
    with process.database().transaction() as connection:
        drawn = ledger.draw(connection, run.name, rows=DRAWN)
        came = {
            row.key: row
            for drawn_row in drawn
            for row in item_views.items(connection, item_views.Wanted(lane=catalog.lane, key=drawn_row.key, final=True))
        }
    rows = [(tuple(orjson.loads(row.cells or "[]")), read_item_key(row.key)[1]) for row in drawn]
    there, columns = in_sink(catalog, rows), Columns.of(catalog)
    shown: list[dict[str, object]] = []
    for (key, variant), drawn_row in zip(rows, drawn, strict=True):
        if (row := came.get(drawn_row.key)) is not None:
            outcome = Outcome.read(orjson.loads(orjson.dumps(documents.document(row))))
            cells = columns.row(Answered(key, variant, None, outcome.problem, Reply.of(outcome)), run.number)
            shown.append(
                {"key": key, "variant": variant, "before": there.get((key, variant)), "now": _shown(columns, cells)}
            )
    return shown


Named = tuple[tuple[str, ...], str | None]
"""A row: the cells of its key, and its variant."""


def in_sink(catalog: Catalog, rows: Sequence[Named]) -> dict[Named, dict[str, object]]:
    """What rows have in the sink: the answer's columns and the problem. Nothing where there is no sink to be read.

    A sink that can't be read is no reason to stop a run: publishing says what is wrong with it.
    """
    sink = catalog.sink
    if not rows or sink is None or sink.kind == "callback":
        return {}
    columns = Columns.of(catalog)
    try:
        stored = _in_file(catalog, columns, rows) if sink.kind == "file" else _in_table(catalog, columns, rows)
    except (PermanentError, TransientError) as error:
        log.warning("the sink can't be read for the report", catalog=catalog.name, error=str(error))
        return {}
    return {_named(columns, row): _shown(columns, row) for row in stored}


def _named(columns: Columns, row: dict[str, object]) -> Named:
    variant = row.get(VARIANT) if columns.has_variants else None
    return tuple(str(row[name]) for name in columns.key), None if variant is None else str(variant)


def _shown(columns: Columns, row: dict[str, object]) -> dict[str, object]:
    """The cells that a person looks at, as texts and numbers of JSON."""
    names = [*columns.answer, "overnight_model", "overnight_problem", "overnight_run"]
    return {name: _short(row[name]) for name in names if row.get(name) is not None}


def _short(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        return value
    text = str(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _in_file(catalog: Catalog, columns: Columns, rows: Sequence[Named]) -> list[dict[str, object]]:
    import duckdb

    path = catalog.directory / ((catalog.sink.path if catalog.sink else None) or "")
    if not path.exists() or path.stat().st_size == 0:
        return []
    names = columns.identifying
    same = " AND ".join(f"{quoted(name)}::VARCHAR IS NOT DISTINCT FROM ?" for name in names)
    values = [[*key, variant] if columns.has_variants else list(key) for key, variant in rows]
    try:
        with duck() as connection:
            source = stored_answers(connection, path, columns.types)
            cursor = connection.execute(
                f"SELECT * FROM {source} WHERE {' OR '.join([f'({same})'] * len(rows))}",
                [value for row in values for value in row],
            )
            titles = [description[0] for description in cursor.description or ()]
            return [dict(zip(titles, row, strict=True)) for row in cursor.fetchall()]
    except duckdb.Error as error:
        raise PermanentError(str(error).partition("\n")[0]) from error


def _in_table(catalog: Catalog, columns: Columns, rows: Sequence[Named]) -> list[dict[str, object]]:
    import sqlalchemy as sa

    from overnight_workers.catalogs.sinks.table import TableSink

    assert catalog.sink is not None, "asked before"
    schema, _, name = (catalog.sink.table or "").rpartition(".")
    try:
        with TableSink(catalog.sink, columns, catalog.directory).connected() as connection:
            if not sa.inspect(connection).has_table(name, schema=schema or None):
                return []
            table = sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection)
            same = [
                sa.and_(*(table.c[column] == cell for column, cell in zip(columns.identifying, cells, strict=True)))
                for cells in ([*key, variant] if columns.has_variants else [*key] for key, variant in rows)
            ]
            chosen = [table.c[column] for column in columns.types if column in table.c]
            selected = connection.execute(sa.select(*chosen).where(sa.or_(*same))).mappings()
            return [dict(row) for row in selected]
    except TransientError as error:
        raise PermanentError(str(error)) from error
