"""What a rollback of the product takes back in a test, where the session says that there was one: SQLAlchemy's do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

Forget: TypeAlias = Callable[[], None]


class _Transaction(Protocol):
    """A transaction of a Session, or a savepoint in it."""

    parent: _Transaction | None


class _Connection(Protocol):
    """A Connection of SQLAlchemy, or a Session."""

    def in_transaction(self) -> bool: ...

    def begin(self) -> object: ...


class _Session(_Connection, Protocol):
    """A Session of SQLAlchemy."""

    def get_transaction(self) -> _Transaction | None: ...

    def get_nested_transaction(self) -> _Transaction | None: ...


def on_rollback(session: object, forget: Forget) -> None:
    """Forget what was enqueued when the session's transaction is rolled back, or the savepoint that it is in.

    Connections of psycopg and Django don't tell: nothing is taken back there.
    """
    # as in the outbox, known by its class: nothing is imported that isn't there
    if _names(session) & {"scoped_session", "async_scoped_session"} and callable(session):
        session = session()
    # those of an event loop have one that blocks within
    session = getattr(session, "sync_session", None) or getattr(session, "sync_connection", None) or session
    names = _names(session)
    if not names & {"Session", "Connection"}:
        return
    within = cast("_Session", session)
    if not within.in_transaction():
        within.begin()  # as the INSERT would have done
    listen: Callable[[object, str, Callable[..., None]], None] = sys.modules["sqlalchemy"].event.listen
    if "Connection" in names:
        listen(session, "rollback", lambda _connection: forget())
        return
    own = within.get_nested_transaction() or within.get_transaction()
    committed = False

    def rolled_back(_session: object, ended: _Transaction) -> None:
        if _is_in(own, ended):
            forget()

    def commits(_session: object) -> None:
        nonlocal committed
        committed = committed or within.get_nested_transaction() is None

    def ends(_session: object, ended: _Transaction) -> None:
        # closing a session rolls back without saying so
        if ended.parent is None and not committed and _is_in(own, ended):
            forget()

    listen(session, "after_soft_rollback", rolled_back)
    listen(session, "after_commit", commits)
    listen(session, "after_transaction_end", ends)


def _names(session: object) -> frozenset[str]:
    """The names of its classes, as far as they are SQLAlchemy's."""
    bases = type(session).__mro__
    return frozenset(base.__name__ for base in bases if base.__module__.partition(".")[0] == "sqlalchemy")


def _is_in(transaction: _Transaction | None, other: _Transaction) -> bool:
    """Whether it is that one, or one within it."""
    while transaction is not None:
        if transaction is other:
            return True
        transaction = transaction.parent
    return False
