"""Enqueued from an event loop with a session an item is a row of the inbox in that very transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

import psycopg
import pytest
from sqlalchemy import NullPool, text

pytest.importorskip("greenlet", reason="SQLAlchemy's asyncio needs greenlet (dependency group dev)")

from sqlalchemy.ext.asyncio import (
    AsyncConnection,
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)

from overnight_producers import AsyncOvernight, BadSession, Item
from overnight_producers.testing import take_over
from tests.driving import Service, params


def engine_of(shop: str) -> AsyncEngine:
    return create_async_engine(shop.replace("postgresql://", "postgresql+psycopg://"), poolclass=NullPool)


def rows(shop: str) -> list[tuple[object, ...]]:
    with psycopg.connect(shop) as connection:
        return connection.execute("SELECT lane, run, item_count FROM overnight_inbox ORDER BY id").fetchall()


@asynccontextmanager
async def by_session(shop: str) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine_of(shop)) as session, session.begin():
        yield session


@asynccontextmanager
async def by_connection(shop: str) -> AsyncIterator[AsyncConnection]:
    async with engine_of(shop).begin() as connection:
        yield connection


@asynccontextmanager
async def by_psycopg(shop: str) -> AsyncIterator[psycopg.AsyncConnection]:
    async with await psycopg.AsyncConnection.connect(shop) as connection:
        yield connection


@asynccontextmanager
async def by_scoped_session(shop: str) -> AsyncIterator[async_scoped_session[AsyncSession]]:
    scoped = async_scoped_session(async_sessionmaker(engine_of(shop)), scopefunc=asyncio.current_task)
    try:
        yield scoped
        await scoped.commit()
    finally:
        await scoped.remove()


WAYS = [by_session, by_scoped_session, by_connection, by_psycopg]
Opens = Callable[[str], AbstractAsyncContextManager[object]]


class GivenUp(Exception):
    """The product has changed its mind."""


@pytest.mark.parametrize("opens", WAYS, ids=lambda opens: opens.__name__)
def test_committed_there_is_a_row_and_rolled_back_there_is_none(opens: Opens, shop: str, service: Service) -> None:
    async def ordering() -> None:
        async with AsyncOvernight(service.redis_url) as overnight:
            async with opens(shop) as session:
                receipt = await overnight.enqueue(params(), session=session)
                sent = await overnight.enqueue_many([Item(params=params())] * 3, run="r", session=session)
                assert (receipt.in_transaction, sent.in_transaction) == (True, True)
            with suppress(GivenUp):
                async with opens(shop) as session:
                    await overnight.enqueue(params(), session=session)
                    raise GivenUp

    asyncio.run(ordering())
    assert rows(shop) == [("default", None, 1), ("default", "r", 3)]


@pytest.mark.parametrize("opens", WAYS, ids=lambda opens: opens.__name__)
def test_without_the_table_it_says_how_to_make_it(opens: Opens, empty_shop: str, service: Service) -> None:
    async def ordering() -> None:
        async with AsyncOvernight(service.redis_url) as overnight:
            with pytest.raises(BadSession, match="`overnight inbox sql` prints what makes it"):
                async with opens(empty_shop) as session:
                    await overnight.enqueue(params(), session=session)

    asyncio.run(ordering())


def test_a_connection_that_commits_at_once_is_no_transaction(shop: str, service: Service) -> None:
    async def ordering() -> None:
        async with AsyncOvernight(service.redis_url) as overnight:
            async with await psycopg.AsyncConnection.connect(shop, autocommit=True) as connection:
                with pytest.raises(BadSession, match="there is no transaction"):
                    await overnight.enqueue(params(), session=connection)
                async with connection.transaction():
                    await overnight.enqueue(params(), session=connection)
            async with AsyncSession(engine_of(shop)) as session:
                await session.execute(text("SELECT 1"))
                await overnight.enqueue(params(), session=session)

    asyncio.run(ordering())
    assert rows(shop) == [("default", None, 1)], "a session that isn't committed leaves nothing"


@pytest.mark.parametrize("opens", [by_session, by_scoped_session, by_connection], ids=lambda opens: opens.__name__)
def test_in_the_test_kit_a_rollback_takes_it_back(opens: Opens, shop: str) -> None:
    async def ordering() -> None:
        overnight = AsyncOvernight("redis://127.0.0.1:1/0")
        async with opens(shop) as session:
            await overnight.enqueue(params("kept"), session=session)
        with suppress(GivenUp):
            async with opens(shop) as session:
                await overnight.enqueue(params("given up"), session=session)
                raise GivenUp

    with take_over() as kit:
        asyncio.run(ordering())
        assert [item.prompt for item in kit] == ["kept"]
