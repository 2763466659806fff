"""Replay: what was given up, or what a product has lost, is sent again with the same delivery id, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import redis
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.deliver.replay import replay as replay_group
from overnight_models.routes import ACKS_KEY
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item

pytestmark = pytest.mark.usefixtures("apart")

Replay = Callable[..., int]


@pytest.fixture
def replay(service: Service) -> Replay:
    """`overnight replay`; how many it says are due again."""

    def run(*words: str) -> int:
        done = CliRunner().invoke(app, ["replay", "--json", *words])
        assert done.exit_code == 0, done.output
        return int(json.loads(done.output)["replayed"])

    return run


def dead(service: Service, *keys: str, lane: str = "default", run: str | None = None, **more: object) -> None:
    """These were given up."""
    service.accept(*(item(key, callback=callback(**more)) for key in keys), lane=lane, run=run)
    service.round()
    service.ledger.execute("UPDATE delivery SET state = 'dead', tries = 12, error = 'given up' WHERE state = 'due'")


def delivered(service: Service, *keys: str) -> None:
    service.answered(*(item(key, callback=callback()) for key in keys))
    deliver()


def sent(service: Service) -> list[tuple[str, int]]:
    """Delivery id and generation of what came, in its order."""
    return [(m["headers"]["id"], m["headers"]["overnight_generation"]) for m in service.queue()[::-1]]


def test_the_dead_come_again_with_their_tries_counted_anew(service: Service, replay: Replay) -> None:
    dead(service, "a", "b")
    assert replay() == 2
    rows = service.ledger.fetch_all("SELECT state, tries, error, generation FROM every_delivery")
    assert rows == [{"state": "due", "tries": 0, "error": None, "generation": 1}] * 2
    assert deliver() == "2 delivered"
    assert replay() == 0


def test_the_delivered_come_again_with_the_same_id_in_the_next_generation(service: Service, replay: Replay) -> None:
    delivered(service, "a")
    dead(service, "b")
    assert replay("--delivered", "--all") == 1
    deliver()
    (first, again) = sent(service)
    assert first[0] == again[0]
    assert (first[1], again[1]) == (0, 1)
    assert service.ledger.states("delivery") == ["delivered", "dead"]


def test_the_delivered_of_one_queue_come_again_also_where_they_have_no_row(service: Service, replay: Replay) -> None:
    service.answered(item("a", callback=callback()), item("b", callback=callback("copies")))
    deliver()
    assert replay("--delivered", "--queue", "copies") == 1
    due = service.ledger.fetch_all("SELECT item_id FROM delivery WHERE state = 'due'")
    assert due == [{"item_id": service.ledger.item("b")["id"]}]


def test_what_is_under_way_is_left_alone(service: Service, replay: Replay) -> None:
    service.answered(*(item(key, callback=callback(ack=True)) for key in "abc"))
    for key, state in (("a", "due"), ("b", "sending"), ("c", "awaiting_ack")):
        service.ledger.execute(
            "UPDATE delivery SET state = %s WHERE item_id = %s", state, service.ledger.item(key)["id"]
        )
    assert replay() == replay("--delivered", "--all") == 0
    assert service.ledger.states("delivery") == ["due", "sending", "awaiting_ack"]


def test_an_acknowledgement_from_before_the_replay_is_none_for_what_was_sent_after_it(
    service: Service, replay: Replay
) -> None:
    dead(service, "a", ack=True)
    service.ledger.execute("UPDATE delivery SET state = 'due', tries = 0")
    deliver()
    with redis.Redis.from_url(service.redis_url) as client:
        old = service.queue()[0]["headers"]["overnight_ack"]
        service.ledger.execute("UPDATE delivery SET state = 'dead'")
        assert replay() == 1
        deliver()
        client.lpush(ACKS_KEY, old)
        sweep()
        assert service.ledger.states("delivery") == ["awaiting_ack"]
        client.lpush(ACKS_KEY, service.queue()[0]["headers"]["overnight_ack"])
        sweep()
    assert service.ledger.states("delivery") == ["delivered"]


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        (("--lane", "default"), "ab"),
        (("--lane", "other"), "c"),
        (("--run", "r"), "b"),
        (("--queue", "shop"), "ab"),
        (("--queue", "copies", "--lane", "other"), "c"),
        (("--queue", "copies", "--run", "r"), ""),
        (("--key", "a"), "a"),
        (("--since", "1h"), "bc"),
        (("--since", "2100-01-01"), ""),
        (("--lane", "default", "--since", "1h"), "b"),
        (("--run", "r", "--key", "a"), ""),
        ((), "abc"),
    ],
)
def test_only_what_was_asked_for(service: Service, replay: Replay, words: tuple[str, ...], keys: str) -> None:
    service.configure(lanes={"other": {"max_wait": "0s"}})
    dead(service, "a")
    dead(service, "b", run="r")
    dead(service, "c", lane="other", queue="copies")
    service.ledger.execute(
        "UPDATE outcome SET finished_at = now() - interval '2 hours' WHERE item_id = %s", service.ledger.item("a")["id"]
    )
    assert replay(*words) == len(keys)
    rows = service.ledger.fetch_all("SELECT item_id FROM delivery WHERE state = 'due'")
    assert {row["item_id"] for row in rows} == {service.ledger.item(key)["id"] for key in keys}


def test_group_by_group_each_is_met_once_even_if_it_is_delivered_again_meanwhile(service: Service) -> None:
    delivered(service, *(f"k{n}" for n in range(10)))
    replayed = last = 0
    while True:
        with process.database().transaction() as connection:
            number, last = replay_group(connection, Replayed("delivered"), after=last, until=10_000, limit=3)
        deliver()
        replayed += number
        if not last:
            break
    assert replayed == 10
    assert service.ledger.fetch_one("SELECT min(generation), max(generation) FROM delivery") == {"min": 1, "max": 1}


def test_all_that_was_ever_delivered_is_sent_again_only_when_that_is_said(service: Service) -> None:
    delivered(service, "a")
    refused = CliRunner().invoke(app, ["replay", "--delivered"])
    assert isinstance(refused.exception, PermanentError)
    assert "--all" in str(refused.exception)
    assert service.ledger.states("delivery") == ["delivered"]


def test_a_moment_that_is_none_is_refused(service: Service) -> None:
    refused = CliRunner().invoke(app, ["replay", "--since", "yesterday"])
    assert isinstance(refused.exception, PermanentError)
    assert "yesterday" in str(refused.exception)


def test_a_person_is_told_in_a_sentence(service: Service) -> None:
    dead(service, "a")
    said = ("1 dead delivery; nothing is paid again", "1 dead delivery is due again", "")
    assert CliRunner().invoke(app, ["replay"]).output == "\n".join(said)
