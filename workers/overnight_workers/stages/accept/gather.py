"""Gather: an accept task takes along what waits behind its own message: many small ones, or a few large ones.

Celery hands over one message at a time, each at the price of a task and of two transactions, which is too much for one
item, and much for 500. What is taken lies meanwhile where kombu keeps what isn't acknowledged: should this process die,
kombu finds it there and puts it back into the queue.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from uuid import UUID, uuid4

import orjson
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.ledger.connection import Connection
from overnight_models.wire.envelope import read_envelope
from overnight_models.wire.message import bytes_of
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.telemetry import logs

_AT_ONCE: Final = 100
LARGE_AT_ONCE: Final = 4
"""Large messages that one task accepts, its own included: so many are in memory at once."""
_SMALL_BYTES: Final = 16_000
"""Of a message; a larger one, or one that is compressed, counts as large."""
_LARGEST_BYTES: Final = 1_500_000
"""Of a message, as it is in the queue and as it is read: what has more goes alone."""
_LEASE_S: Final = 30.0
"""After so long kombu takes this process for dead."""

_TAKE: Final = """
    local queue, unacked, index = unpack(KEYS)
    local own, score, most, small, large, largest = unpack(ARGV)
    local taken, large_left = {}, tonumber(large)
    while #taken < tonumber(most) do
        local message = redis.call('LINDEX', queue, -1)
        -- one that came back goes alone
        if not message or #message > tonumber(largest) or string.find(message, '"redelivered": ?true') then break end
        if #message > tonumber(small) or string.find(message, '\\\\"encoding\\\\"', 1, true) then
            if large_left == 0 then break end
            large_left = large_left - 1
        end
        redis.call('RPOP', queue)
        taken[#taken + 1] = message
        redis.call('HSET', unacked, own .. #taken, '[' .. message .. ',"","' .. queue .. '"]')
        redis.call('ZADD', index, score, own .. #taken)
    end
    return taken
"""

log = logs.get(__name__)


class Beside(NamedTuple):
    """What whoever hands messages over does beside their acceptance."""

    before_writing: Callable[[], object] = lambda: None
    """Called when they are read and checked, before anything of them is written."""
    when_written: Callable[[Connection, Sequence[UUID]], object] = lambda _connection, _ids: None
    """Called at the end of the transaction in which they are written, with their ids: it is done once, as they are."""


NOTHING: Final = Beside()


class Message(NamedTuple):
    """An accept message (`overnight_models.wire.message`)."""

    v: int
    id: UUID
    lane: str
    items: str
    encoding: str | None
    run: str | None


class Gathered(NamedTuple):
    """A message that was taken along."""

    message: Message
    tag: str
    """Under which kombu knows it."""
    raw: bytes


def take(*, large: int = 0) -> list[Gathered]:
    """Messages that wait, the oldest first; to be told `done`, or `requeue`. Never raises.

    large: how many of them may be large.
    """
    own, conf = f"{uuid4()}-", app.conf.broker_transport_options
    # kombu takes it for when the message was handed over
    score = time.time() - conf["visibility_timeout"] + _LEASE_S
    reach("before gathering")
    try:
        taken: list[bytes] = process.redis_client().eval(
            _TAKE, 3, routes.ACCEPT, *_keys(), own, score, _AT_ONCE, _SMALL_BYTES, large, _LARGEST_BYTES
        )
    except redis.RedisError as error:
        log.warning("no messages gathered", error=str(error))
        return []
    reach("after gathering")
    gathered, strange = [], []
    for number, raw in enumerate(taken, start=1):
        message = _read(raw)
        if message is None:
            strange.append((f"{own}{number}", raw))
        else:
            gathered.append(Gathered(message, f"{own}{number}", raw))
    _requeue(strange)
    return gathered


def is_large(items: object, encoding: object) -> bool:
    """Whether a message is one of the few large ones that a task accepts."""
    return encoding is not None or not isinstance(items, str) or len(items) > _SMALL_BYTES


def done(gathered: Sequence[Gathered]) -> None:
    """They are in Postgres. Should this get lost they come again, which changes nothing."""
    if not gathered:
        return
    tags = [message.tag for message in gathered]
    unacked, index = _keys()
    reach("before acknowledging")
    try:
        with process.redis_client().pipeline(transaction=True) as pipe:
            pipe.zrem(index, *tags)
            pipe.hdel(unacked, *tags)
            pipe.execute()
        reach("after acknowledging")
    except redis.RedisError as error:
        log.warning("messages not acknowledged: they come again", messages=len(tags), error=str(error))


def requeue(gathered: Sequence[Gathered]) -> None:
    """They aren't in Postgres: from now on each goes alone."""
    _requeue([(message.tag, message.raw) for message in gathered])


def _requeue(messages: Sequence[tuple[str, bytes]]) -> None:
    if not messages:
        return
    unacked, index = _keys()
    reach("before giving back")
    try:
        with process.redis_client().pipeline(transaction=True) as pipe:
            for tag, raw in reversed(messages):
                pipe.rpush(routes.ACCEPT, _marked(raw))
                pipe.zrem(index, tag)
                pipe.hdel(unacked, tag)
            pipe.execute()
        reach("after giving back")
    except redis.RedisError as error:
        log.warning("messages not given back: kombu does so", messages=len(messages), error=str(error))


def _keys() -> tuple[str, str]:
    """Where kombu keeps what isn't acknowledged, and since when."""
    conf = app.conf.broker_transport_options
    return conf["unacked_key"], conf["unacked_index_key"]


def _marked(raw: bytes) -> bytes:
    """A message as kombu marks one that comes back."""
    envelope = orjson.loads(raw)
    envelope["headers"]["redelivered"] = envelope["properties"]["delivery_info"]["redelivered"] = True
    return orjson.dumps(envelope)


def _read(raw: bytes) -> Message | None:
    """An accept message; None when only Celery can tell what it is, or when it had better go alone."""
    read = read_envelope(raw)
    if read is None or read[0] != routes.ACCEPT:
        return None
    arguments = read[1]
    try:
        own_id, items, encoding = UUID(arguments["message_id"]), arguments["items"], arguments.get("encoding")
        if bytes_of(items, encoding) > _LARGEST_BYTES:
            return None
        return Message(arguments["v"], own_id, arguments["lane"], items, encoding, arguments.get("run"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
