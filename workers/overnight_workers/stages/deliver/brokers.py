"""Brokers: what takes a product's messages, as much of them as there is room for, and says which it took."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, Final, Protocol

import orjson
import redis
import redis.exceptions
from celery import Celery
from kombu import Producer
from kombu.exceptions import KombuError

from overnight_models import exact_json
from overnight_models.crash_points import reach
from overnight_models.errors import BadSettings, TransientError
from overnight_models.ledger.deliver.due import Due
from overnight_models.ledger.deliver.unread_queues import QueueLook
from overnight_models.wire.redis_client import TakesNoWrites, redis_client
from overnight_models.wire.redis_place import RedisPlace
from overnight_workers.configuration.broker_settings import BrokerLimits
from overnight_workers.held import held
from overnight_workers.settings import settings
from overnight_workers.stages.deliver.callbacks import Call, call, enveloped, enveloped_call
from overnight_workers.stages.deliver.room import BYTES_IN_FLIGHT, Room, cost_of, room_in

_TIMEOUT_S: Final = 5
_PUBLISH_S: Final = 30
"""Then the rest of a group is left: well before its claim runs out, and somebody else sends it too."""
_ASKED_TIMEOUT_S: Final = 2
"""For a look: a broker that is frozen keeps the others waiting no longer."""
_PUSHED_AT_ONCE: Final = 500
_NO_MESSAGE: Final = (AttributeError, KeyError, TypeError, ValueError)
"""Of an outcome or callback of which none can be made."""
_TAKES_NOTHING: Final = (TakesNoWrites, redis.exceptions.ClusterDownError, redis.exceptions.TryAgainError)
"""Answers of a Redis that takes no writes at all; others turn down what was asked."""


class BrokerUnavailable(TransientError):
    """A product's broker doesn't answer, or takes nothing from anybody."""


class QueueRefused(TransientError):
    """A broker answers and turns down this queue: it isn't a list, or we aren't allowed to it."""


@dataclass
class Handed:
    """What became of a group of messages."""

    taken: list[Due] = field(default_factory=list)
    unsure: list[Due] = field(default_factory=list)
    """They may be in the queue or not: the broker went away before it said. Sent again, with the same delivery id."""
    refused: dict[str, list[Due]] = field(default_factory=dict)
    """Turned down, by reason."""
    left: list[Due] = field(default_factory=list)
    """Not tried."""
    away: str | None = None
    """The broker went away: why."""
    full: str | None = None
    """There was no more room: why."""

    def refuse(self, why: str, *due: Due) -> None:
        """These were turned down."""
        self.refused.setdefault(why, []).extend(due)


class Broker(Protocol):
    """What takes a product's messages."""

    def room(self, queue: str) -> Room:
        """How much more a queue may get. Raises BrokerUnavailable or QueueRefused."""

    def look(self, queues: Sequence[str]) -> dict[str, QueueLook]:
        """What is in these queues, as far as it can be told. Raises BrokerUnavailable."""

    def publish(self, queue: str, due: Sequence[Due], room: Room) -> Handed:
        """Put one message for each outcome into a queue, in their order, as long as there is room."""

    def publish_call(self, queue: str, to: Call) -> None:
        """Put one message that isn't an outcome's into a queue. Raises BrokerUnavailable or QueueRefused."""


def broker(name: str) -> Broker:
    """The broker of that name; "" is Overnight's own Redis. Another one as soon as its URL is another.

    Raises BrokerUnavailable when it isn't configured, or not in a way that can be used.
    """
    if not name:
        return _own_broker()
    configured = settings().brokers.get(name)
    if configured is None:
        raise BrokerUnavailable(f"broker {name!r}: the configuration has no [brokers.{name}]")
    try:
        return _broker_at(name, configured.link)
    except BadSettings as error:
        raise BrokerUnavailable(f"broker {name!r}: its url can't be had: {'; '.join(error.faults)}") from None
    except Exception as error:  # noqa: BLE001 - a URL that makes no sense: each client says so in its own way
        kind = type(error).__name__
    # its words may have parts of the url in them, and so would a traceback
    raise BrokerUnavailable(
        f"broker {name!r}: its url can't be used ({kind}): see Celery's page on brokers for its form, and install what"
        " it needs"
    )


@held
def _own_broker() -> Broker:
    return RedisBroker("own", settings().redis_place, settings().own_broker)


@held
def _broker_at(name: str, link: str) -> Broker:
    """The broker of that name while this is its URL."""
    configured = settings().brokers[name]
    if configured.is_redis:
        return RedisBroker(name, configured.redis_place, configured, key_prefix=configured.key_prefix)
    return KombuBroker(name, link, configured)


class RedisBroker:
    """A Redis: messages are written here and pushed by the hundred, some ten times faster than by kombu."""

    def __init__(self, name: str, place: RedisPlace, limits: BrokerLimits, *, key_prefix: str = "") -> None:
        self._name, self._limits, self._key_prefix = name, limits, key_prefix
        self._asking, self._pushing = (
            redis_client(place, timeout_s=timeout_s, connect_timeout_s=2)
            for timeout_s in (_ASKED_TIMEOUT_S, _TIMEOUT_S)
        )

    def room(self, queue: str) -> Room:
        """How much more a queue may get, by its length and by the memory of the Redis."""
        try:
            with self._asking.pipeline(transaction=False) as asked:
                asked.llen(self._key(queue))
                asked.info("memory")
                answers: Any = asked.execute(raise_on_error=False)
        except redis.RedisError as error:
            raise BrokerUnavailable(self._said(error)) from error
        length, memory = answers
        if isinstance(length, redis.RedisError):
            raise (BrokerUnavailable if self._is_its_own(length) else QueueRefused)(self._said(length)) from length
        if isinstance(memory, redis.RedisError):
            if self._limits.max_memory is not None:
                raise BrokerUnavailable(f"{self._said(memory)}; max_memory needs INFO") from memory
            memory = {}
        return room_in(queue, length, memory, self._limits)

    def look(self, queues: Sequence[str]) -> dict[str, QueueLook]:
        """Lengths and oldest messages of these lists, in one round trip."""
        try:
            with self._asking.pipeline(transaction=False) as asked:
                for queue in queues:
                    asked.llen(self._key(queue))
                    asked.lindex(self._key(queue), -1)
                answers: Any = asked.execute(raise_on_error=False)
        except redis.RedisError as error:
            raise BrokerUnavailable(self._said(error)) from error
        looks = {}
        for queue, length, oldest in zip(queues, answers[::2], answers[1::2], strict=True):
            if isinstance(length, int) and (oldest is None or isinstance(oldest, bytes)):
                looks[queue] = QueueLook(length, None if oldest is None else blake2b(oldest, digest_size=8).hexdigest())
        return looks

    def publish(self, queue: str, due: Sequence[Due], room: Room) -> Handed:
        """Put one message for each outcome into a queue."""
        handed = Handed()
        rest = deque(due)
        stop_at = time.monotonic() + _PUBLISH_S
        while rest and handed.away is None and handed.full is None and time.monotonic() < stop_at:
            group, messages = _next_group(queue, rest, room, handed, self._limits.by_reference_above)
            if group:
                self._push(queue, group, messages, handed)
        handed.left += rest
        return handed

    def publish_call(self, queue: str, to: Call) -> None:
        """Put one message that isn't an outcome's into a queue."""
        try:
            self._pushing.lpush(self._key(queue), enveloped_call(queue, to))
        except redis.RedisError as error:
            raise (BrokerUnavailable if self._is_its_own(error) else QueueRefused)(self._said(error)) from error

    def _push(self, queue: str, group: list[Due], messages: list[bytes], handed: Handed) -> None:
        reach("before publish")
        try:
            self._pushing.lpush(self._key(queue), *messages)
        except redis.OutOfMemoryError as error:
            handed.full = self._said(error)
            handed.left += group
        except redis.ResponseError as error:
            if self._is_its_own(error):
                handed.away = self._said(error)
                handed.left += group
            else:
                handed.refuse(self._said(error), *group)
        except redis.RedisError as error:
            handed.away = self._said(error)
            handed.unsure += group
        else:
            handed.taken += group
        reach("after publish")

    def _key(self, queue: str) -> str:
        """The list that is this queue. A message names its queue without the prefix: whoever puts it back adds it."""
        return f"{self._key_prefix}{queue}"

    def _is_its_own(self, error: redis.RedisError) -> bool:
        """Whether it is the broker that is in trouble, and not what was asked of it."""
        return isinstance(error, _TAKES_NOTHING) or not isinstance(error, redis.ResponseError)

    def _said(self, error: Exception) -> str:
        return f"broker {self._name!r}: {type(error).__name__}: {error}"


def _next_group(
    queue: str, rest: deque[Due], room: Room, handed: Handed, by_reference_above: int | None
) -> tuple[list[Due], list[bytes]]:
    """The messages of one push, taken from the rest; the group ends where there is no more room."""
    group: list[Due] = []
    messages: list[bytes] = []
    size = 0
    while rest and len(group) < _PUSHED_AT_ONCE and size < BYTES_IN_FLIGHT:
        try:
            message = enveloped(queue, rest[0], by_reference_above)
        except _NO_MESSAGE as error:
            handed.refuse(_unwritable(error), rest.popleft())
            continue
        if cost_of(len(message)) > room.ever:
            why = f"its message has {len(message):,} bytes: more than the broker ever takes (see by_reference_above)"
            handed.refuse(why, rest.popleft())
            continue
        if not room.take(len(message)):
            handed.full = room.why
            break
        group.append(rest.popleft())
        messages.append(message)
        size += len(message)
    return group, messages


class KombuBroker:
    """Every other broker that Celery speaks to. A queue that isn't there is declared with the first message."""

    def __init__(self, name: str, url: str, limits: BrokerLimits) -> None:
        self._name, self._limits = name, limits
        self._app = Celery(f"overnight-to-{name}", broker=url, set_as_current=False)
        self._app.conf.update(task_publish_retry=False, result_backend=None, broker_connection_timeout=5)
        self._knows_listeners = url.startswith(("amqp://", "amqps://", "pyamqp://"))
        if self._knows_listeners:
            # a RabbitMQ says that it took a message only when it is asked to, and may be frozen
            self._app.conf.broker_transport_options = {
                "confirm_publish": True,
                "read_timeout": _TIMEOUT_S,
                "write_timeout": _TIMEOUT_S,
            }
        connection: Any = self._app.connection_for_write()
        self._no_such_queue: tuple[type[Exception], ...] = connection.channel_errors
        self._errors: tuple[type[Exception], ...] = (*connection.connection_errors, KombuError, OSError)
        self._errors += self._no_such_queue

    def room(self, queue: str) -> Room:
        """How much more a queue may get, by its length: 0 when it doesn't exist yet."""
        try:
            with self._app.connection_for_write() as connection:
                channel: Any = connection.default_channel
                length = int(channel.queue_declare(queue, passive=True).message_count)
        except self._no_such_queue:
            length = 0
        except Exception as error:  # each transport has errors of its own
            raise BrokerUnavailable(self._said(error)) from error
        return room_in(queue, length, {}, self._limits)

    def look(self, queues: Sequence[str]) -> dict[str, QueueLook]:
        """Whether anybody listens, which only a RabbitMQ says."""
        if not self._knows_listeners:
            return {}
        looks = {}
        try:
            with self._app.connection_for_write() as connection:
                for queue in queues:
                    try:
                        channel: Any = connection.channel()
                        with channel:
                            declared = channel.queue_declare(queue, passive=True)
                    except self._no_such_queue:
                        continue
                    waits = declared.message_count and not declared.consumer_count
                    looks[queue] = QueueLook(declared.message_count, "nobody listens" if waits else None)
        except Exception as error:  # each transport has errors of its own
            raise BrokerUnavailable(self._said(error)) from error
        return looks

    def publish(self, queue: str, due: Sequence[Due], room: Room) -> Handed:
        """Put one message for each outcome into a queue."""
        handed = Handed()
        rest = deque(due)
        stop_at = time.monotonic() + _PUBLISH_S
        try:
            with self._app.producer_pool.acquire(block=True, timeout=_TIMEOUT_S) as producer:
                while rest and handed.away is None and room.take(0) and time.monotonic() < stop_at:
                    self._send(producer, queue, rest.popleft(), handed)
        except self._errors as error:
            handed.away = self._said(error)
        handed.left += rest
        return handed

    def _send(self, producer: Producer, queue: str, due: Due, handed: Handed) -> None:
        reach("before publish")
        try:
            self._publish(producer, queue, due)
        except self._errors as error:
            handed.away = self._said(error)
            handed.unsure.append(due)
        except _NO_MESSAGE as error:
            handed.refuse(_unwritable(error), due)
        else:
            handed.taken.append(due)
        reach("after publish")

    def publish_call(self, queue: str, to: Call) -> None:
        """Put one message that isn't an outcome's into a queue."""
        try:
            with self._app.producer_pool.acquire(block=True, timeout=_TIMEOUT_S) as producer:
                self._publish_call(producer, queue, to)
        except self._errors as error:
            raise BrokerUnavailable(self._said(error)) from error

    def _publish(self, producer: Producer, queue: str, due: Due) -> None:
        self._publish_call(producer, queue, call(due, self._limits.by_reference_above))

    def _publish_call(self, producer: Producer, queue: str, to: Call) -> None:
        self._app.send_task(
            to.task,
            [exact_json.loads(orjson.dumps(to.outcome)), *to.others],
            dict(to.kwargs),
            queue=queue,
            producer=producer,
            task_id=to.task_id,
            argsrepr=to.shown,
            kwargsrepr="{}",
            headers=to.headers,
        )

    def _said(self, error: Exception) -> str:
        return f"broker {self._name!r}: {type(error).__name__}: {error}"


def _unwritable(error: Exception) -> str:
    return f"no message can be made of it: {type(error).__name__}: {error}"
