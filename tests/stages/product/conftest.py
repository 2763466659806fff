"""A product beside the service: its `Overnight`, its questions answered by the stage itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import pytest
import redis

from overnight_models import routes
from overnight_producers import Overnight
from overnight_workers.stages.accept.accept import accept
from overnight_workers.stages.answer import answer
from tests.driving import Service
from tests.service.ledger import Json


@contextmanager
def answering(redis_url: str) -> Iterator[None]:
    """Questions that come into that Redis are answered, in a thread of this process, for as long as the block lasts."""
    over = threading.Event()

    def serve() -> None:
        with redis.Redis.from_url(redis_url) as client:
            while not over.is_set():
                if (popped := client.brpop([routes.ANSWER], timeout=0.1)) is not None:
                    answer(**orjson.loads(orjson.loads(popped[1])["body"])[1])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.fixture
def product(service: Service) -> Iterator[Overnight]:
    """A product's side. What it enqueues lies in Redis until a test has it taken in."""
    overnight = Overnight(service.redis_url)
    with answering(service.redis_url):
        yield overnight
    overnight.close()


def messages(service: Service) -> list[Json]:
    """The arguments of the accept messages that wait, taken out of the queue."""
    verdicts = []
    with redis.Redis.from_url(service.redis_url) as client:
        while (raw := client.rpop(routes.ACCEPT)) is not None:
            verdicts.append(orjson.loads(orjson.loads(raw)["body"])[1])
    return verdicts


def take_in(service: Service) -> list[Json]:
    """What waits in the queue is accepted; the verdicts."""
    verdicts = []
    for arguments in messages(service):
        accept(**arguments)
        verdicts.append(service.ledger.verdict(arguments["message_id"]))
    return verdicts


@contextmanager
def taking_in(service: Service) -> Iterator[None]:
    """What comes into the queue is accepted, in a thread of this process, for as long as the block lasts."""
    over = threading.Event()

    def serve() -> None:
        with redis.Redis.from_url(service.redis_url) as client:
            while not over.is_set():
                if (popped := client.brpop([routes.ACCEPT], timeout=0.1)) is not None:
                    accept(**orjson.loads(orjson.loads(popped[1])["body"])[1])

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
