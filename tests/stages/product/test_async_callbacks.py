"""An `async def` behind `@callback`: run to its end wherever it is called, and acknowledged only then."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
import redis
from celery import Celery

from overnight_models.routes import ACKS_KEY
from overnight_models.wire.acknowledgement import HEADER
from overnight_producers import AsyncOvernight, Outcome, Unreachable, callback
from overnight_producers.acknowledging import AsyncTeller

OUTCOME = {"item_id": "i", "key": "k", "lane": "default", "ok": True, "delivery_id": "d"}


@pytest.fixture
def shop(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", redis_url)
    app = Celery("shop", broker=redis_url, set_as_current=False)
    yield app
    app.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def acknowledged(client: redis.Redis) -> list[object]:
    return list(client.lrange(ACKS_KEY, 0, -1))


def test_in_a_plain_worker_it_is_run_and_acknowledged_when_it_has_returned(shop: Celery, client: redis.Redis) -> None:
    loops = set()

    @shop.task(name="save", shared=False, bind=True)
    @callback(ack=True)
    async def save(self: object, outcome: Outcome, *, sku: str) -> str:
        await asyncio.sleep(0)
        assert not acknowledged(client)
        loops.add(asyncio.get_running_loop())
        return f"{outcome.key} {sku}"

    for word in ("one", "two"):
        save.push_request(args=[], **{HEADER: word})
        try:
            assert save(OUTCOME, sku="A1") == "k A1"
        finally:
            save.pop_request()
        assert acknowledged(client) == [word.encode()]
        client.delete(ACKS_KEY)
    assert len(loops) == 1, "what a task opened in it, the next may use"


def test_an_exception_acknowledges_nothing(shop: Celery, client: redis.Redis) -> None:
    @shop.task(name="save", shared=False)
    @callback(ack=True)
    async def save(outcome: Outcome) -> None:
        await asyncio.sleep(0)
        raise ValueError(outcome.key)

    save.push_request(args=[], **{HEADER: "word"})
    try:
        with pytest.raises(ValueError, match="k"):
            save(OUTCOME)
    finally:
        save.pop_request()
    assert not acknowledged(client)


def test_in_a_running_loop_it_is_awaited_and_acknowledged_then(shop: Celery, client: redis.Redis) -> None:
    @shop.task(name="save", shared=False)
    @callback(ack=True)
    async def save(outcome: Outcome) -> str:
        await asyncio.sleep(0)
        return outcome.key

    async def working() -> None:
        save.push_request(args=[], **{HEADER: "word"})
        arriving = save(OUTCOME)
        save.pop_request()
        assert not acknowledged(client)
        assert await arriving == "k"
        assert acknowledged(client) == [b"word"]

    asyncio.run(working())


def test_a_consumer_of_its_own_acknowledges_by_the_header(client: redis.Redis, redis_url: str) -> None:
    async def consuming() -> None:
        async with AsyncOvernight(redis_url) as overnight:
            await overnight.acknowledge("word")
        async with AsyncOvernight("redis://127.0.0.1:1/0") as overnight:
            with pytest.raises(Unreachable):
                await overnight.acknowledge("word")

    asyncio.run(consuming())
    assert acknowledged(client) == [b"word"]


def test_what_could_not_be_said_is_said_with_the_next_and_no_task_waits_for_redis_again(
    client: redis.Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def working() -> None:
        away = AsyncTeller("redis://127.0.0.1:1/0")
        with caplog.at_level(logging.WARNING):
            for _ in range(1000):
                await away.tell("word")
        assert len(caplog.records) == 1
        teller = AsyncTeller(redis_url, pause_s=0.0)
        client.set(ACKS_KEY, "not a list")
        await teller.tell("one")
        telling = asyncio.create_task(teller.tell("two"))
        await asyncio.sleep(0)
        telling.cancel()
        await asyncio.wait([telling])
        client.delete(ACKS_KEY)
        await teller.tell("three")
        await teller.close()
        await away.close()

    asyncio.run(working())
    assert acknowledged(client) == [b"three", b"two", b"one"]
