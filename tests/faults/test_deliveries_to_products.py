"""Outcomes reach a real worker of a product: one that fails, that doesn't know the task yet, that can't answer."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from overnight_models.routes import ACKS_KEY
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item
from tests.faults.products import FAILS_ONCE, OTHER, RETRIES_ONCE, SAVE, product
from tests.servers import running_redis
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("apart")


def is_delivered(service: Service) -> bool:
    sweep()
    return set(service.ledger.states("delivery")) == {"delivered"}


def test_a_task_that_is_done_has_said_so(service: Service, tmp_path: Path) -> None:
    service.answered(*(item(f"k{n}", callback=callback(ack=True)) for n in range(20)))
    with product(tmp_path, SAVE, broker=service.redis_url, overnight=service.redis_url) as shop:
        deliver()
        wait_until(lambda: is_delivered(service))
    assert len(shop.came()) == len({outcome["id"] for outcome in shop.came()}) == 20


def test_a_task_that_failed_has_said_nothing_and_gets_it_again(service: Service, tmp_path: Path) -> None:
    service.answered(item("a", callback=callback(ack=True)))
    with product(tmp_path, FAILS_ONCE, broker=service.redis_url, overnight=service.redis_url) as shop:
        deliver()
        shop.wait_for(1)
        wait_until(lambda: b"its database is away" in shop.log.read_bytes())
        sweep()
        assert service.ledger.states("delivery") == ["awaiting_ack"]
        service.clock.patience_is_over()
        sweep()
        deliver()
        wait_until(lambda: is_delivered(service))
        first, second = shop.came()
    assert first == second


def test_a_task_that_put_itself_back_says_so_when_it_is_done(service: Service, tmp_path: Path) -> None:
    service.answered(item("a", callback=callback(ack=True)))
    with product(tmp_path, RETRIES_ONCE, broker=service.redis_url, overnight=service.redis_url) as shop:
        deliver()
        wait_until(lambda: is_delivered(service))
        assert len(shop.came()) == 2
    assert service.ledger.fetch_one("SELECT tries FROM every_delivery")["tries"] == 1


@pytest.mark.parametrize("ack", [True, False])
def test_a_worker_that_does_not_know_the_task_drops_it_and_only_an_acknowledgement_can_tell(
    service: Service, tmp_path: Path, ack: bool
) -> None:
    service.answered(item("a", callback=callback(ack=ack)))
    with product(tmp_path, OTHER, broker=service.redis_url, overnight=service.redis_url) as older:
        deliver()
        wait_until(lambda: b"Received unregistered task" in older.log.read_bytes())
        wait_until(lambda: service.queue() == [])
    sweep()
    assert service.ledger.states("delivery") == ["awaiting_ack" if ack else "delivered"]
    service.clock.patience_is_over()
    sweep()
    with product(tmp_path, SAVE, broker=service.redis_url, overnight=service.redis_url) as newer:
        assert deliver() == ("1 delivered" if ack else "0 delivered")
        if ack:
            wait_until(lambda: is_delivered(service))
    assert len(newer.came()) == ack


def test_where_overnights_redis_is_away_the_task_succeeds_and_comes_again(service: Service, tmp_path: Path) -> None:
    """The product has a broker of its own, so its work goes on."""
    with running_redis(tmp_path / "crm") as theirs:
        service.configure(brokers={"crm": {"url": theirs}})
        service.answered(item("a", callback=callback(broker="crm", ack=True)))
        with product(tmp_path, SAVE, broker=theirs, overnight="redis://127.0.0.1:1/0") as cut_off:
            deliver()
            cut_off.wait_for(1)
            wait_until(lambda: b"acknowledgements wait" in cut_off.log.read_bytes())
        assert b"Traceback" not in cut_off.log.read_bytes()
        with redis.Redis.from_url(service.redis_url) as client:
            assert client.llen(ACKS_KEY) == 0
        service.clock.patience_is_over()
        sweep()
        with product(tmp_path, SAVE, broker=theirs, overnight=service.redis_url) as back:
            deliver()
            wait_until(lambda: is_delivered(service))
            first, second = back.came()
        assert first == second
