"""The workers and the producers ask the ledger's functions; no SQL of Postgres is written outside of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import overnight_models
import overnight_producers
import overnight_workers

WORKERS = Path(overnight_workers.__file__).parent
PRODUCERS = Path(overnight_producers.__file__).parent
MODELS = Path(overnight_models.__file__).parent
WIRE_WITHOUT_SQL = set((MODELS / "wire").glob("*.py")) - {
    MODELS / f"wire/{name}.py" for name in ("inbox", "inbox_migrations")
}
"""An inbox is a table in a product's own database: one statement, and the migration that makes it."""
ASK_OTHER_DATABASES = (WORKERS / "sandbox", WORKERS / "item_file.py", WORKERS / "catalogs")
"""The sandbox plays another company's server, an item file's keys are a file for as long as it is read, and a catalog's
rows are a team's own: DuckDB reads its files, SQLAlchemy its tables."""

SQL = re.compile(
    r"\bSELECT\s+(?:\S+\s*,|\S+\s+(?:AS|FROM)\b|FROM\b|EXISTS\b|[\d*])|\bINSERT\s+INTO\b|\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b"
    r"|\bSET\s+(?:LOCAL|TRANSACTION|SESSION)\b|\bEXISTS\s*\(|\b(?:CREATE|ALTER|DROP|LOCK)\s+TABLE\b|\bCOPY\s+\w+\s*\("
    r"|\b(?:WHERE|ORDER\s+BY|GROUP\s+BY|RETURNING)\s+\w+|\bIS\s+(?:NOT\s+)?NULL\b"
)
OPENS_A_TRANSACTION = {"Database", "DatabaseFull", "DatabaseUnavailable", "is_ready"}


CONNECT_TO_OTHER_DATABASES = (
    *(WORKERS / "sandbox", WORKERS / "item_file.py", WORKERS / "catalogs/sources/sql.py"),
    *(WORKERS / "catalogs/sinks/table.py", WORKERS / "catalogs/report/before.py"),
)
"""Of catalogs only these have a connection of SQLAlchemy that isn't Overnight's own: no other file of theirs can ask
Postgres but by the ledger, whatever SQL it writes for DuckDB."""


def sources(but: Sequence[Path] = ASK_OTHER_DATABASES) -> Iterator[Path]:
    for package in (WORKERS, PRODUCERS):
        for source in sorted(package.rglob("*.py")):
            if not any(source.is_relative_to(exempt) for exempt in but):
                yield source


def strings(source: Path) -> Iterator[tuple[int, str]]:
    """Each string of a file and its line, docstrings as well."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def test_no_string_has_sql() -> None:
    assert [
        f"{source.relative_to(WORKERS.parent)}:{line}"
        for source in sources()
        for line, text in strings(source)
        if SQL.search(text)
    ] == []


def test_beside_the_ledger_only_its_schema_and_the_inbox_of_products_have_sql() -> None:
    allowed = [MODELS / part for part in ("ledger", "migrations", "tables", "states.py", "wire")]
    assert [
        f"{source.relative_to(MODELS)}:{line}"
        for source in sorted(MODELS.rglob("*.py"))
        if not any(source.is_relative_to(part) for part in allowed) or source in WIRE_WITHOUT_SQL
        for line, text in strings(source)
        if SQL.search(text)
    ] == []


def test_nothing_that_runs_sql_is_imported() -> None:
    """Of `ledger.database` only what opens a transaction; of SQLAlchemy and psycopg only the types and the errors."""
    imported = [
        (source, node.module, alias.name)
        for source in sources(CONNECT_TO_OTHER_DATABASES)
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert {name for _, module, name in imported if module == "overnight_models.ledger.database"} <= OPENS_A_TRANSACTION
    assert {name for _, module, name in imported if (module or "").split(".")[0] in ("sqlalchemy", "psycopg")} <= {
        "Connection",
        "ProgrammingError",
        "SQLAlchemyError",
    }


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1",
        "SELECT current_setting('server_version') AS version",
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
        "EXISTS (SELECT FROM unmeasured WHERE unmeasured.item_id = item.id)",
        "UPDATE item SET state = 'waiting'",
        "held_by IS NULL",
    ],
)
def test_sql_is_known_when_it_is_seen(text: str) -> None:
    assert SQL.search(text)
