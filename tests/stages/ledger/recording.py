"""Every statement that the ledger executes, with the function that asks: recorded at the driver, below SQLAlchemy."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine, event

import overnight_models.ledger

LEDGER = Path(overnight_models.ledger.__file__).parent
RUNS_FOR_OTHERS = ("connecting.py", "copying.py", "database.py", "presence.py", "rows.py")
"""Whose statements are those of their callers; and the lock of a process, on a connection of its own."""


@dataclass
class Recorded:
    """Statements by module and function, as they were sent to Postgres, in the order in which they were first seen."""

    statements: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    examples: dict[str, str] = field(default_factory=dict)
    """By statement: its parameters, with values of their types."""

    def add(self, connection: psycopg.Connection[Any], query: object, given: object) -> None:
        """Note a statement, and have Postgres explain what is noted: it is valid, with these very parameters."""
        asked_by = _ledger_function()
        if asked_by is None:
            return
        text = readable(plain(query.decode() if isinstance(query, bytes) else str(query)))
        known = self.statements.setdefault(asked_by, [])
        if text not in known:
            known.append(text)
            names = given if isinstance(given, dict) else {f"value_{n}": v for n, v in enumerate(_listed(given), 1)}
            used = [name for name in names if re.search(rf"(?<!:):{name}\b", text)]
            self.examples[text] = ", ".join(f"{name} = {_example(names[name])}" for name in sorted(used))
            if text.startswith(_EXPLAINED):
                _explain(connection, text, names)


_INTEGERS = re.compile(r"\{-?\d+(,-?\d+)*\}")
"""A list of them, as it is sent."""
_EXPLAINED = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")


def _listed(given: object) -> list[object]:
    return list(given) if isinstance(given, (list, tuple)) else []


def _explain(connection: psycopg.Connection[Any], text: str, names: dict[str, object]) -> None:
    """Raises psycopg.Error when it isn't valid."""
    statement = text.replace("%", "%%")
    for name in sorted(names, key=len, reverse=True):
        statement = re.sub(rf"(?<!:):{name}\b", f"%({name})s", statement)
    with connection.transaction(), psycopg.Cursor(connection) as cursor:
        cursor.execute(f"EXPLAIN {statement}".encode(), names)


def _example(value: object) -> str:
    """A value of the same type; the same in every run."""
    if isinstance(value, list):
        element = _example(value[0]).strip("'") if value else ""
        return f"'{{{element}}}'"
    if isinstance(value, str) and _INTEGERS.fullmatch(value):
        return "'{1}'"
    examples = {
        bool: "true",
        int: "1",
        float: "1.0",
        bytes: "'\\x00'",
        datetime: "'2026-11-29'",
        UUID: f"'{UUID(int=0)}'",
    }
    return "null" if value is None else examples.get(type(value), "'text'")


def _ledger_function() -> tuple[str, str] | None:
    """The innermost function of the ledger that is running, as its file's path and its name."""
    frame = sys._getframe(2)
    while frame is not None:
        source = Path(frame.f_code.co_filename)
        if source.is_relative_to(LEDGER) and source.name not in RUNS_FOR_OTHERS:
            return source.relative_to(LEDGER).as_posix(), frame.f_code.co_name
        frame = frame.f_back  # type: ignore[assignment]
    return None


def plain(statement: str) -> str:
    """A statement with `:name` for its parameters, and without the numbers of partitions."""
    named = re.sub(r"%\((\w+)\)s", r":\1", statement)
    count = iter(range(1, 100))
    named = re.sub(r"(?<!%)%[sb]", lambda _: f":value_{next(count)}", named).replace("%%", "%")
    return re.sub(r"(_from_|FROM \(|TO \()\d+", r"\g<1>0", named)


@contextmanager
def recording() -> Iterator[Recorded]:
    """Of every engine that connects meanwhile."""
    recorded = Recorded()

    class Cursor(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
            recorded.add(self.connection, query, params)
            return super().execute(query, params, **more)

        def copy(self, statement: Any, params: Any = None, **more: Any) -> Any:
            recorded.add(self.connection, statement, params)
            return super().copy(statement, params, **more)

    class ServerCursor(psycopg.ServerCursor[Any]):
        def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
            recorded.add(self.connection, query, params)
            return super().execute(query, params, **more)

    def connected(connection: psycopg.Connection[Any], _record: object) -> None:
        connection.cursor_factory, connection.server_cursor_factory = Cursor, ServerCursor

    event.listen(Engine, "connect", connected)
    try:
        yield recorded
    finally:
        event.remove(Engine, "connect", connected)


def asking_functions() -> dict[tuple[str, str], str]:
    """The functions of the ledger that run a statement themselves, each with the first line of its docstring."""
    statements: dict[tuple[str, str], str] = {}
    for source in sorted(LEDGER.rglob("*.py")):
        if source.name in RUNS_FOR_OTHERS:
            continue
        for function in ast.walk(ast.parse(source.read_text())):
            if isinstance(function, ast.FunctionDef) and _runs_a_statement(function):
                sentence = (ast.get_docstring(function) or "").partition("\n")[0]
                statements[source.relative_to(LEDGER).as_posix(), function.name] = sentence
    return statements


def _runs_a_statement(function: ast.FunctionDef) -> bool:
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    names = {call.id for call in calls if isinstance(call, ast.Name)}
    return any(name == "execute" or name.startswith(("fetch_", "copy_lines", "copy_binary")) for name in names) or any(
        isinstance(call, ast.Attribute) and call.attr == "cursor" for call in calls
    )


# --- the form in which a person reads them ---------------------------------------------------------------------------

_TOKEN = re.compile(r"--[^\n]*|'(?:[^']|'')*'|\(|\)|,|[^\s(),']+(?:'(?:[^']|'')*')?")
_NEW_LINE = re.compile(
    r"(?:WITH|SELECT|FROM|WHERE|LEFT|CROSS|JOIN|GROUP|ORDER|HAVING|LIMIT|UNION|UPDATE|SET|INSERT|RETURNING|DELETE|FOR|ON)$"
)
_CALL = re.compile(r"\b([a-z_]\w*|ANY|ARRAY|CAST) \(")
_BEGINS_A_QUERY = {"SELECT", "WITH", "INSERT", "UPDATE", "DELETE"}
_WIDTH = 110


def readable(statement: str) -> str:
    """A statement laid out anew: a clause a line, a query in parentheses further in; as its fragments are, it isn't."""
    tokens = _TOKEN.findall(statement)
    lines: list[tuple[int, str]] = []
    words: list[str] = []
    queries: list[bool] = []

    def depth() -> int:
        return sum(queries)

    def end_line() -> None:
        if words:
            lines.append((depth(), _joined(words)))
            words.clear()

    for place, token in enumerate(tokens):
        following = tokens[place + 1] if place + 1 < len(tokens) else ""
        if token.startswith("--"):
            end_line()
            lines.append((depth(), token))
        elif token == "(":
            words.append(token)
            if following in _BEGINS_A_QUERY or following == "(" or following.startswith("--"):
                end_line()
                queries.append(True)
            else:
                queries.append(False)
        elif token == ")":
            if queries and queries[-1]:
                end_line()
            if queries:
                queries.pop()
            words.append(token)
        elif not (queries and not queries[-1]) and _begins_a_line(token, words, following):
            end_line()
            words.append(token)
        else:
            words.append(token)
    end_line()
    return "\n".join(part for indent, line in lines for part in _wrapped("    " * indent, line))


def _begins_a_line(token: str, words: list[str], following: str) -> bool:
    if not words or not _NEW_LINE.match(token):
        return False
    before = words[-1]
    if token == "JOIN":
        return before not in ("LEFT", "CROSS")
    if token == "FROM":
        return before not in ("DISTINCT", "DELETE")
    if token == "ON":  # the condition of a join stays beside it
        return following == "CONFLICT"
    if token == "ORDER":
        return before != "("
    if token == "UPDATE":
        return before not in ("DO", "FOR", "KEY")
    if token == "SET":
        return before != "UPDATE"
    return token != "DELETE" or before != "ON"


def _joined(words: list[str]) -> str:
    text = " ".join(words)
    text = re.sub(r"\s+([,)]|::)", r"\1", re.sub(r"\(\s+", "(", text))
    return _CALL.sub(r"\1(", text)


def _wrapped(indent: str, line: str) -> Iterator[str]:
    """A line in lines that aren't too long, but for one that can't be broken."""
    while len(indent) + len(line) > _WIDTH and not line.startswith("--"):
        room = _WIDTH - len(indent)
        cut = max(line.rfind(", ", 0, room) + 1, *(line.rfind(word, 0, room) for word in (" AND ", " WHEN ", " ELSE ")))
        if cut <= 10:
            break
        yield indent + line[:cut].rstrip()
        line = "    " + line[cut:].strip()
    yield indent + line
