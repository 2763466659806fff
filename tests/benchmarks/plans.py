"""The plans that Postgres makes for what is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from overnight_models.ledger.database import Database
from tests.benchmarks.asking import Asked


def explained(database: Database, asked: Sequence[Asked]) -> str:
    """Each statement of each question, with its plan as it was carried out."""
    parts = []
    for question in asked:
        with watched(database, "EXPLAIN (ANALYZE, BUFFERS, TIMING OFF)") as plans:
            question.ask()
        for statement, plan in plans:
            parts.append(f"=== {question.name}\n{statement.strip()}\n\n{plan}\n")
    return "\n".join(parts)


@contextmanager
def watched(database: Database, explain: str = "EXPLAIN") -> Iterator[list[tuple[str, str]]]:
    """Statements and their plans, of whatever is asked of that database meanwhile."""
    seen: list[tuple[str, str]] = []

    def look(_connection: Any, cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            cursor.execute("SAVEPOINT looking")
            cursor.execute(f"{explain} {statement}", values)
            seen.append((statement, "\n".join(row[0] for row in cursor.fetchall())))
            cursor.execute("ROLLBACK TO looking")

    event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", look)
