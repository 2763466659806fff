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
    """A Session of SQLAlchemy, or a Connection."""

    def in_transaction(self) -> bool: ...

    def begin(self) -> object: ...

    def connection(self) -> _Session: ...

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
    awaited = hasattr(session, "sync_session")
    session = getattr(session, "sync_session", None) or getattr(session, "sync_connection", None) or session
    names = _names(session)
    if not names & {"Session", "Connection"}:
        return
    within = cast("_Session", session)
    if not within.in_transaction():
        within.begin()  # as the INSERT would have done
    bound_to = getattr(session, "bind", None)
    if "Connection" in names:
        _on_rollback_of_connection(within, forget)
    elif "Connection" in _names(bound_to) and not awaited:
        # a session that has joined the transaction of a Connection: that one decides
        _on_rollback_of_connection(within.connection(), forget)
    else:
        _on_rollback_of_session(within, forget)


def _on_rollback_of_connection(connection: _Session, forget: Forget) -> None:
    """What a Connection has open now is the first that it ends; what it begins and ends afterwards is of no account."""
    ended = False
    number = _number(getattr(connection.get_nested_transaction(), "_savepoint", ""))

    def commits(*_: object) -> None:
        nonlocal ended
        ended = True

    def rolls_back(*_: object) -> None:
        if not ended:
            forget()
        commits()

    def rolls_back_to_savepoint(_connection: object, name: str, _context: object) -> None:
        if _number(name) <= number and not ended:
            forget()

    for event in ("commit", "commit_twophase"):
        _listen(connection, event, commits)
    for event in ("rollback", "rollback_twophase"):
        _listen(connection, event, rolls_back)
    _listen(connection, "rollback_savepoint", rolls_back_to_savepoint)


def _number(savepoint: str) -> int:
    """Which of a Connection's savepoints it is, by its name: those within it have higher numbers. 0: none."""
    return int(savepoint.rpartition("_")[2] or 0)


def _on_rollback_of_session(within: _Session, forget: Forget) -> None:
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

    _listen(within, "after_soft_rollback", rolled_back)
    _listen(within, "after_commit", commits)
    _listen(within, "after_transaction_end", ends)


def _listen(session: object, event: str, call: Callable[..., None]) -> None:
    sys.modules["sqlalchemy"].event.listen(session, event, call)


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
