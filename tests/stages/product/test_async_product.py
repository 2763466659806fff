"""`AsyncOvernight`: the same calls as `Overnight`, from an event loop, and nothing is left when one is canceled."""

from __future__ import annotations

import asyncio
import inspect
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
import redis

from overnight_models import routes
from overnight_models.wire.message import read_lines
from overnight_producers import (
    AsyncOvernight,
    BadItem,
    Item,
    NotFinished,
    Overnight,
    PermanentError,
    Receipt,
    Unreachable,
    task,
)
from tests.driving import Service, params
from tests.stages.product.conftest import answering, take_in, taking_in
from tests.waiting import wait_until

DRAWN = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=message )[0-9a-f]{8}")
"""Ids of items and messages."""
CALLBACK = task("shop.save", queue="shop", kwargs={"sku": "A1"})


def calls(kind: type) -> dict[str, Callable[..., object]]:
    """What a product may call."""
    return {name: method for name, method in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}


def blocking(annotation: str) -> str:
    """A type as `Overnight` has it."""
    return annotation.replace("AsyncIterator", "Iterator").replace(
        "Iterable[Item] | AsyncIterable[Item]", "Iterable[Item]"
    )


def signature(method: Callable[..., object]) -> inspect.Signature:
    """A method's signature, as `Overnight` would have it."""
    written = inspect.signature(method)
    given = [each.replace(annotation=blocking(str(each.annotation))) for each in written.parameters.values()]
    return written.replace(parameters=given, return_annotation=blocking(str(written.return_annotation)))


def test_both_have_the_same_calls_with_the_same_parameters_and_the_same_docstrings() -> None:
    blocking_calls, awaited_calls = calls(Overnight), calls(AsyncOvernight)
    assert blocking_calls.keys() == awaited_calls.keys()
    for name, method in blocking_calls.items():
        assert signature(awaited_calls[name]) == signature(method), name
        if name != "close":
            assert awaited_calls[name].__doc__ == method.__doc__, name


def decoded(raw: bytes) -> str:
    """An accept message with its items in plain text, without what is drawn anew for each."""
    message = orjson.loads(raw)
    arguments = orjson.loads(message["body"])[1]
    arguments["items"] = read_lines(arguments["items"], arguments.get("encoding"))
    del message["properties"]["delivery_tag"]
    return DRAWN.sub("", orjson.dumps(message | {"body": arguments}).decode())


def taken_out(redis_url: str) -> dict[str, Any]:
    """All that is in a Redis: accept messages, decoded, and prefixes by their keys. The Redis is empty then."""
    with redis.Redis.from_url(redis_url) as client:
        prefixes = {key: (client.get(key), client.ttl(key)) for key in client.keys("overnight:prefix:*")}
        accepted = [decoded(raw) for raw in client.lrange(routes.ACCEPT, 0, -1)]
        assert len(client.keys()) == len(prefixes) + 1
        client.flushdb()
        return prefixes | {routes.ACCEPT: accepted}


def many() -> Iterator[Item]:
    """Items of which most have a prefix in common, and one is bad."""
    system = "You describe things in a shop. " * 50
    for number in range(600):
        yield Item(params=params(f"thing {number}", system=system), key=f"k{number}", callback=CALLBACK)
    yield Item(params={"model": float("nan")}, key="bad")


def test_both_put_the_same_into_redis(redis_url: str) -> None:
    one: dict[str, Any] = {"key": "one", "tenant": "t", "run": "r", "betas": ["b-2026-01-01"], "callback": CALLBACK}
    with Overnight(redis_url) as overnight:
        overnight.enqueue(params(), **one)
        sent = overnight.enqueue_many(many(), run="many")
    by_blocking = taken_out(redis_url)

    async def the_same() -> None:
        async with AsyncOvernight(redis_url) as overnight:
            await overnight.enqueue(params(), **one)
            again = await overnight.enqueue_many(many(), run="many")
            assert (again.items, len(again.bad), again.warnings) == (sent.items, len(sent.bad), sent.warnings)

    asyncio.run(the_same())
    assert len(by_blocking[routes.ACCEPT]) == 3
    assert len(by_blocking) == 2, "the prefix, too"
    assert taken_out(redis_url) == by_blocking


def test_behind_its_block_a_call_says_that_it_is_over_and_connects_to_nothing(redis_url: str) -> None:
    overnight = Overnight(redis_url)
    for _ in range(2):  # a block may be entered again, as by each start of an app
        with overnight:
            overnight.enqueue(params())
        with pytest.raises(PermanentError, match="`with` block has ended"):
            overnight.enqueue(params())

    async def the_same() -> None:
        overnight = AsyncOvernight(redis_url)
        for _ in range(2):
            async with overnight:
                await overnight.enqueue(params())
            with pytest.raises(PermanentError, match="`async with` block has ended"):
                await overnight.enqueue(params())
            with pytest.raises(PermanentError, match="`async with` block has ended"):
                await overnight.outcome(key="a")
        connects_again = AsyncOvernight(redis_url)
        await connects_again.close()
        await connects_again.enqueue(params())
        await connects_again.close()

    asyncio.run(the_same())
    assert len(taken_out(redis_url)[routes.ACCEPT]) == 5


@asynccontextmanager
async def product(service: Service) -> AsyncIterator[AsyncOvernight]:
    """A product's side, whose questions are answered."""
    with answering(service.redis_url):
        async with AsyncOvernight(service.redis_url) as overnight:
            yield overnight


def test_every_call_of_a_product(service: Service) -> None:
    async def before() -> Receipt:
        async with product(service) as overnight:
            receipt = await overnight.enqueue(params("fine"), key="fine", run="r")
            refused = await overnight.enqueue(params(fault="refused"), key="refused", run="r")
            with pytest.raises(NotFinished):
                await overnight.wait(receipt, timeout=0.1)
            assert await overnight.cancel(key="nobody's") == "unknown"
            take_in(service)
            assert (await overnight.confirm(receipt)).accepted == 1
            assert await overnight.outcome(receipt) is None
            assert await overnight.unfinished("r") == 2
            return refused

    async def after(refused: Receipt) -> None:
        async with product(service) as overnight:
            assert await overnight.wait(run="r") == {"succeeded": 1, "failed": 1}
            assert (await overnight.wait(key="fine")).ok
            assert [outcome.problem async for outcome in overnight.outcomes(run="r", problem="any")] == ["refused"]
            assert (await overnight.redo(refused)).item_id == refused.item_id
            with taking_in(service):
                confirmed = await overnight.enqueue_confirmed(given(3), run="more")
            assert (confirmed.accepted, await overnight.run("more")) == (3, {"waiting": 3})

    refused = asyncio.run(before())
    service.finish()
    asyncio.run(after(refused))


async def given(number: int) -> AsyncIterator[Item]:
    """Items that are awaited."""
    for n in range(number):
        await asyncio.sleep(0)
        yield Item(params=params(f"thing {n}"))


def test_items_may_be_awaited_and_other_tasks_get_their_turn(redis_url: str) -> None:
    stretches: list[float] = []
    """Of the processor, between two turns of another task."""

    async def watch() -> None:
        before = time.process_time()
        while True:
            await asyncio.sleep(0)
            before, now = time.process_time(), before
            stretches.append(before - now)

    async def calling() -> None:
        async with AsyncOvernight(redis_url) as overnight:
            watching = asyncio.create_task(watch())
            items = (Item(params=params(f"thing {n}")) for n in range(2_000))
            assert (await overnight.enqueue_many(items)).items == 2_000
            watching.cancel()
            assert (await overnight.enqueue_many(given(3))).items == 3

    asyncio.run(calling())
    # the garbage collector may make one of them long
    assert sorted(stretches)[-3] < sum(stretches) / 6, (
        "the 500 items of a message at a stretch are a fourth, four times"
    )


def test_a_bad_item_is_told_with_what_was_sent(redis_url: str) -> None:
    async def calling() -> None:
        async with AsyncOvernight(redis_url) as overnight:
            with pytest.raises(BadItem) as caught:
                await overnight.enqueue_many(many(), bad="raise")
            assert getattr(caught.value.sent, "items", 0) == 500

    asyncio.run(calling())


def test_a_canceled_enqueue_was_sent_or_was_not_and_the_next_calls_get_their_own_answers(redis_url: str) -> None:
    """Canceled at any moment: between two commands, while one is sent, while its reply is awaited."""
    draw = random.Random(7)
    text = "x" * 100_000

    async def calling() -> set[str]:
        async with AsyncOvernight(redis_url) as overnight:
            await overnight.enqueue(params(), key="connected")

            async def canceled(number: int) -> str | None:
                enqueuing = asyncio.create_task(overnight.enqueue(params(text), key=f"k{number}"))
                if number % 5:  # the others are sent, however busy the machine is
                    after_s = draw.uniform(0, 0.4) if number % 5 > 1 else 0
                    asyncio.get_running_loop().call_later(after_s, enqueuing.cancel)
                try:
                    return (await enqueuing).key
                except asyncio.CancelledError:
                    return None

            done = await asyncio.gather(*map(canceled, range(60)))
            assert (await overnight.enqueue(params(), key="after")).key == "after"
            return {key for key in done if key is not None}

    returned = asyncio.run(calling())
    with redis.Redis.from_url(redis_url) as client:
        keys = [
            orjson.loads(read_lines(arguments["items"], arguments.get("encoding"))[0])["key"]
            for arguments in (orjson.loads(orjson.loads(raw)["body"])[1] for raw in client.lrange(routes.ACCEPT, 0, -1))
        ]
    assert len(set(keys)) == len(keys)
    assert returned | {"connected", "after"} <= set(keys)
    assert 0 < len(returned) < 60, "some were canceled, and some weren't"


def test_a_canceled_wait_leaves_no_connection_waiting_and_no_list_behind(service: Service) -> None:
    async def calling() -> None:
        async with AsyncOvernight(service.redis_url) as overnight:
            receipt = await overnight.enqueue(params(), key="k")
            waits = [asyncio.create_task(overnight.wait(receipt, timeout=60)) for _ in range(20)]
            with redis.Redis.from_url(service.redis_url) as client:
                while client.info("clients")["blocked_clients"] < 5:
                    await asyncio.sleep(0.01)
                for waiting in waits:
                    waiting.cancel()
                await asyncio.wait(waits)
                while client.info("clients")["blocked_clients"]:
                    await asyncio.sleep(0.01)
                with answering(service.redis_url):
                    while client.llen(routes.ANSWER):
                        await asyncio.sleep(0.01)
                take_in(service)
                with answering(service.redis_url):
                    assert (await overnight.confirm(receipt)).accepted == 1
                assert all(0 < client.ttl(key) <= 60 for key in client.keys("overnight:reply:*"))

    asyncio.run(calling())


def test_a_question_that_is_canceled_at_any_moment_ends(redis_url: str) -> None:
    """Nobody answers it: a cancellation that got lost would leave it waiting for twelve seconds."""

    async def asking() -> None:
        async with AsyncOvernight(redis_url) as overnight:
            await overnight.enqueue(params())
            for turns in range(30):
                asked = asyncio.create_task(overnight.outcome(key="nobody's"))
                for _ in range(turns):
                    await asyncio.sleep(0)
                asked.cancel()
                await asyncio.wait({asked}, timeout=60)
                assert asked.cancelled(), f"after {turns} turns of the loop"

    asyncio.run(asking())


@asynccontextmanager
async def frozen() -> AsyncIterator[str]:
    """The URL of a Redis that takes connections and never answers."""

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(10_000):
            pass
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"


def test_a_redis_that_is_away_or_frozen_is_known_within_two_seconds_by_all_who_call(redis_url: str) -> None:
    async def calling() -> None:
        async with frozen() as url:
            for place in ("redis://127.0.0.1:1/0", url):
                async with AsyncOvernight(place) as overnight:
                    began = time.monotonic()
                    errors = await asyncio.gather(
                        *(overnight.enqueue(params()) for _ in range(50)), return_exceptions=True
                    )
                    assert {type(error) for error in errors} == {Unreachable}
                    assert "enqueue the same again" in str(errors[0])
                    assert time.monotonic() - began < 40, "one after another they take 50 s and more"

    asyncio.run(calling())


def test_in_another_event_loop_it_connects_again(redis_url: str) -> None:
    overnight = AsyncOvernight(redis_url)

    async def calling() -> Receipt:
        async with overnight:
            return await overnight.enqueue(params())

    with redis.Redis.from_url(redis_url) as client:
        connections = len(client.client_list())
        assert {asyncio.run(calling()).lane for _ in range(3)} == {"default"}
        assert client.llen(routes.ACCEPT) == 3
        wait_until(lambda: len(client.client_list()) == connections)


def test_when_all_tasks_are_canceled_at_any_moment_the_next_call_goes_through(redis_url: str) -> None:
    """As by a framework that shuts down: also the task that sends for others, before it begins and while it sends."""

    async def calling() -> None:
        async with AsyncOvernight(redis_url) as overnight:
            for turns in range(12):
                asked = [asyncio.create_task(overnight.enqueue(params())) for _ in range(5)]
                for _ in range(turns):
                    await asyncio.sleep(0)
                own = asyncio.current_task()
                for each in asyncio.all_tasks():
                    if each is not own:
                        each.cancel()
                results = await asyncio.gather(*asked, return_exceptions=True)
                assert {type(result) for result in results} <= {Receipt, asyncio.CancelledError, Unreachable}
                assert (await overnight.enqueue(params())).lane == "default"

    asyncio.run(calling())


def test_a_user_with_few_rights_is_enough_and_a_wrong_password_is_told(redis_url: str) -> None:
    async def calling(url: str) -> None:
        async with AsyncOvernight(url) as overnight:
            await overnight.enqueue_many(many())

    url = re.sub("://[^@]*@", "://shop:secret@", redis_url)
    with redis.Redis.from_url(redis_url) as admin:
        rights = ["on", ">secret", "~overnight*", "-@all", "+lpush", "+blpop", "+get", "+set", "+expire", "+hello"]
        admin.execute_command("ACL", "SETUSER", "shop", *rights)
        try:
            asyncio.run(calling(url))
            assert admin.llen(routes.ACCEPT) == 2
            with pytest.raises(Unreachable, match=r"WRONGPASS|invalid username-password") as refused:
                asyncio.run(calling(url.replace("secret", "another")))
            assert "another" not in str(refused.value)
        finally:
            admin.execute_command("ACL", "DELUSER", "shop")
