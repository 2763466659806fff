"""Steps of scenarios: one task of a worker, one word of a product, or one accident each."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson
import redis

from overnight_models.routes import ACCEPT, ACKS_KEY
from overnight_models.wire.acknowledgement import HEADER
from overnight_models.wire.envelope import read_envelope
from overnight_models.wire.message import VERSION
from overnight_producers.wire import envelope
from overnight_workers.stages.accept.accept import accept
from overnight_workers.stages.answer import answer
from tests.budgeting import DOLLAR, budget
from tests.driving import Service, callback, item
from tests.service.ledger import Json

Step = Callable[[Service], object]

KEY_OF_TWO: Final = "CHAOS_KEY_OF_TWO"
"""The variable in which the key of workspace `two` comes late."""

_UNACKED: Final = "overnight:unacked"
"""Where kombu keeps what a worker has taken out of a queue and not acknowledged."""

SHOP: Final = callback()
FITTING: Final[Json] = {
    "output_config": {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {"title": {"type": "string"}},
                "required": ["title"],
                "additionalProperties": False,
            },
        }
    }
}


def _message_id(service: Service, number: int) -> str:
    return str(uuid5(NAMESPACE_URL, f"{service.api.key} {number}"))


def message(number: int, *items: Callable[[], Json], v: int = VERSION, run: str | None = None) -> Step:
    """A product's message; the same each time it is taken, as the broker's redelivery is."""

    def take(service: Service) -> str:
        lines = [orjson.dumps(item()).decode() for item in items]
        message_id = _message_id(service, number)
        return str(accept(v=v, message_id=message_id, lane="default", run=run, items="\n".join(lines)))

    return take


def queued(number: int, *items: Callable[[], Json]) -> Step:
    """A product's message, in the queue and taken by nobody yet."""

    def put(service: Service) -> None:
        lines = [orjson.dumps(item()).decode() for item in items]
        message_id = _message_id(service, number)
        message = {"v": VERSION, "message_id": message_id, "lane": "default", "run": None, "items": "\n".join(lines)}
        with redis.Redis.from_url(service.redis_url) as client:
            client.lpush(ACCEPT, envelope(ACCEPT, message, shown=""))

    return put


def what_is_queued(service: Service) -> None:
    """A worker takes what is in the queue of messages, and what the dead had taken out and not acknowledged."""
    with redis.Redis.from_url(service.redis_url) as client:
        unacked: Any = client.hgetall(_UNACKED)
        if unacked:
            with client.pipeline() as pipe:
                pipe.rpush(ACCEPT, *[orjson.dumps(orjson.loads(kept)[0]) for kept in unacked.values()])
                pipe.delete(_UNACKED, f"{_UNACKED}_index")
                pipe.execute()
        while raw := client.lindex(ACCEPT, -1):
            with client.pipeline() as pipe:
                pipe.rpop(ACCEPT)
                pipe.hset(_UNACKED, "this", orjson.dumps([orjson.loads(raw), "", ACCEPT]))
                pipe.execute()
            read = read_envelope(raw)
            assert read is not None
            accept(**read[1])
            client.hdel(_UNACKED, "this")


def a_budget(service: Service) -> None:
    """The lane has a strict budget before anything of it is packed."""
    budget(nano=DOLLAR)


def one(
    key: str, *, told: Json | None = SHOP, asks: Json | None = None, wish: str = "", **more: Any
) -> Callable[[], Json]:
    """An item of a message: made when the message is, with a receipt that stays.

    asks: more of its params.
    wish: what makes its receipt another than that of the same request.
    """

    def make() -> Json:
        made = item(key, callback=told, **more)
        made["params"] |= asks or {}
        text = made["params"]["messages"][0]["content"]
        return made | {"id": str(uuid5(NAMESPACE_URL, f"{key} {text}{wish}"))}

    return make


def large(key: str) -> Callable[[], Json]:
    """An item whose request and answer take more than one chunk."""
    small = one(key, asks={"max_tokens": 60_000}, fault="answer_bytes:100000")

    def make() -> Json:
        made = small()
        made["params"]["messages"][0]["content"] += " " + "x" * 300_000
        return made

    return make


def long(key: str, **more: Any) -> Callable[[], Json]:
    """An item whose prompt has some 4,000 tokens."""
    short = one(key, **more)

    def make() -> Json:
        made = short()
        made["params"]["messages"][0]["content"] += " kettle" * 2_300
        return made

    return make


def ask(question: str, **about: Any) -> Step:
    """A product's question."""
    return lambda service: answer(question, str(uuid5(NAMESPACE_URL, service.api.key + question)), about)


def ask_verdict(number: int) -> Step:
    """Whether a message has arrived."""
    return lambda service: answer("confirm", "verdict", {"message_ids": [_message_id(service, number)]})


def taken_back(number: int, made: Callable[[], Json]) -> Step:
    """The owner of an item cancels it by its receipt, whether its message has been accepted or not."""

    def cancel(service: Service) -> None:
        its = made()
        about = {"lane": "default", "key": its["key"], "id": its["id"], "message_id": _message_id(service, number)}
        answer("cancel", str(uuid5(NAMESPACE_URL, f"{service.api.key} {number} taken back")), about)

    return cancel


def fault(at: str, do: str, **more: Any) -> Step:
    """The API does this from now on."""
    return lambda service: service.api.fault(at, do, **more)


def stranger(requests: int) -> Step:
    """Somebody else creates a batch of that size now."""
    return lambda service: service.api.stranger(requests)


def tasks(*these: Callable[[], object]) -> tuple[Step, ...]:
    """Tasks as the workers run them."""
    return tuple(_task(item) for item in these)


def _task(task: Callable[[], object]) -> Step:
    return lambda _: task()


def pauses_are_over(service: Service) -> None:
    """Time passes."""
    service.clock.pauses_are_over()


def quiet_is_over(service: Service) -> None:
    """What was created is listed by now."""
    service.clock.quiet_is_over()


def faults_are_over(service: Service) -> None:
    """The API is well again."""
    service.api.faults_are_over()


def held_long_enough(service: Service) -> None:
    """A held workspace is tried again, however often it was held before."""
    service.ledger.execute("UPDATE workspace SET held_at = now() - interval '61 minutes' WHERE held_at IS NOT NULL")


def restored_to_before_it_was_packed(service: Service) -> None:
    """The ledger forgets what it has packed and sent, and lives on another timeline from now on."""
    service.ledger.execute("UPDATE item SET state = 'waiting', batch_id = NULL, waiting_since = now()")
    service.ledger.execute("DELETE FROM submission")
    service.ledger.execute("DELETE FROM batch")
    service.ledger.execute("UPDATE deployment SET home = regexp_replace(home, '/[0-9]+/', '/0/')")


def a_minute_later(service: Service) -> None:
    """After a restore everything that was being sent is listed by now."""
    service.ledger.execute("UPDATE deployment SET moved_at = moved_at - interval '1 min' WHERE moved_at IS NOT NULL")


def deadlines_are_near(service: Service) -> None:
    """No batch is in time for them any more."""
    service.ledger.execute("UPDATE item SET deadline = now() + interval '5 s' WHERE waiting_since IS NOT NULL")


def nobody_needs_them(service: Service) -> None:
    """What waits is of no use any more."""
    service.ledger.execute("UPDATE item SET give_up_at = now() WHERE waiting_since IS NOT NULL")


def queues_are_in_trouble(service: Service) -> None:
    """A product's queue is no list any more, and another's is full."""
    with redis.Redis.from_url(service.redis_url) as client, client.pipeline() as pipe:
        pipe.set("crm", "not a queue")
        pipe.lpush("full", "one message", "another message")
        pipe.execute()


def queues_are_well(service: Service) -> None:
    """Both products have seen to it."""
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("crm", "full")


def acknowledgements_are_late(service: Service) -> None:
    """Callbacks had time enough, and said nothing."""
    service.ledger.execute("UPDATE delivery SET due_at = now() - interval '1 s' WHERE state = 'awaiting_ack'")


def products_acknowledge(service: Service) -> None:
    """Every callback that asks for it has done its work, and says so."""
    with redis.Redis.from_url(service.redis_url) as client:
        waiting: Any = client.lrange("shop", 0, -1)
        words = [orjson.loads(message)["headers"].get(HEADER) for message in waiting]
        client.lpush(ACKS_KEY, *[word for word in words if word is not None] or ["nothing yet"])


def the_key_is_there(service: Service) -> None:
    """The operator sets the variable that was forgotten."""
    os.environ[KEY_OF_TWO] = service.api.key
