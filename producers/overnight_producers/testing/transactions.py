"""What a rollback of the product takes back in a test, where the session says that there was one: SQLAlchemy's do."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

Forget: TypeAlias = Callable[[], None]


class _Transaction(Protocol):
    """A transaction of a Session, or a savepoint in it."""

    parent: _Transaction | None


class _Session(Protocol):
    """A Session of SQLAlchemy."""

    def get_transaction(self) -> _Transaction | None: ...

    def get_nested_transaction(self) -> _Transaction | None: ...


def on_rollback(session: object, forget: Forget) -> None:
    """Forget what was enqueued when the session's transaction is rolled back, or the savepoint that it is in.

    Connections of psycopg and Django don't tell: nothing is taken back there.
    """
    if "sqlalchemy" not in sys.modules:
        return
    from sqlalchemy import Connection, event
    from sqlalchemy.orm import Session, scoped_session

    session = session() if isinstance(session, scoped_session) else session
    # those of an event loop have one that blocks within
    session = getattr(session, "sync_session", None) or getattr(session, "sync_connection", None) or session
    if isinstance(session, (Session, Connection)) and not session.in_transaction():
        session.begin()  # as the INSERT would have done
    if isinstance(session, Connection):
        event.listen(session, "rollback", lambda _connection: forget())
    elif isinstance(session, Session):
        within = cast("_Session", session)
        own = within.get_nested_transaction() or within.get_transaction()

        def rolled_back(_session: object, ended: _Transaction) -> None:
            if _is_in(own, ended):
                forget()

        event.listen(session, "after_soft_rollback", rolled_back)


def _is_in(transaction: _Transaction | None, other: _Transaction) -> bool:
    """Whether it is that one, or one within it."""
    while transaction is not None:
        if transaction is other:
            return True
        transaction = transaction.parent
    return False
