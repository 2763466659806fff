"""Acknowledgements: a callback that asked for it is sent again until it has answered, and an answer always counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from overnight_models.ledger.database import DatabaseUnavailable
from overnight_models.routes import ACKS_KEY
from overnight_models.wire.acknowledgement import Acknowledgement
from overnight_workers.stages.deliver.acknowledge import drain
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item

pytestmark = pytest.mark.usefixtures("apart")


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def sent(service: Service, *keys: str) -> list[str]:
    """These were sent; what their messages want to hear, in the order of the keys."""
    service.answered(*(item(key, callback=callback(ack=True)) for key in keys))
    deliver()
    return words(service)[::-1]


def words(service: Service) -> list[str]:
    """What the waiting messages want to hear, the newest first."""
    return [message["headers"]["overnight_ack"] for message in service.queue()]


def ids(service: Service) -> set[str]:
    return {message["headers"]["id"] for message in service.queue()}


def test_it_is_delivered_when_its_callback_says_so_and_not_when_its_broker_took_it(
    service: Service, client: redis.Redis
) -> None:
    (word,) = sent(service, "a")
    sweep()
    assert service.ledger.states("delivery") == ["awaiting_ack"]
    client.lpush(ACKS_KEY, word)
    sweep()
    assert service.ledger.states("delivery") == ["delivered"]
    assert client.llen(ACKS_KEY) == 0


def test_one_that_asks_for_nothing_is_not_asked(service: Service) -> None:
    service.answered(item("a", callback=callback()), item("b", callback=callback(ack=False)))
    deliver()
    assert service.ledger.states("delivery") == ["delivered"] * 2
    assert not any("overnight_ack" in message["headers"] for message in service.queue())


def test_both_kinds_go_in_one_group(service: Service, client: redis.Redis) -> None:
    service.answered(*(item(f"k{n}", callback=callback(ack=n % 2 == 0)) for n in range(6)))
    assert deliver() == "6 delivered"
    assert service.ledger.states("delivery") == ["awaiting_ack", "delivered"] * 3
    client.lpush(ACKS_KEY, *(m["headers"]["overnight_ack"] for m in service.queue() if "overnight_ack" in m["headers"]))
    sweep()
    assert service.ledger.states("delivery") == ["delivered"] * 6


def test_each_lane_has_its_own_patience(service: Service) -> None:
    service.configure(lane={"ack_within": "1h"}, lanes={"quick": {"ack_within": "30s", "max_wait": "0s"}})
    service.accept(item("a", callback=callback(ack=True)))
    service.accept(item("b", callback=callback(ack=True)), lane="quick")
    service.finish()
    patience = service.ledger.fetch_all(
        "SELECT extract(epoch FROM due_at - now())::float AS s FROM every_delivery ORDER BY item_id"
    )
    assert [round(row["s"], -1) for row in patience] == [3600, 30]


def test_silence_brings_it_again_with_the_same_delivery_id(service: Service, client: redis.Redis) -> None:
    sent(service, "a")
    service.clock.patience_is_over()
    sweep()
    row = service.ledger.fetch_one("SELECT state, tries, error FROM every_delivery")
    assert (row["state"], row["tries"]) == ("due", 1)
    assert "never acknowledged" in row["error"]
    deliver()
    assert (len(service.queue()), len(ids(service))) == (2, 1)
    assert service.ledger.fetch_one("SELECT state, tries FROM every_delivery") == {"state": "awaiting_ack", "tries": 2}
    client.lpush(ACKS_KEY, words(service)[0])
    sweep()
    assert service.ledger.fetch_one("SELECT state, error FROM every_delivery") == {"state": "delivered", "error": None}


def test_silence_for_ever_ends_dead_and_visible(service: Service) -> None:
    service.configure(lane={"max_deliveries": 3})
    sent(service, "a")
    for _ in range(3):
        service.clock.patience_is_over()
        sweep()
        deliver()
    row = service.ledger.fetch_one("SELECT state, tries, error FROM every_delivery")
    assert (row["state"], row["tries"]) == ("dead", 3)
    assert "never acknowledged" in row["error"]
    assert len(service.queue()) == 3


def test_late_when_it_is_due_again(service: Service, client: redis.Redis) -> None:
    (word,) = sent(service, "a")
    service.clock.patience_is_over()
    sweep()
    assert service.ledger.states("delivery") == ["due"]
    client.lpush(ACKS_KEY, word)
    sweep()
    assert service.ledger.states("delivery") == ["delivered"]
    assert deliver() == "0 delivered"


def test_late_when_it_is_being_sent_again(service: Service, client: redis.Redis) -> None:
    (word,) = sent(service, "a")
    service.ledger.execute("UPDATE delivery SET state = 'sending', due_at = now() + interval '1 min'")
    client.lpush(ACKS_KEY, word)
    sweep()
    assert service.ledger.states("delivery") == ["delivered"]


def test_late_when_it_was_given_up(service: Service, client: redis.Redis) -> None:
    service.configure(lane={"max_deliveries": 1})
    (word,) = sent(service, "a")
    service.clock.patience_is_over()
    sweep()
    assert service.ledger.states("delivery") == ["dead"]
    client.lpush(ACKS_KEY, word)
    sweep()
    assert service.ledger.fetch_one("SELECT state, error FROM every_delivery") == {"state": "delivered", "error": None}


def test_in_time_but_read_only_when_the_time_is_over(service: Service, client: redis.Redis) -> None:
    (word,) = sent(service, "a")
    client.lpush(ACKS_KEY, word)
    service.clock.patience_is_over()
    sweep()
    assert service.ledger.states("delivery") == ["delivered"]
    assert len(service.queue()) == 1


def test_twice_is_as_once(service: Service, client: redis.Redis) -> None:
    a, b = sent(service, "a", "b")
    client.lpush(ACKS_KEY, a, a, b)
    assert drain() == 2
    client.lpush(ACKS_KEY, a)
    assert drain() == 0
    assert service.ledger.states("delivery") == ["delivered"] * 2


def test_of_an_older_generation_it_does_not_count_for_the_newer(service: Service, client: redis.Redis) -> None:
    (old,) = sent(service, "a")
    service.ledger.execute("UPDATE delivery SET state = 'due', due_at = now(), generation = generation + 1")
    client.lpush(ACKS_KEY, old)
    assert drain() == 0
    deliver()
    client.lpush(ACKS_KEY, old)
    assert drain() == 0
    assert service.ledger.states("delivery") == ["awaiting_ack"]
    client.lpush(ACKS_KEY, words(service)[0])
    assert drain() == 1
    assert len(ids(service)) == 1


def test_of_an_item_that_a_restored_database_gave_its_number_anew_it_does_not_count(
    service: Service, client: redis.Redis
) -> None:
    (word,) = sent(service, "a")
    service.ledger.execute("UPDATE request SET receipt = gen_random_uuid()")
    client.lpush(ACKS_KEY, word)
    assert drain() == 0
    assert service.ledger.states("delivery") == ["awaiting_ack"]


def test_lost_with_all_of_redis_it_is_sent_again(service: Service, client: redis.Redis) -> None:
    (word,) = sent(service, "a")
    client.lpush(ACKS_KEY, word)
    client.flushall()
    sweep()
    assert service.ledger.states("delivery") == ["awaiting_ack"]
    service.clock.patience_is_over()
    sweep()
    deliver()
    assert words(service) == [word]


@pytest.mark.parametrize(
    "nonsense", [b"", b"\xff", b"a.b.c", b"1.2", b"99999999999999999999.0.x", b"{}", b"1.40000." + b"0" * 32]
)
def test_nonsense_in_the_list_keeps_nothing_else_from_being_recorded(
    service: Service, client: redis.Redis, nonsense: bytes
) -> None:
    a, b = sent(service, "a", "b")
    client.lpush(ACKS_KEY, a, nonsense, b)
    assert drain() == 2


def test_one_of_nobody_changes_nothing(service: Service, client: redis.Redis) -> None:
    (word,) = sent(service, "a")
    read = Acknowledgement.read(word.encode())
    assert read is not None
    client.lpush(ACKS_KEY, Acknowledgement(read.item_id + 1, 0, read.receipt).write())
    assert drain() == 0


def test_while_postgres_is_away_they_stay_where_they_are(
    service: Service, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = sent(service, "a", "b")
    client.lpush(ACKS_KEY, a, b)
    with monkeypatch.context() as context:
        context.setenv("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
        service.restart()
        with pytest.raises(DatabaseUnavailable):
            drain()
    service.restart()
    assert drain() == 2


def test_what_kills_its_deliverer_each_time_ends_dead(service: Service) -> None:
    service.configure(lane={"max_deliveries": 2})
    service.answered(item("a", callback=callback()))
    service.ledger.execute("UPDATE delivery SET state = 'sending', tries = 1, due_at = now()")
    sweep()
    assert service.ledger.states("delivery") == ["due"]
    service.ledger.execute("UPDATE delivery SET state = 'sending', tries = 2, due_at = now()")
    sweep()
    row = service.ledger.fetch_one("SELECT state, error FROM every_delivery")
    assert row["state"] == "dead"
    assert "deliverer died" in row["error"]
