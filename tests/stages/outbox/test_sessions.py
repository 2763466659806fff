"""Enqueued with a session an item is a row of the inbox in that very transaction, whatever the session is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from overnight_models.wire.message import read_lines
from overnight_producers import BadItem, BadSession, Item, NotConfirmed, NotYet, Overnight, task
from tests.driving import Service, params
from tests.stages.outbox.conftest import engine_of, printed

pytest.importorskip("django", reason="needs Django (dependency group dev)")


def rows(shop: str) -> list[dict[str, Any]]:
    with psycopg.connect(shop, row_factory=psycopg.rows.dict_row) as connection:
        return connection.execute("SELECT * FROM overnight_inbox ORDER BY id").fetchall()


def orders(shop: str) -> int:
    with psycopg.connect(shop) as connection:
        return len(connection.execute("SELECT FROM orders").fetchall())


class GivenUp(Exception):
    """The product has changed its mind."""


INSERT = "INSERT INTO orders (sku) VALUES ('A1')"


@contextmanager
def by_session(shop: str) -> Iterator[Session]:
    with Session(engine_of(shop)) as session, session.begin():
        session.execute(sa.text(INSERT))
        yield session


@contextmanager
def by_scoped_session(shop: str) -> Iterator[scoped_session[Session]]:
    session = scoped_session(sessionmaker(engine_of(shop)))
    try:
        session.execute(sa.text(INSERT))
        yield session
        session.commit()
    finally:
        session.remove()


@contextmanager
def by_connection(shop: str) -> Iterator[sa.Connection]:
    with engine_of(shop).begin() as connection:
        connection.execute(sa.text(INSERT))
        yield connection


@contextmanager
def by_psycopg(shop: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shop) as connection:
        connection.execute(INSERT)
        yield connection


@contextmanager
def by_psycopg_in_a_block(shop: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(shop, autocommit=True) as connection, connection.transaction():
        connection.execute(INSERT)
        yield connection


@contextmanager
def by_django(shop: str) -> Iterator[object]:
    from django.db import transaction

    from tests.stages.outbox.django_shop import connected

    with connected(shop) as connection, transaction.atomic(using=connection.alias):
        with connection.cursor() as cursor:
            cursor.execute(INSERT)
        yield connection


SESSIONS = [by_session, by_scoped_session, by_connection, by_psycopg, by_psycopg_in_a_block, by_django]
Opens = Callable[[str], AbstractContextManager[object]]


@pytest.fixture(params=SESSIONS, ids=lambda opens: opens.__name__)
def opens(request: pytest.FixtureRequest) -> Opens:
    opens: Opens = request.param
    return opens


def test_committed_there_is_one_row_and_what_the_product_did(opens: Opens, shop: str, overnight: Overnight) -> None:
    with opens(shop) as session:
        receipt = overnight.enqueue(
            params(), key="a", run="r", callback=task("shop.save", queue="shop"), session=session
        )
    (row,) = rows(shop)
    assert (str(row["message_id"]), row["lane"], row["run"], row["item_count"]) == (
        receipt.message_id, "default", "r", 1,
    )  # fmt: skip
    assert (row["v"], row["error"], orders(shop)) == (1, None, 1)
    assert receipt.item_id in read_lines(row["items"], row["encoding"])[0]


def test_rolled_back_there_is_nothing(opens: Opens, shop: str, overnight: Overnight) -> None:
    with suppress(GivenUp), opens(shop) as session:
        overnight.enqueue(params(), session=session)
        raise GivenUp
    assert (rows(shop), orders(shop)) == ([], 0)


def test_many_items_are_a_row_for_each_500_of_them(opens: Opens, shop: str, overnight: Overnight) -> None:
    with opens(shop) as session:
        sent = overnight.enqueue_many(
            (Item(params=params(str(n)), key=str(n)) for n in range(1_001)), session=session, run="many"
        )
    assert [row["item_count"] for row in rows(shop)] == [500, 500, 1]
    assert [str(row["message_id"]) for row in rows(shop)] == list(sent.messages)
    lines = [line for row in rows(shop) for line in read_lines(row["items"], row["encoding"])]
    assert all(sent.item_id(n) in line for n, line in enumerate(lines))


def test_after_a_savepoint_that_is_rolled_back_only_the_rest_is_there(shop: str, overnight: Overnight) -> None:
    with Session(engine_of(shop)) as session, session.begin():
        overnight.enqueue(params(), key="stays", session=session)
        with suppress(GivenUp), session.begin_nested():
            overnight.enqueue(params(), key="goes", session=session)
            raise GivenUp
    with psycopg.connect(shop) as connection:
        with suppress(GivenUp), connection.transaction():
            overnight.enqueue(params(), key="goes", session=connection)
            raise GivenUp
        overnight.enqueue(params(), key="stays too", session=connection)
    assert ["stays" in row["items"] for row in rows(shop)] == [True, True]


def test_what_enqueue_refuses_is_refused_before_anything_is_written(
    shop: str, service: Service, overnight: Overnight
) -> None:
    from overnight_workers import process

    with psycopg.connect(shop) as connection:
        process.redis_client().set("overnight:policy", process.policy().dump())
        for wrong in ({"lane": "nowhere"}, {"callback": task("celery.x", queue="q")}, {"run": "a\x00b"}):
            with pytest.raises(BadItem):
                overnight.enqueue(params(), session=connection, **wrong)
        with pytest.raises(BadItem):
            overnight.enqueue({"model": "claude-haiku-5-5"}, session=connection)
        assert connection.info.transaction_status == 0, "not even a transaction has begun"


def test_while_redis_is_away_it_is_enqueued_all_the_same_and_at_once(shop: str, dead_redis: str) -> None:
    overnight = Overnight(dead_redis)
    with psycopg.connect(shop) as connection:
        for n in range(200):
            overnight.enqueue(params(), key=str(n), session=connection)
    assert len(rows(shop)) == 200


@pytest.fixture
def dead_redis() -> str:
    return "redis://127.0.0.1:1/0"


def test_what_requests_begin_with_is_in_each_row(shop: str, overnight: Overnight) -> None:
    contract = "whereas " * 1_000
    with psycopg.connect(shop) as connection:
        for n in range(3):
            overnight.enqueue(params(f"{n}", system=contract), session=connection)
    assert all(contract in read_lines(row["items"], row["encoding"])[0] for row in rows(shop))


def test_before_the_commit_it_is_not_yet(shop: str, service: Service, overnight: Overnight) -> None:
    from tests.stages.product.conftest import answering

    with psycopg.connect(shop) as connection, answering(service.redis_url):
        receipt = overnight.enqueue(params(), session=connection)
        with pytest.raises(NotConfirmed, match=r"has your transaction committed\?.*overnight relay"):
            overnight.confirm(receipt, timeout=0.3)
        with pytest.raises(NotYet):
            overnight.outcome(receipt)


# --- what isn't a session ---------------------------------------------------------------------------------------------


def refusal(overnight: Overnight, session: object) -> str:
    with pytest.raises(BadSession) as refused:
        overnight.enqueue(params(), session=session)
    return str(refused.value)


def test_what_is_no_session_says_what_is_one(shop: str, overnight: Overnight) -> None:
    assert "pass a Session or Connection of SQLAlchemy" in refusal(overnight, object())
    assert "Engine, which has no transaction" in refusal(overnight, engine_of(shop))
    with sa.create_engine("sqlite://").begin() as connection:
        assert "connection to sqlite" in refusal(overnight, connection)
    assert "several" in refusal(overnight, Session())


def test_a_connection_that_is_awaited_is_refused(shop: str, overnight: Overnight) -> None:
    async def enqueue() -> None:
        async with await psycopg.AsyncConnection.connect(shop) as connection:
            assert "only AsyncOvernight awaits" in refusal(overnight, connection)

    asyncio.run(enqueue())


def test_an_async_session_of_sqlalchemy_runs_it_by_run_sync(shop: str, overnight: Overnight) -> None:
    pytest.importorskip("greenlet", reason="SQLAlchemy's asyncio needs greenlet")
    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def enqueue() -> None:
        engine = create_async_engine(engine_of(shop).url, poolclass=sa.NullPool)
        async with AsyncSession(engine) as session, session.begin():
            assert "await session.run_sync(" in refusal(overnight, session)
            await session.run_sync(lambda within: overnight.enqueue(params(), session=within))

    asyncio.run(enqueue())
    assert len(rows(shop)) == 1


def test_without_a_transaction_it_is_refused(shop: str, overnight: Overnight) -> None:
    with psycopg.connect(shop, autocommit=True) as connection:
        assert "there is no transaction" in refusal(overnight, connection)
    with engine_of(shop).execution_options(isolation_level="AUTOCOMMIT").connect() as connected:
        assert "there is no transaction" in refusal(overnight, connected)
    from tests.stages.outbox.django_shop import connected as django_connected

    with django_connected(shop) as django:
        assert "transaction.atomic()" in refusal(overnight, django)
    assert rows(shop) == []


def test_without_the_table_or_the_right_it_says_which_command_helps(empty_shop: str, overnight: Overnight) -> None:
    with psycopg.connect(empty_shop) as connection:
        assert "overnight inbox sql" in refusal(overnight, connection)
    with engine_of(empty_shop).begin() as connected:
        assert "overnight inbox alembic" in refusal(overnight, connected)
    elsewhere = Overnight("redis://127.0.0.1:1/0", inbox="nowhere.inbox")
    with psycopg.connect(empty_shop) as connection:
        assert "overnight inbox sql --schema nowhere" in refusal(elsewhere, connection)


def test_other_errors_are_the_products_own(shop: str, overnight: Overnight) -> None:
    with psycopg.connect(shop) as connection:
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute("SELECT nothing")
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            overnight.enqueue(params(), session=connection)


# --- least rights -----------------------------------------------------------------------------------------------------


def test_the_products_role_needs_insert_and_nothing_else(empty_shop: str, overnight: Overnight) -> None:
    role = f"shop_{empty_shop[-8:]}"
    with psycopg.connect(empty_shop, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role}".encode())
        admin.execute(printed("sql", "--schema", "overnight_in", "--grant", role).encode())
    writer = Overnight("redis://127.0.0.1:1/0", inbox="overnight_in.overnight_inbox")
    with psycopg.connect(empty_shop, autocommit=True) as connection:
        connection.execute(f"SET ROLE {role}".encode())
        with connection.transaction():
            writer.enqueue(params(), session=connection)
        for forbidden in ("SELECT id FROM", "DELETE FROM", "SELECT FROM"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"{forbidden} overnight_in.overnight_inbox".encode())
        connection.execute("RESET ROLE")
        connection.execute(f"REVOKE ALL ON overnight_in.overnight_inbox FROM {role}; SET ROLE {role}".encode())
        with connection.transaction():
            assert "--grant ROLE" in refusal(writer, connection)
        connection.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}".encode())
