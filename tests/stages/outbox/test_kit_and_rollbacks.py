"""What the test kit tells as enqueued is what a real database keeps, however SQLAlchemy's transactions are nested."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from overnight_producers import Overnight
from overnight_producers.testing import take_over
from tests.driving import params
from tests.stages.outbox.conftest import engine_of

Put: TypeAlias = Callable[[str, sa.Connection | Session], None]
"""An order of that name and its item, by a session."""


class GivenUp(Exception):
    """The product has changed its mind."""


def one_transaction_after_the_other(engine: sa.Engine, put: Put) -> None:
    with engine.connect() as connection:
        with connection.begin():
            put("kept", connection)
        with suppress(GivenUp), connection.begin():
            put("given up", connection)
            raise GivenUp
        put("kept, too", connection)
        connection.commit()
        put("closed without a commit", connection)


def savepoints_of_a_connection(engine: sa.Engine, put: Put) -> None:
    with engine.begin() as connection:
        put("before", connection)
        savepoint = connection.begin_nested()
        put("in a savepoint that is rolled back", connection)
        with connection.begin_nested():
            put("in one within it that is released", connection)
        savepoint.rollback()
        with connection.begin_nested():
            put("in a released one", connection)
            with suppress(GivenUp), connection.begin_nested():
                put("in one within it that is given up", connection)
                raise GivenUp
        put("after", connection)


def a_savepoint_around_one_that_is_open(engine: sa.Engine, put: Put) -> None:
    with engine.begin() as connection:
        outer = connection.begin_nested()
        put("in the outer", connection)
        connection.begin_nested()
        put("in the inner", connection)
        outer.rollback()
        put("behind both", connection)


def two_phases(engine: sa.Engine, put: Put) -> None:
    with engine.connect() as connection, suppress(GivenUp), connection.begin_twophase():
        put("given up", connection)
        raise GivenUp


def nested_sessions(engine: sa.Engine, put: Put) -> None:
    with Session(engine) as session, session.begin():
        put("by the session's connection", session.connection())
        with suppress(GivenUp), session.begin_nested():
            put("in a savepoint", session)
            put("in it by the session's connection", session.connection())
            with session.begin_nested():
                put("in one within it", session)
            raise GivenUp
        with session.begin_nested():
            put("in a released one", session)
    with Session(engine) as session:
        put("closed without a commit", session)


def a_session_within_a_connection_that_commits(engine: sa.Engine, put: Put) -> None:
    with engine.begin() as connection:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            put("kept", session)
            session.commit()
            put("rolled back", session)
            session.rollback()
            put("closed without a commit", session)
        with Session(connection, join_transaction_mode="control_fully") as session:
            put("kept, too", session)
            session.commit()


def a_session_that_joined_is_closed(engine: sa.Engine, put: Put) -> None:
    with engine.begin() as connection, Session(connection) as session:
        put("closed without a commit", session)


def a_connection_that_gives_up_what_its_session_committed(engine: sa.Engine, put: Put) -> None:
    with engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            put("committed within", session)
            session.commit()
        outer.rollback()


STORIES = [
    one_transaction_after_the_other,
    savepoints_of_a_connection,
    a_savepoint_around_one_that_is_open,
    two_phases,
    nested_sessions,
    a_session_within_a_connection_that_commits,
    a_session_that_joined_is_closed,
    a_connection_that_gives_up_what_its_session_committed,
]


@pytest.mark.filterwarnings("ignore:nested transaction already deassociated")
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_the_kit_has_the_items_whose_orders_are_in_the_database(
    story: Callable[[sa.Engine, Put], None], shop: str
) -> None:
    engine = engine_of(shop)
    with take_over() as kit:
        overnight = Overnight("redis://127.0.0.1:1/0")

        def put(name: str, session: sa.Connection | Session) -> None:
            session.execute(sa.text("INSERT INTO orders (sku) VALUES (:name)"), {"name": name})
            overnight.enqueue(params(name), session=session)

        story(engine, put)
        enqueued = [item.prompt for item in kit]
    with psycopg.connect(shop) as connection:
        kept = [sku for (sku,) in connection.execute("SELECT sku FROM orders ORDER BY id")]
    assert enqueued == kept
