"""A product's broker down, slow, full, frozen, cut off, without the queue: nothing is lost, and no other waits."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection as KombuConnection

from overnight_models.ledger.deliver import deliver as ledger
from overnight_models.ledger.deliver import obstacles
from overnight_models.ledger.deliver.obstacles import Obstacle
from overnight_models.wire.acknowledgement import Acknowledgement
from overnight_workers import process
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item
from tests.faults.brokers import TheirRedis, Wire, deliverer, silent_server
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("apart")

Json = dict[str, Any]
CRM = "(SELECT id FROM target WHERE broker = 'crm')"


@pytest.fixture
def crm(service: Service, tmp_path: Path) -> Iterator[TheirRedis]:
    """A product's Redis, which the configuration knows as `crm`."""
    server = TheirRedis(tmp_path / "crm")
    service.configure(brokers={"crm": {"url": server.url}})
    yield server
    server.thaw()
    server.kill()


def due(service: Service, number: int = 1, *, also: bool = True, **more: Any) -> None:
    """So many are due at `crm`, and one in Overnight's own Redis."""
    items = [item(f"k{n}", callback=callback(broker="crm", **more)) for n in range(number)]
    service.answered(*items, *([item("own", callback=callback())] if also else []))


def rows(service: Service) -> list[Json]:
    """What a delivery's row would show had anybody touched it."""
    return service.ledger.fetch_all(
        f"SELECT item_id, xmin::text, tries, state FROM delivery WHERE target_id = {CRM} ORDER BY item_id"
    )


def away() -> list[Obstacle]:
    with process.database().transaction() as connection:
        return obstacles.unreachable_brokers(connection)


def full() -> list[Obstacle]:
    with process.database().transaction() as connection:
        return obstacles.full_queues(connection)


def ids(service: Service, crm: TheirRedis) -> list[str]:
    return [message["headers"]["id"] for message in service.queue(url=crm.url)]


def test_a_broker_that_is_down_and_up_again_touches_no_row_and_delays_no_other_broker(
    service: Service, crm: TheirRedis
) -> None:
    due(service, 400)
    before = rows(service)
    crm.kill()
    for _ in range(5):
        deliver()
        sweep()
        service.clock.pauses_are_over()
    assert rows(service) == before
    assert len(service.queue()) == 1
    (obstacle,) = away()
    assert (obstacle.broker, obstacle.failures) == ("crm", 5)
    assert "ConnectionError" in obstacle.why
    crm.start()
    assert deliver() == "400 delivered"
    assert len(set(ids(service, crm))) == 400
    assert away() == []


def test_a_frozen_broker_delays_the_others_by_seconds_and_costs_no_delivery_a_try(
    service: Service, crm: TheirRedis
) -> None:
    due(service, 50)
    before = rows(service)
    crm.freeze()
    began = time.monotonic()
    assert deliver() == "1 delivered"
    assert time.monotonic() - began < 60, "each would wait for two seconds"
    assert rows(service) == before
    assert "Timeout" in away()[0].why
    service.clock.pauses_last()
    assert deliver() == "0 delivered"
    assert [obstacle.failures for obstacle in away()] == [1], "in its pause nobody waits for it"
    crm.thaw()
    service.clock.pauses_are_over()
    assert deliver() == "50 delivered"
    assert len(ids(service, crm)) == 50


def test_a_broker_frozen_in_a_push_takes_what_was_believed_lost_when_it_thaws(
    service: Service, crm: TheirRedis
) -> None:
    due(service, 50, also=False)
    wire = Wire(crm.url, when_pushed=crm.freeze)
    service.configure(brokers={"crm": {"url": wire.url}})
    assert deliver() == "0 delivered"
    assert set(counted(service)) == {("due", 1)}
    assert "Timeout" in service.ledger.fetch_all("SELECT error FROM every_delivery")[0]["error"]
    crm.thaw()
    wait_until(lambda: len(ids(service, crm)) == 50)
    service.clock.pauses_are_over()
    assert deliver() == "50 delivered"
    assert len(ids(service, crm)) == 100
    assert len(set(ids(service, crm))) == 50, "sent twice, with the same delivery ids"
    wire.close()


@pytest.mark.parametrize("passing", [0, 1, 2])
def test_a_push_that_raised_and_was_taken_all_the_same_is_repeated_with_the_same_ids(
    service: Service, crm: TheirRedis, passing: int
) -> None:
    """Of 1,200 in three pushes: what was taken before is done, what was under way counts a try, the rest doesn't."""
    due(service, 1200)
    wire = Wire(crm.url, when_taken=lambda: None, passing=passing)
    service.configure(brokers={"crm": {"url": wire.url}})
    deliver()
    pushes = [500, 500, 200]
    taken, unsure, left = sum(pushes[:passing]), pushes[passing], sum(pushes[passing + 1 :])
    assert len(ids(service, crm)) == taken + unsure
    assert counted(service) == {
        state: number
        for state, number in {("delivered", 1): taken, ("due", 1): unsure, ("due", 0): left}.items()
        if number
    }
    service.clock.pauses_are_over()
    assert deliver() == f"{unsure + left} delivered"
    assert len(ids(service, crm)) == 1200 + unsure
    assert len(set(ids(service, crm))) == 1200
    wire.close()


def counted(service: Service) -> dict[tuple[str, int], int]:
    """How many are in which state after how many tries."""
    rows = service.ledger.fetch_all(
        f"SELECT state, tries, count(*) AS n FROM every_delivery WHERE target_id = {CRM} GROUP BY state, tries"
    )
    return {(row["state"], row["tries"]): row["n"] for row in rows}


def test_a_slow_broker_gets_every_delivery(service: Service, crm: TheirRedis) -> None:
    due(service, 50, also=False)
    with crm.client() as client:
        client.client_pause(1000)
    assert deliver() == "50 delivered"


def test_a_broker_slower_than_the_timeout_counts_as_away_for_a_moment(service: Service, crm: TheirRedis) -> None:
    due(service, 50)
    before = rows(service)
    with crm.client() as client:
        client.client_pause(3000)
    assert deliver() == "1 delivered"
    assert rows(service) == before
    with crm.client() as client:
        client.ping()  # answered when the pause is over
    service.clock.pauses_are_over()
    assert deliver() == "50 delivered"


def test_a_broker_that_takes_no_writes_is_away_and_its_deliveries_lose_no_try(
    service: Service, crm: TheirRedis
) -> None:
    due(service, 50)
    crm.set(min_replicas_to_write=1)
    deliver()
    assert set(counted(service)) == {("due", 0)}
    assert "NOREPLICAS" in away()[0].why
    for _ in range(3):
        service.clock.pauses_are_over()
        deliver()
    assert away()[0].failures == 4, "it answers each look, and that is no reason to try it more often"
    crm.set(min_replicas_to_write=0)
    service.clock.pauses_are_over()
    assert deliver() == "50 delivered"


def test_a_broker_that_wants_a_password_is_away(service: Service, crm: TheirRedis) -> None:
    service.configure(brokers={"crm": {"url": crm.url.replace("redis://:", "redis://:wrong")}})
    due(service, 5)
    before = rows(service)
    assert deliver() == "1 delivered"
    assert rows(service) == before
    assert "Authentication" in away()[0].why


def test_a_redis_whose_memory_is_nearly_used_up_is_left_its_last_tenth(service: Service, crm: TheirRedis) -> None:
    due(service, 400)
    maxmemory = crm.used + 3_000_000
    crm.set(maxmemory=maxmemory)
    delivered = -1  # beside the one in Overnight's own Redis
    while more := int(deliver().split()[0]):  # again when its Redis frees the buffers of what it was sent
        delivered += more
        assert crm.used < 0.9 * maxmemory
    assert 0 < delivered < 400
    assert {row["tries"] for row in rows(service) if row["state"] == "due"} == {0}
    assert f"deliveries stop before {maxmemory * 9 // 10:,}" in full()[0].why
    crm.set(maxmemory=0)
    assert deliver() == f"{400 - delivered} delivered"
    assert full() == []


def test_a_redis_that_refuses_for_want_of_memory_costs_no_try(service: Service, crm: TheirRedis) -> None:
    """One that may evict, and has nothing that it may: its memory says nothing before it refuses."""
    due(service, 400)
    crm.set(maxmemory_policy="volatile-lru", maxmemory=crm.used)
    assert deliver() == "1 delivered"
    assert set(counted(service)) == {("due", 0)}
    assert "Full: command not allowed when used memory" in full()[0].why
    assert away() == []
    crm.set(maxmemory=0)
    assert deliver() == "400 delivered"


def test_a_missing_queue_of_a_broker_is_created(service: Service, crm: TheirRedis) -> None:
    """On a Redis a queue is a list: one that nobody reads fills up to `max_queue`, and then deliveries wait."""
    service.configure(brokers={"crm": {"url": crm.url, "max_queue": 20}})
    due(service, 50, queue="typo")
    deliver()
    assert len(service.queue("typo", crm.url)) == 20
    assert len(service.queue()) == 1
    (obstacle,) = full()
    assert (obstacle.broker, obstacle.queue) == ("crm", "typo")
    assert "20 messages; max_queue is 20" in obstacle.why


def test_a_missing_queue_of_a_kombu_broker_is_declared(service: Service) -> None:
    service.configure(brokers={"crm": {"url": "memory://", "max_queue": 3}})
    due(service, 5, queue="never-declared", ack=True)
    assert deliver() == "4 delivered"
    assert service.ledger.states("delivery").count("awaiting_ack") == 3
    with KombuConnection("memory://") as theirs:
        declared: Any = theirs.default_channel.queue_declare("never-declared", passive=True)  # type: ignore[attr-defined]
        assert declared.message_count == 3
        message: Any = theirs.default_channel.basic_get("never-declared", no_ack=True)  # type: ignore[attr-defined]
        assert message.headers["task"] == "shop.save"
        assert Acknowledgement.read(message.headers["overnight_ack"].encode()) is not None
    assert full()[0].queue == "never-declared"


@pytest.mark.parametrize("kind", ["redis", "amqp"])
def test_a_server_that_accepts_connections_and_says_nothing_stalls_no_other(service: Service, kind: str) -> None:
    with silent_server() as address:
        service.configure(brokers={"crm": {"url": f"{kind}://{address}/"}})
        due(service, 50)
        before = rows(service)
        began = time.monotonic()
        assert deliver() == "1 delivered"
        assert time.monotonic() - began < 60, "each would wait for two seconds"
        assert rows(service) == before
        assert away()[0].broker == "crm"


def test_a_broker_that_stays_away_ends_in_visible_dead_letters(service: Service, crm: TheirRedis) -> None:
    due(service, 30)
    crm.kill()
    deliver()
    service.ledger.execute("UPDATE delivery SET due_at = now() - interval '3 days 1 minute' WHERE state = 'due'")
    sweep()
    assert "dead" not in service.ledger.states("delivery"), "its deliverers may have been down until now"
    service.ledger.execute(
        "UPDATE obstacle SET since = now() - interval '3 days 1 minute', seen_at = now() - interval '1 hour'"
    )
    housekeeping(service)
    assert "dead" not in service.ledger.states("delivery"), "nobody has looked for an hour"
    service.ledger.execute("UPDATE obstacle SET seen_at = now()")
    housekeeping(service)
    assert service.ledger.states("delivery").count("dead") == 30
    row = service.ledger.fetch_one("SELECT DISTINCT error, tries FROM delivery WHERE state = 'dead'")
    assert row["error"].startswith("given up after waiting for too long: broker 'crm': ConnectionError")
    assert row["tries"] == 0
    housekeeping(service)
    assert away() == [], "nothing waits for it any more"


def test_lanes_differ_in_patience(service: Service, crm: TheirRedis) -> None:
    service.configure(brokers={"crm": {"url": crm.url}}, lanes={"quick": {"deliver_for": "1h", "max_wait": "0s"}})
    crm.kill()
    service.accept(item("a", callback=callback(broker="crm")))
    service.accept(item("b", callback=callback(broker="crm")), lane="quick")
    service.round()
    deliver()
    service.ledger.execute("UPDATE delivery SET due_at = now() - interval '2 hours'")
    service.ledger.execute("UPDATE obstacle SET since = now() - interval '2 hours'")
    housekeeping(service)
    assert service.ledger.states("delivery") == ["due", "dead"]


def housekeeping(service: Service) -> None:
    """What the sweep does once a minute."""
    service.restart()
    sweep()


def test_a_deliverer_killed_between_sending_and_recording_sends_again_with_the_same_ids(
    service: Service, crm: TheirRedis
) -> None:
    due(service, 300)
    killed = threading.Event()

    def kill() -> None:
        sender.send_signal(signal.SIGKILL)
        killed.set()

    wire = Wire(crm.url, when_taken=kill)
    service.configure(brokers={"crm": {"url": wire.url}})
    sender = deliverer()
    assert killed.wait(60)
    assert sender.wait(60) == -signal.SIGKILL
    assert len(ids(service, crm)) == 300
    assert set(counted(service)) == {("sending", 1)}
    sweep()
    assert {row["state"] for row in rows(service)} == {"sending"}, "its claim has not run out"
    service.clock.leases_lapse()
    sweep()
    assert (
        "deliverer died" in service.ledger.fetch_all(f"SELECT error FROM delivery WHERE target_id = {CRM}")[0]["error"]
    )
    deliver()
    assert (len(ids(service, crm)), len(set(ids(service, crm)))) == (600, 300)
    assert set(service.ledger.states("delivery")) == {"delivered"}
    wire.close()


def test_what_another_deliverer_is_sending_takes_up_room(service: Service, crm: TheirRedis) -> None:
    service.configure(brokers={"crm": {"url": crm.url, "max_queue": 70}})
    due(service, 100, also=False)
    with service.other_process().transaction() as other:
        (target,) = ledger.targets(other)
        theirs = ledger.claim(other, target, limit=30, lease_s=60)
    assert deliver() == "40 delivered"
    assert counted(service) == {("delivered", 1): 40, ("sending", 1): 30, ("due", 0): 30}
    with service.other_process().transaction() as other:
        ledger.release(other, theirs)
    assert deliver() == "30 delivered"
    assert len(ids(service, crm)) == 70


def test_two_deliverers_at_once_send_each_once_and_together_no_more_than_there_is_room_for(
    service: Service, crm: TheirRedis
) -> None:
    due(service, 3000, also=False)
    for max_queue in (700, 100_000):
        service.configure(brokers={"crm": {"url": crm.url, "max_queue": max_queue}})
        two = [deliverer(), deliverer()]
        assert [deliverer.wait(60) for deliverer in two] == [0, 0]
        assert len(ids(service, crm)) <= max_queue
    assert counted(service) == {("delivered", 1): 3000}
    assert len(ids(service, crm)) == len(set(ids(service, crm))) == 3000
