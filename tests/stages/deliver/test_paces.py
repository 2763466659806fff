"""A product that takes so many outcomes a second, or only at some hours, gets no more, and loses none."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from overnight_models import crash_points
from overnight_models.ledger.deliver import pace
from overnight_models.ledger.deliver.pace import Pace
from overnight_workers import process
from overnight_workers.settings import settings
from overnight_workers.stages.deliver.deliver import deliver
from tests.driving import Service, callback, item


def window(opens_in: timedelta) -> str:
    """An hour of the day, from so long from now on."""
    opens = datetime.now(UTC) + opens_in
    return f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M} UTC"


def states(service: Service) -> dict[str, int]:
    """How many deliveries are in each state."""
    found = service.ledger.states("delivery")
    return {state: found.count(state) for state in set(found)}


def accept(service: Service, number: int) -> None:
    """So many items have their answer."""
    service.accept(*(item(f"k{n}", callback=callback(broker="crm")) for n in range(number)))
    service.round()


def test_a_broker_gets_no_more_a_second_than_it_takes(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "max_per_second": 2}})
    accept(service, 20)
    assert states(service) == {"due": 20}
    assert deliver() == "6 delivered"
    service.ledger.execute("UPDATE target SET next_at = next_at - interval '2 s'")
    assert deliver() in ("4 delivered", "5 delivered")
    assert len(service.queue()) in (10, 11)


def test_a_slow_product_gets_its_seconds_once_in_a_run_and_the_rest_at_the_next_sweep(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "max_per_second": 20}})
    accept(service, 150)
    assert deliver() == "60 delivered"
    assert states(service) == {"delivered": 60, "due": 90}


def test_hours_that_end_while_a_deliverer_is_at_work_end_for_it_too(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = {"url": service.redis_url, "window": window(timedelta(minutes=-5))}
    service.configure(brokers={"crm": hours})
    queues = ("a", "b", "c")
    service.accept(*(item(queue, callback=callback(queue, broker="crm")) for queue in queues))
    service.round()

    def night_falls(point: str) -> None:
        if point == "after publish":
            closed = {"crm": hours | {"window": window(timedelta(hours=2))}}
            monkeypatch.setenv("OVERNIGHT_BROKERS", json.dumps(closed))
            settings.cache_clear()

    monkeypatch.setattr(crash_points, "armed", night_falls)
    assert deliver() == "1 delivered"
    assert states(service) == {"delivered": 1, "due": 2}


def test_outcomes_wait_for_the_hours_at_which_they_are_taken(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "window": window(timedelta(hours=2))}})
    accept(service, 3)
    assert deliver() == "0 delivered"
    assert states(service) == {"due": 3}
    assert service.ledger.fetch_all("SELECT * FROM obstacle") == []
    service.configure(brokers={"crm": {"url": service.redis_url, "window": window(timedelta(minutes=-5))}})
    assert deliver() == "3 delivered"


@pytest.mark.parametrize(("per_second", "at_once", "most"), [(100.0, 1, 300), (0.5, 1, 1), (10.0, 500, 500)])
def test_what_is_saved_up_is_bounded(service: Service, per_second: float, at_once: int, most: int) -> None:
    number = process.names().target("", "shop")
    rate = Pace.of(per_second, burst_s=3.0, at_once=at_once)
    with process.database().transaction() as connection:
        assert pace.allowance(connection, number, rate) == most
        pace.spend(connection, number, rate, most)
    with process.database().transaction() as connection:
        assert pace.allowance(connection, number, rate) < most / 2
