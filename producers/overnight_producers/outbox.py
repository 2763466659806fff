"""The outbox: an accept message becomes a row of the inbox table, in the product's own transaction.

A session is what the product has: SQLAlchemy's Session or Connection, a connection of psycopg, or Django's. It is known
by its class, and nothing is imported that isn't there. No commit and no rollback is done here, and errors of the
product's database are the product's own: only what can be put right once and for all is said in other words.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Final, Protocol, cast

from overnight_models.errors import BadItem, BadSession
from overnight_models.wire import message
from overnight_models.wire.inbox import InboxRow, InboxTable, insert_statement
from overnight_models.wire.message import Line
from overnight_producers.settings import ProducerSettings

_KNOWN: Final = "a Session or Connection of SQLAlchemy, a connection of psycopg, or Django's `django.db.connection`"
_AWAITED: Final = frozenset({"sqlalchemy.AsyncSession", "sqlalchemy.AsyncConnection"})
_AWAITED_IN_SCOPE: Final = "sqlalchemy.async_scoped_session"
_IDLE: Final = 0
"""psycopg's transaction status: no transaction has begun."""
_NO_TABLE: Final = frozenset({"42P01", "3F000"})
_OLD_TABLE: Final = "42703"
_NO_RIGHT: Final = "42501"


class _Cursor(Protocol):
    def execute(self, statement: str, values: Mapping[str, object]) -> object: ...


class _Driver(Protocol):
    """A connection of psycopg or Django."""

    def cursor(self) -> AbstractContextManager[_Cursor]: ...


class _AsyncCursor(Protocol):
    async def execute(self, statement: str, values: Mapping[str, object]) -> object: ...


class _AsyncDriver(Protocol):
    """An AsyncConnection of psycopg."""

    def cursor(self) -> AbstractAsyncContextManager[_AsyncCursor]: ...


class _RunsSync(Protocol):
    """An AsyncSession or AsyncConnection of SQLAlchemy."""

    async def run_sync(self, call: Callable[[object, InboxRow], None], row: InboxRow) -> None: ...


class _Executes(Protocol):
    """A Session or Connection of SQLAlchemy."""

    def execute(self, statement: object, values: Mapping[str, object]) -> object: ...


class _Connected(_Executes, Protocol):
    """A Session of SQLAlchemy."""

    def connection(self) -> object: ...


def row_of(message_id: str, lane: str, run: str | None, lines: Sequence[Line]) -> InboxRow:
    """One accept message as a row: as it would go to Redis. Its lines are whole, since Redis may lose a prefix.

    Raises BadItem for names that Postgres can't keep.
    """
    for name, text in (("lane", lane), ("run", run)):
        if text is not None and not _is_text(text):
            raise BadItem([f"`{name}` must be a text without NUL"])
    written = message.write_items(lines)
    return InboxRow(message_id, message.VERSION, lane, run, written.get("encoding"), written["items"], len(lines))


class Outbox:
    """Writes rows into the inbox table. given: which table, as NAME or SCHEMA.NAME; None: as the settings say."""

    def __init__(self, given: str | None) -> None:
        self._given = given
        self._table: InboxTable | None = None

    @property
    def table(self) -> InboxTable:
        """Which table it is. Raises BadSettings."""
        if self._table is None:
            self._table = ProducerSettings().inbox_table(self._given)
        return self._table

    def put(self, session: object, row: InboxRow) -> None:
        """Write the row in the session's transaction.

        Raises BadSession when the session isn't one, has no transaction, or the table isn't there; whatever else the
        product's database says, as the session says it.
        """
        execute = _writer(session, self.table)
        with self._said_otherwise():
            execute(row._asdict())

    async def put_awaiting(self, session: object, row: InboxRow) -> None:
        """The same for a session of an event loop: an AsyncSession or AsyncConnection."""
        kinds = _kinds(type(session))
        if _AWAITED_IN_SCOPE in kinds and callable(session):
            session = session()  # that of this scope: what stands for it has no `run_sync`
            kinds = _kinds(type(session))
        if kinds & _AWAITED:
            await cast("_RunsSync", session).run_sync(self.put, row)
        elif "psycopg.AsyncConnection" in kinds:
            _check_driver(session, "`async with connection.transaction():`")
            with self._said_otherwise():
                async with cast("_AsyncDriver", session).cursor() as cursor:
                    await cursor.execute(insert_statement(self.table, "%({})s"), row._asdict())
        else:
            self.put(session, row)

    @contextmanager
    def _said_otherwise(self) -> Iterator[None]:
        """An error that can be put right once and for all is raised as BadSession."""
        try:
            yield
        except Exception as error:
            why = _why(error, self.table)
            if why is None:
                raise
            raise BadSession(why) from error


def _writer(session: object, table: InboxTable) -> Callable[[Mapping[str, object]], object]:
    """What writes a row into the table."""
    kinds = _kinds(type(session))
    if "sqlalchemy.Session" in kinds or "sqlalchemy.scoped_session" in kinds:
        _check_sqlalchemy(_connection_of(cast("_Connected", session)))
        return lambda values: cast("_Executes", session).execute(_text(table), values)
    if "sqlalchemy.Connection" in kinds:
        _check_sqlalchemy(session)
        return lambda values: cast("_Executes", session).execute(_text(table), values)
    if "psycopg.Connection" in kinds or "psycopg2.connection" in kinds:
        _check_driver(session, "`with connection.transaction():`")
        return lambda values: _by_cursor(cast("_Driver", session), table, values)
    if "django.ConnectionProxy" in kinds or "django.BaseDatabaseWrapper" in kinds:
        _check_django(session)
        return lambda values: _by_cursor(cast("_Driver", session), table, values)
    raise BadSession(_instead(kinds, type(session)))


def _kinds(kind: type) -> frozenset[str]:
    """Its classes, by their package and their name."""
    return frozenset(f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in kind.__mro__)


def _instead(kinds: frozenset[str], kind: type) -> str:
    """What to pass instead of what can't be written to."""
    names = {name.partition(".")[2] for name in kinds}
    if names & {"AsyncSession", "AsyncConnection", "async_scoped_session"} and any("sqlalchemy" in k for k in kinds):
        return (
            f"`session` is an {kind.__name__}, which only AsyncOvernight awaits; here:"
            " `await session.run_sync(lambda session: overnight.enqueue(…, session=session))`"
        )
    if "psycopg.AsyncConnection" in kinds:
        return "`session` is an AsyncConnection, which only AsyncOvernight awaits; a Connection is taken here"
    if names & {"Engine", "sessionmaker", "ConnectionPool"}:
        return f"`session` is a {kind.__name__}, which has no transaction: pass {_KNOWN}"
    return f"`session` is a {kind.__module__}.{kind.__qualname__}, which isn't known here: pass {_KNOWN}"


def _connection_of(session: _Connected) -> object:
    """The connection of a Session. Raises BadSession where it has several."""
    try:
        return session.connection()
    except Exception as error:
        if type(error).__name__ != "UnboundExecutionError":
            raise
        raise BadSession(
            "this Session has no database of its own, or several: pass the connection of the one that has the inbox,"
            " `session=session.connection(bind_arguments={'mapper': Order})`"
        ) from error


def _check_sqlalchemy(connection: object) -> None:
    dialect = getattr(getattr(connection, "dialect", None), "name", None)
    _check_postgres(dialect)
    _check_driver(getattr(getattr(connection, "connection", None), "driver_connection", None), "no AUTOCOMMIT")


def _check_django(connection: object) -> None:
    _check_postgres(getattr(connection, "vendor", None))
    in_block = getattr(connection, "in_atomic_block", False)
    autocommit = getattr(connection, "get_autocommit", None)
    if not in_block and callable(autocommit) and autocommit():
        raise BadSession(_no_transaction("`with transaction.atomic():`"))


def _check_postgres(name: object) -> None:
    if name != "postgresql":
        raise BadSession(f"the inbox is a table in PostgreSQL, and this is a connection to {name or 'something else'}")


def _check_driver(connection: object, how: str) -> None:
    """A row that is committed at once isn't part of anything."""
    info = getattr(connection, "info", None)
    status = getattr(info, "transaction_status", None)
    if getattr(connection, "autocommit", False) is True and status == _IDLE:
        raise BadSession(_no_transaction(how))


def _no_transaction(how: str) -> str:
    return (
        f"there is no transaction: the item would be in whatever becomes of the rest. Use {how}, or enqueue without"
        " `session`"
    )


@lru_cache
def _text(table: InboxTable) -> object:
    """The statement, as SQLAlchemy takes it; it is there, since the session is one of its own."""
    return sys.modules["sqlalchemy"].text(insert_statement(table, ":{}"))


def _by_cursor(connection: _Driver, table: InboxTable, values: Mapping[str, object]) -> object:
    with connection.cursor() as cursor:
        return cursor.execute(insert_statement(table, "%({})s"), values)


def _why(error: BaseException, table: InboxTable) -> str | None:
    """What is to be done about an error; None: it is the product's own."""
    state = _sqlstate(error)
    if state in _NO_TABLE:
        where = f" --schema {table.schema}" if table.schema else ""
        return (
            f"there is no table {table} in this database: `overnight inbox sql{where}` prints what makes it"
            " (`overnight inbox alembic`, `overnight inbox django`: as a migration)"
        )
    if state == _OLD_TABLE:
        return f"the table {table} lacks a column: `overnight inbox sql` prints the table of this version"
    if state == _NO_RIGHT:
        return f"this role may not INSERT into {table}: `overnight inbox sql --grant ROLE` prints the grant"
    return None


def _sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE of an error, as SQLAlchemy, Django or a driver wraps it."""
    for cause in (error, getattr(error, "orig", None), error.__cause__):
        state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        if isinstance(state, str):
            return state
    return None


def _is_text(value: object) -> bool:
    """Whether Postgres can keep it."""
    if not isinstance(value, str) or "\x00" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
