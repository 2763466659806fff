"""What the producer puts into Redis by itself is what Celery would have put there, and what a worker reads."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import redis
from celery import Celery

from overnight_models.errors import Unreachable
from overnight_models.wire.redis_place import read_redis_url
from overnight_producers.connection import Connection
from overnight_producers.steps import Steps, run, take
from overnight_producers.wire import Wire, envelope

TASK = "overnight.accept"
ARGUMENTS = {"v": 1, "items": "ä" * 10, "run": None}
BIG = {"v": 1, "items": "x" * 100_000}
# What says which message it is, and what is ours to choose: Flower shows argsrepr instead of a request's body.
OWN = {"id", "root_id", "origin", "argsrepr", "kwargsrepr"}


@pytest.fixture
def celery(redis_url: str) -> Iterator[Celery]:
    app = Celery("theirs", broker=redis_url, set_as_current=False)
    app.conf.update(task_ignore_result=True, task_default_exchange="")
    yield app
    app.close()


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def called(steps: Steps[Any], redis_url: str) -> Any:
    """What a call comes to with this Redis."""
    connection = Connection(read_redis_url(redis_url))
    try:
        return run(steps, lambda step: take(connection, step))
    finally:
        connection.close()


def taken(client: redis.Redis, queue: str = TASK) -> dict[str, Any]:
    raw = client.rpop(queue)
    assert isinstance(raw, bytes)
    document: dict[str, Any] = orjson.loads(raw)
    return document


def decoded(app: Celery, queue: str = TASK) -> tuple[Any, dict[str, Any]]:
    with app.connection_for_read() as connection:
        message = connection.default_channel.basic_get(queue, no_ack=True)  # type: ignore[attr-defined]
        message.accept = {"application/json"}
        return message.decode(), message.headers


@pytest.fixture
def both(celery: Celery, client: redis.Redis, redis_url: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same message, by Celery and by us."""
    celery.send_task(TASK, kwargs=ARGUMENTS, queue=TASK, ignore_result=True)
    theirs = taken(client)
    called(Wire(redis_url).send(TASK, ARGUMENTS, shown="default: 1 items"), redis_url)
    return theirs, taken(client)


def test_the_envelope_has_celerys_fields(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = both
    assert set(ours) == set(theirs)
    assert {name: ours[name] for name in ("content-encoding", "content-type")} == {
        name: theirs[name] for name in ("content-encoding", "content-type")
    }


def test_the_body_is_celerys(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = both
    assert orjson.loads(ours["body"]) == orjson.loads(base64.b64decode(theirs["body"])), "in plain text"


def test_the_headers_are_celerys(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = ({n: v for n, v in message["headers"].items() if n not in OWN} for message in both)
    missing = {name: value for name, value in theirs.items() if name not in ours}
    assert not any(missing.values()), "what is left out is empty"
    assert ours == {name: theirs[name] for name in ours}
    assert both[1]["headers"]["id"] == both[1]["headers"]["root_id"] == both[1]["properties"]["correlation_id"]


def test_the_properties_are_celerys(both: tuple[dict[str, Any], dict[str, Any]]) -> None:
    theirs, ours = (message["properties"] for message in both)
    assert theirs.pop("body_encoding") == "base64"
    assert set(ours) == set(theirs)
    random = {"correlation_id", "delivery_tag", "reply_to"}
    assert {n: v for n, v in ours.items() if n not in random} == {n: v for n, v in theirs.items() if n not in random}


@pytest.mark.parametrize("arguments", [ARGUMENTS, BIG])
def test_a_worker_reads_what_was_sent(celery: Celery, redis_url: str, arguments: dict[str, Any]) -> None:
    called(Wire(redis_url).send(TASK, arguments, shown="x"), redis_url)
    (args, kwargs, _), headers = decoded(celery)
    assert (args, kwargs) == ([], arguments)
    assert headers["task"] == TASK


def test_a_request_is_never_shown() -> None:
    message = orjson.loads(envelope(TASK, {"items": "a secret"}, shown="default: 1 items"))
    assert "secret" not in orjson.dumps(message["headers"]).decode()
    assert message["headers"]["argsrepr"] == "(default: 1 items)"


def test_a_redis_that_is_not_there_is_known_soon() -> None:
    url = "redis://127.0.0.1:1/0"
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1 can't be reached \(ConnectionError") as caught:
        called(Wire(url).send(TASK, {}, shown="x"), url)
    assert time.monotonic() - began < 60, "it isn't dialed again and again"
    assert isinstance(caught.value.__cause__, redis.RedisError)


def test_a_question_that_nobody_answers_ends(redis_url: str) -> None:
    with pytest.raises(TimeoutError, match=r"no worker answered within 0\.2 s"):
        called(Wire(redis_url).ask("confirm", {}, timeout_s=0.2), redis_url)
