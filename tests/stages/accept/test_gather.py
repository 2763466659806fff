"""Gathering: single items cost no task each; none is lost, none is taken twice, and one that is poison is alone."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import orjson
import pytest
import redis
from celery.exceptions import Reject

from overnight_models.routes import ACCEPT
from overnight_producers.wire import envelope
from overnight_workers.app import app
from overnight_workers.stages.accept import gather
from tests.driving import Service, item

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Json = dict[str, Any]


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def put(client: redis.Redis, *items: Json, **other: Any) -> str:
    """A message into the queue; its id. other: fields that aren't as they should be."""
    lines = "\n".join(orjson.dumps(wire_item).decode() for wire_item in items)
    message = {"v": 1, "message_id": str(uuid4()), "lane": "default", "run": None, "items": lines} | other
    client.lpush(ACCEPT, envelope(ACCEPT, message, shown=""))
    return str(message["message_id"])


def waiting(client: redis.Redis) -> list[Json]:
    """What is in the queue, the next one last."""
    envelopes: Any = client.lrange(ACCEPT, 0, -1)
    return [orjson.loads(raw) for raw in envelopes]


def unacknowledged(client: redis.Redis) -> int:
    kept: Any = client.hlen("overnight:unacked")
    assert kept == client.zcard("overnight:unacked_index")
    return int(kept)


def kombu_looks(client: redis.Redis, *, after_s: float) -> None:
    """What kombu does from time to time, so many seconds later."""
    tags: Any = client.zrange("overnight:unacked_index", 0, -1)
    for tag in tags:
        client.zincrby("overnight:unacked_index", -after_s, tag)
    with app.connection_for_read() as connection:
        connection.default_channel.qos.restore_visible(num=100, interval=1)  # type: ignore[attr-defined]


def test_small_messages_are_taken_along(service: Service, client: redis.Redis) -> None:
    ids = [put(client, item(key)) for key in "bc"] + [put(client, item("d"), item("a", "other"), lane="default")]
    other_lane, of_a_run = put(client, item("e"), lane="night"), put(client, item("f"), run="r")
    assert service.accept(item("a")) == {"accepted": 1, "known": 0, "rejected": []}
    assert [service.ledger.verdict(message_id)["accepted"] for message_id in (*ids, other_lane, of_a_run)] == [
        1,
        1,
        1,
        0,
        1,
    ]
    assert service.ledger.verdict(ids[2])["rejected"][0]["index"] == 1
    assert "there is no lane 'night'" in service.ledger.verdict(other_lane)["rejected"][0]["why"]
    assert len(service.ledger.states("item")) == 5
    assert service.ledger.fetch_all("SELECT key FROM item JOIN request ON item_id = id WHERE run_id IS NOT NULL") == [
        {"key": "f"}
    ]
    assert (waiting(client), unacknowledged(client)) == ([], 0)


def test_the_same_message_twice_is_accepted_once(service: Service, client: redis.Redis) -> None:
    again = put(client, item("a"))
    put(client, item("a"), message_id=again)
    service.accept(item("b"))
    assert service.ledger.verdict(again)["accepted"] == 1
    assert len(service.ledger.states("item")) == 2


def test_the_killed_lose_nothing(service: Service, client: redis.Redis) -> None:
    put(client, item("a"))
    put(client, item("b"))
    before = waiting(client)
    assert len(gather.take()) == 2  # and then the process is killed
    kombu_looks(client, after_s=20)
    assert (waiting(client), unacknowledged(client)) == ([], 2), "it may still be at it"
    kombu_looks(client, after_s=20)
    assert unacknowledged(client) == 0
    came_back = waiting(client)
    assert all(message_id["headers"].pop("redelivered") for message_id in came_back)
    assert all(message_id["properties"]["delivery_info"].pop("redelivered") for message_id in came_back)
    assert sorted(map(str, came_back)) == sorted(map(str, before))


def test_one_that_came_back_goes_alone(service: Service, client: redis.Redis) -> None:
    put(client, item("a"))
    gather.requeue(gather.take())
    put(client, item("b"))
    service.accept(item("c"))
    assert len(waiting(client)) == 2
    assert service.ledger.states("item") == ["waiting"]


@pytest.mark.parametrize("poison", [{"items": 5}, {"items": None, "message_id": 5}, {"message_id": "no UUID"}])
def test_what_nobody_can_read_hurts_nobody_else(service: Service, client: redis.Redis, poison: Json) -> None:
    put(client, item("a"))
    put(client, **poison)
    put(client, item("b"))
    try:
        service.accept(item("c"))
    except Reject:  # all of them are in the queue again, and go alone
        assert len(waiting(client)) == 3
        assert all(message["headers"]["redelivered"] for message in waiting(client))
    else:
        assert len(waiting(client)) == 1
        assert len(service.ledger.states("item")) == 3
    assert unacknowledged(client) == 0


def many(lines: int) -> str:
    return "\n".join(orjson.dumps(item(f"{uuid4()} {uuid4()} {n}")).decode() for n in range(lines))


def compressed(items: str) -> Json:
    return {"items": base64.b64encode(zstd.compress(items.encode())).decode(), "encoding": "zstd"}


@pytest.mark.parametrize("packed", [lambda items: {"items": items}, compressed])
def test_of_large_messages_a_few_are_taken_along(
    service: Service, client: redis.Redis, packed: Callable[[str], Json]
) -> None:
    for _ in range(6):
        put(client, **packed(many(200)))
    put(client, item("behind them"))
    service.accept(item("a"))
    assert len(service.ledger.states("item")) == 1 + 4 * 200
    assert (len(waiting(client)), unacknowledged(client)) == (3, 0)
    service.accept(*(item(f"{uuid4()} {uuid4()} {n}") for n in range(200)))
    assert len(service.ledger.states("item")) == 1 + 4 * 200 + 200 + 2 * 200 + 1
    assert waiting(client) == []


@pytest.mark.parametrize("much", ["x" * 1_600_000, f"{uuid4()}" * 50_000])
def test_the_largest_goes_alone(service: Service, client: redis.Redis, much: str) -> None:
    small = compressed(orjson.dumps(item("large", much)).decode())
    put(client, **(small if len(small["items"]) < 100_000 else {"items": orjson.dumps(item("large", much)).decode()}))
    service.accept(item("a"))
    assert service.ledger.states("item") == ["waiting"]
    assert (len(waiting(client)), unacknowledged(client)) == (1, 0)


def test_compressed_by_another_that_does_not_say_how_much_it_is_it_goes_alone(
    service: Service, client: redis.Redis
) -> None:
    streamed = zstd.ZstdCompressor()
    packed = streamed.compress(many(2).encode()) + streamed.flush()
    put(client, items=base64.b64encode(packed).decode(), encoding="zstd")
    service.accept(item("a"))
    assert service.ledger.states("item") == ["waiting"]
    assert len(waiting(client)) == 1


def test_a_database_that_is_away_puts_them_back(
    service: Service, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, item("a"))
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    service.restart()
    with pytest.raises(Reject):
        service.accept(item("b"))
    assert (len(waiting(client)), unacknowledged(client)) == (1, 0)
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", service.database_url)
    service.restart()
