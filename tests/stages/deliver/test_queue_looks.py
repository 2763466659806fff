"""A product's queue that nobody reads is seen by its oldest message; one that is read, however slowly, isn't."""

from __future__ import annotations

import redis

from overnight_models.ledger.deliver import unread_queues
from overnight_models.ledger.operators.troubles import troubles
from overnight_workers.process import database
from overnight_workers.stages.deliver import brokers, queue_looks
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item


def unread() -> dict[str, int]:
    """Messages of queues that have some, by name."""
    with database().transaction() as connection:
        return {queue_.queue: queue_.messages for queue_ in troubles(connection).unread_queues}


def minutes_pass(service: Service, minutes: int) -> None:
    service.ledger.execute(f"UPDATE target SET oldest_since = oldest_since - interval '{minutes} min'")


def unread_s(queue: str) -> float:
    with database().transaction() as connection:
        (age_s,) = [queue_.unread_s for queue_ in unread_queues.unread(connection) if queue_.queue == queue]
        return age_s


def delivered(service: Service, *keys: str, queue: str = "shop") -> None:
    service.accept(*(item(key, callback=callback(queue)) for key in keys))
    service.finish()


def test_with_nobody_who_reads_its_oldest_message_grows_old_though_nothing_more_comes(service: Service) -> None:
    delivered(service, "a", "b")
    queue_looks.look()
    minutes_pass(service, 11)
    queue_looks.look()
    assert unread() == {"shop": 2}
    assert unread_s("shop") > 600


def test_whoever_takes_one_message_begins_the_time_anew(service: Service) -> None:
    delivered(service, "a", "b")
    queue_looks.look()
    minutes_pass(service, 11)
    with redis.Redis.from_url(service.redis_url) as client:
        client.rpop("shop")  # as a worker takes it: the oldest
    queue_looks.look()
    assert unread_s("shop") < 60


def test_more_messages_begin_nothing_anew(service: Service) -> None:
    delivered(service, "a")
    queue_looks.look()
    minutes_pass(service, 11)
    delivered(service, "b")
    queue_looks.look()
    assert unread_s("shop") > 600


def test_an_empty_queue_is_not_unread(service: Service) -> None:
    delivered(service, "a")
    queue_looks.look()
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("shop")
    queue_looks.look()
    assert unread() == {}


def test_all_queues_of_a_broker_are_asked_in_one_round_trip(service: Service) -> None:
    for queue in ("shop", "crm", "nobody"):
        delivered(service, f"for {queue}", queue=queue)
    with redis.Redis.from_url(service.redis_url) as client:
        queue_looks.look()  # connects
        before = client.info("commandstats")
        queue_looks.look()
        after = client.info("commandstats")
    asked = {
        name: after[f"cmdstat_{name}"]["calls"] - before[f"cmdstat_{name}"]["calls"] for name in ("llen", "lindex")
    }
    assert asked == {"llen": 3, "lindex": 3}
    assert unread() == {"shop": 1, "crm": 1, "nobody": 1}


def test_a_broker_that_is_away_keeps_no_other_from_being_looked_at(service: Service) -> None:
    service.configure(brokers={"gone": {"url": "redis://127.0.0.1:1/0"}})
    delivered(service, "a")
    service.accept(item("b", callback=callback("theirs", broker="gone")))
    service.round()
    queue_looks.look()
    assert unread() == {"shop": 1}


def test_the_sweep_looks(service: Service) -> None:
    delivered(service, "a")
    sweep()
    assert unread() == {"shop": 1}


def test_a_broker_that_says_nothing_of_listeners_is_not_judged(service: Service) -> None:
    service.configure(brokers={"memory": {"url": "memory://"}})
    assert brokers.broker("memory").look(["shop"]) == {}
