"""What every SQL statement of the ledger has to keep to, read from its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import overnight_models.ledger

SOURCES = sorted(Path(overnight_models.ledger.__file__).parent.rglob("*.py"))
LOCKS = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?(?:UPDATE|SHARE)\b|\bFOR\s+KEY\s+SHARE\b")
AT_THE_END = re.compile(r"(?:\s+OF\s+\w+)?(?:\s+SKIP\s+LOCKED)?\s*")


def texts(source: Path) -> Iterator[str]:
    """Each string of a file, with what is filled into it left open; docstrings as well."""
    tree = ast.parse(source.read_text())
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)  # type: ignore[misc]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def statements_that_lock() -> list[str]:
    wanted = [text for source in SOURCES for text in texts(source) if LOCKS.search(text)]
    return [text for text in wanted if text.lstrip().startswith(("SELECT", "WITH"))]


def test_a_statement_that_locks_rows_does_nothing_after_it() -> None:
    """PostgreSQL 18 can crash where it does; see `overnight_models.ledger`."""
    statements = statements_that_lock()
    assert len(statements) >= 14
    for statement in statements:
        *_, last = LOCKS.finditer(statement)
        assert len(LOCKS.findall(statement)) == 1, statement
        assert AT_THE_END.fullmatch(statement[last.end() :]), statement
