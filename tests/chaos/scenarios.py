"""Scenarios: what happens in one workspace, as steps of which each is one task, one word of a product or one accident.

Together they reach every point. A scenario says how its items end, whoever dies on the way.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import orjson
import redis

from overnight_models.message import VERSION
from overnight_workers.accept import accept
from overnight_workers.answer import answer
from overnight_workers.collect import collect
from overnight_workers.deliver import deliver
from overnight_workers.pack import pack
from overnight_workers.poll import poll
from overnight_workers.rescue import sweep
from overnight_workers.submit import submit
from tests.driving import Json, Service, callback, item

Step = Callable[[Service], object]

KEY_OF_TWO: Final = "CHAOS_KEY_OF_TWO"
"""The variable in which the key of workspace `two` comes late."""

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


@dataclass(frozen=True)
class Scenario:
    """One course of events.

    ends: the states in which each key's item may end.
    settings: as `Service.configure` takes them.
    shows: what an undisturbed run must have seen: a query that finds something.
    doubles: answers that were paid twice, at most; only where no protocol can know.
    unseen: answers that were billed, and that the API never showed.
    """

    name: str
    steps: tuple[Step, ...]
    ends: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    shows: str = "SELECT 1"
    doubles: int = 0
    unseen: int = 0
    canceled: tuple[str, ...] = ()
    """Keys that their owner takes back: nobody is told of them."""


def message(number: int, *items: Callable[[], Json], v: int = VERSION, run: str | None = None) -> Step:
    """A product's message; the same each time it is taken, as the broker's redelivery is."""

    def take(service: Service) -> str:
        lines = [orjson.dumps(one()).decode() for one in items]
        message_id = str(uuid5(NAMESPACE_URL, f"{service.key} {number}"))
        return str(accept(v=v, message_id=message_id, lane="default", run=run, items="\n".join(lines)))

    return take


def one(key: str, *, told: Json | None = SHOP, asks: Json | None = None, **more: Any) -> Callable[[], Json]:
    """An item of a message: made when the message is, with a receipt that stays. asks: more of its params."""

    def make() -> Json:
        made = item(key, callback=told, **more)
        made["params"] |= asks or {}
        text = made["params"]["messages"][0]["content"]
        return made | {"id": str(uuid5(NAMESPACE_URL, f"{key} {text}"))}

    return make


def large(key: str) -> Callable[[], Json]:
    """An item whose request and answer take more than one chunk."""
    small = one(key, asks={"max_tokens": 60_000}, fault="answer_bytes:100000")

    def make() -> Json:
        made = small()
        made["params"]["messages"][0]["content"] += " " + "x" * 300_000
        return made

    return make


def ask(question: str, **about: Any) -> Step:
    """A product's question."""
    return lambda service: answer(question, str(uuid5(NAMESPACE_URL, service.key + question)), about)


def ask_verdict(number: int) -> Step:
    """Whether a message has arrived."""
    return lambda service: answer(
        "confirm", "verdict", {"message_ids": [str(uuid5(NAMESPACE_URL, f"{service.key} {number}"))]}
    )


def fault(at: str, do: str, **more: Any) -> Step:
    """The API does this from now on."""
    return lambda service: service.fault(at, do, **more)


def stranger(requests: int) -> Step:
    """Somebody else creates a batch of that size now."""
    return lambda service: service.stranger(requests)


def tasks(*these: Callable[[], object]) -> tuple[Step, ...]:
    """Tasks as the workers run them."""
    return tuple(_task(one) for one in these)


def _task(task: Callable[[], object]) -> Step:
    return lambda _: task()


def pauses_are_over(service: Service) -> None:
    """Time passes."""
    service.pauses_are_over()


def quiet_is_over(service: Service) -> None:
    """What was created is listed by now."""
    service.quiet_is_over()


def faults_are_over(service: Service) -> None:
    """The API is well again."""
    service.faults_are_over()


def held_long_enough(service: Service) -> None:
    """A held workspace is tried again."""
    service.run("UPDATE workspace SET held_at = now() - interval '61 s' WHERE held_at IS NOT NULL")


def restored_to_before_it_was_packed(service: Service) -> None:
    """The ledger forgets what it has packed and sent, and lives on another timeline from now on."""
    service.run("UPDATE item SET state = 'waiting', batch_id = NULL, waiting_since = now()")
    service.run("DELETE FROM submission")
    service.run("DELETE FROM batch")
    service.run("UPDATE deployment SET home = regexp_replace(home, '/[0-9]+/', '/0/')")


def a_minute_later(service: Service) -> None:
    """After a restore everything that was being sent is listed by now."""
    service.run("UPDATE deployment SET moved_at = moved_at - interval '1 min' WHERE moved_at IS NOT NULL")


def the_queue_is_no_list(service: Service) -> None:
    """The product's broker turns down whatever has to do with its queue."""
    with redis.Redis.from_url(service.redis_url) as client:
        client.set("crm", "not a queue")


def the_queue_is_a_list_again(service: Service) -> None:
    """The product's broker was mended."""
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("crm")


def the_key_is_there(service: Service) -> None:
    """The operator sets the variable that was forgotten."""
    os.environ[KEY_OF_TWO] = service.key


ROUND: Final = tasks(pack, submit, poll, collect, deliver, sweep)
DONE: Final = ("succeeded",)

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            "the whole way",
            (
                message(1, one("a"), one("b", asks=FITTING), run="chaos"),
                message(2, one("a"), one("c"), one("", text="its key is wrong"), run="chaos"),
                message(3, one("a", text="another content")),
                message(4, one("of a later version"), v=VERSION + 1),
                message(5, one("d", told=None)),
                ask_verdict(1),
                *tasks(sweep, pack, submit, sweep, poll, collect, deliver, sweep),
                ask("outcome", lane="default", key="a"),
                ask("run", run="chaos"),
                ask("what nobody can answer"),
            ),
            {"a": DONE, "b": DONE, "c": DONE, "d": DONE},
            shows="SELECT 1 FROM delivery HAVING count(*) = 3 AND bool_and(state = 'delivered')",
        ),
        Scenario(
            "tried again",
            (
                message(
                    1,
                    one("a", fault="errored:overloaded_error:1"),
                    one("b", fault="expired:1"),
                    one("c", fault="errored:invalid_request_error"),
                    one("d", fault="cut_off"),
                ),
                fault("results", "cut_at_line", lines=2, count=1),
                fault("list", "late", seconds=3600),
                *tasks(pack, submit, poll, collect),
                pauses_are_over,
                *tasks(sweep, collect, deliver),
                faults_are_over,
                *ROUND,
            ),
            {"a": DONE, "b": DONE, "c": ("failed",), "d": ("failed",)},
            shows="SELECT 1 FROM item HAVING sum(attempts) = 6",
        ),
        Scenario(
            "a culprit",
            (
                message(1, one("a"), one("b"), one("c", fault="reject"), one("d")),
                *tasks(pack, submit, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE, "c": ("failed",), "d": DONE},
            shows="SELECT 1 FROM batch WHERE state = 'failed'",
        ),
        Scenario(
            "the answer lost, found by its token",
            (
                message(1, one("a"), one("b")),
                *tasks(pack),
                stranger(2),
                fault("create", "lose_answer", count=1),
                *tasks(submit, sweep),
                stranger(2),
                *tasks(poll, submit, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE},
            shows="SELECT 1 FROM sighting HAVING count(*) = 3 AND count(*) FILTER (WHERE ours) = 1",
        ),
        Scenario(
            "never created, believed lost",
            (
                message(1, one("a"), one("b")),
                *tasks(pack),
                fault("create", "close_after_body", count=1),
                *tasks(submit),
                stranger(2),
                *tasks(poll),
                quiet_is_over,
                *tasks(poll, poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE},
            shows="SELECT 1 FROM submission WHERE state = 'lost'",
        ),
        Scenario(
            "listed too late, its successor not sent",
            (
                message(1, one("a")),
                fault("create", "lose_answer", count=1),
                *tasks(pack, submit),
                fault("list", "empty", count=1),
                quiet_is_over,
                *tasks(poll, poll),
                pauses_are_over,
                *tasks(submit, collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM submission HAVING count(*) = 1 AND bool_and(state = 'done')",
            doubles=1,
        ),
        Scenario(
            "listed too late, and sent again",
            (
                message(1, one("a")),
                fault("create", "lose_answer", count=1),
                *tasks(pack, submit),
                fault("list", "empty", count=1),
                quiet_is_over,
                *tasks(poll),
                pauses_are_over,
                *tasks(submit, poll, collect, poll, collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM bill HAVING count(*) = 2 AND count(*) FILTER (WHERE kept) = 1",
            doubles=1,
        ),
        Scenario(
            "held for money, and for a key",
            (
                message(1, one("a")),
                fault("create", "status", status=402, count=1, message="Pay first"),
                *tasks(pack, submit, poll),
                held_long_enough,
                *tasks(poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM submission WHERE state = 'void'",
        ),
        Scenario(
            "a key that comes late",
            (
                message(1, one("a")),
                *tasks(pack, submit, poll),
                the_key_is_there,
                held_long_enough,
                *tasks(poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE},
            settings={
                "lane": {"workspace": "two"},
                "workspaces": {"two": {"api_key_env": KEY_OF_TWO}},
            },
            shows="SELECT 1 FROM submission WHERE state = 'void'",
        ),
        Scenario(
            "turned down for now",
            (
                message(1, one("a")),
                fault("create", "status", status=429, count=1),
                *tasks(pack, submit),
                pauses_are_over,
                fault("create", "close_during_body", count=1),
                *tasks(submit),
                quiet_is_over,
                fault("list", "status", status=500, count=1),
                *tasks(poll, poll),
                pauses_are_over,
                *tasks(submit, poll),
                fault("results", "missing", count=1),
                *tasks(collect),
                pauses_are_over,
                *tasks(collect, deliver, sweep),
            ),
            {"a": DONE},
            shows="SELECT 1 FROM submission HAVING count(*) > 1",
        ),
        Scenario(
            "restored to a backup, and moved",
            (
                message(1, one("a"), one("b")),
                *tasks(pack, submit),
                restored_to_before_it_was_packed,
                message(2, one("c")),
                *tasks(sweep, pack, submit, poll),
                a_minute_later,
                *tasks(poll, collect, poll, submit, poll, collect, deliver, sweep),
            ),
            {"a": DONE, "b": DONE, "c": DONE},
            shows="SELECT 1 FROM submission HAVING count(*) = 2 AND bool_or(remembered)",
        ),
        Scenario(
            "taken back",
            (
                message(1, one("a"), one("b"), one("c"), one("d")),
                ask("cancel", lane="default", key="a"),
                *tasks(pack),
                ask("cancel", lane="default", key="b"),
                *tasks(submit),
                ask("cancel", lane="default", key="c"),
                *tasks(poll, collect, deliver, sweep),
                message(2, one("e")),
                *tasks(pack),
                ask("cancel", lane="default", key="e"),
                *tasks(submit, sweep),
            ),
            {
                "a": ("canceled",),
                "b": ("canceled",),
                "c": ("canceled", "succeeded"),
                "d": DONE,
                "e": ("canceled",),
            },
            shows="SELECT 1 FROM batch WHERE state = 'canceled'",
            canceled=("a", "b", "c", "e"),
        ),
        Scenario(
            "large bodies and answers",
            (
                message(1, *(large(key) for key in "abcdef")),
                *ROUND,
            ),
            dict.fromkeys("abcdef", DONE),
            shows="SELECT 1 FROM item WHERE state = 'succeeded' HAVING count(*) = 6",
        ),
        Scenario(
            "a broker that is away, and another",
            (
                message(
                    1,
                    one("a", told=callback("crm")),
                    one("b", told=callback("crm", broker="others")),
                    one("c"),
                ),
                *tasks(pack, submit, poll, collect),
                the_queue_is_no_list,
                *tasks(deliver),
                the_queue_is_a_list_again,
                pauses_are_over,
                *tasks(deliver, sweep),
            ),
            dict.fromkeys("abc", DONE),
            settings={"brokers": {"others": {"url": "sqla+sqlite:///{home}/broker.sqlite"}}},
            shows="SELECT 1 FROM delivery WHERE state = 'delivered' HAVING count(*) = 3",
        ),
        Scenario(
            "more outcomes than one push takes",
            (
                message(1, *(one(f"k{n}") for n in range(300))),
                message(2, *(one(f"k{n}") for n in range(300, 600))),
                *ROUND,
            ),
            {f"k{n}": DONE for n in range(600)},
            shows="SELECT 1 FROM delivery WHERE state = 'delivered' HAVING count(*) = 600",
        ),
        Scenario(
            "a result that never comes",
            (
                message(1, one("a", fault="missing"), one("b")),
                *tasks(pack, submit, poll),
                *(step for _ in range(10) for step in (*tasks(collect), pauses_are_over)),
                *tasks(deliver, sweep),
            ),
            {"a": ("failed",), "b": DONE},
            shows="SELECT 1 FROM outcome WHERE problem = 'given_up'",
            unseen=1,
        ),
    )
}
