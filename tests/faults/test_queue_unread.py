"""A product's worker that stops, with a Celery of its own: its queue is an alarm, and none when it goes on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from overnight_models.ledger.deliver import unread_queues
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.process import database
from overnight_workers.settings import settings
from overnight_workers.stages.deliver import queue_looks
from tests.driving import Service, callback, item
from tests.faults.products import SAVE, product
from tests.faults.rabbit import rabbit
from tests.waiting import wait_until

pytestmark = pytest.mark.whole


def unread() -> list[str]:
    """What the alarm says."""
    alarms = take_snapshot(database()).alarms(settings())
    return [alarm.text for alarm in alarms if alarm.kind == "queue unread"]


def minutes_pass_and_it_is_looked(service: Service) -> None:
    queue_looks.look()
    service.ledger.execute("UPDATE target SET oldest_since = oldest_since - interval '11 min'")
    queue_looks.look()


def is_read() -> bool:
    queue_looks.look()
    with database().transaction() as connection:
        return unread_queues.unread(connection) == []


def test_in_our_own_redis(service: Service, tmp_path: Path) -> None:
    def deliver(key: str) -> None:
        service.accept(item(key, callback=callback("shop")))
        service.finish()

    with product(tmp_path, SAVE, broker=service.redis_url, overnight=service.redis_url) as worker:
        deliver("a")
        worker.wait_for(1)
        minutes_pass_and_it_is_looked(service)
        assert unread() == []
    deliver("b")
    minutes_pass_and_it_is_looked(service)
    (alarm,) = unread()
    assert "Queue 'shop' of Overnight's own Redis: nobody has taken the oldest of 1 message for 11 min" in alarm
    with product(tmp_path, SAVE, broker=service.redis_url, overnight=service.redis_url) as worker:
        worker.wait_for(2)
        wait_until(is_read)
    assert unread() == []


APP = """
import sys
from celery import Celery
app = Celery("shop", broker=sys.argv[1])
@app.task(name="shop.save")
def save(outcome):
    pass
app.worker_main(["worker", "-Q", "shop", "-P", "solo", "--without-gossip", "--without-mingle", "-l", "WARNING"])
"""


@contextmanager
def listening(url: str) -> Iterator[None]:
    """A product's worker at that broker."""
    with subprocess.Popen([sys.executable, "-c", APP, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as it:
        try:
            yield
        finally:
            it.kill()


def test_in_a_rabbitmq(service: Service, tmp_path: Path) -> None:
    with rabbit(tmp_path / "rabbit") as url:
        service.configure(brokers={"crm": {"url": url}})
        service.accept(item("a", callback=callback("shop", broker="crm")))
        service.finish()
        minutes_pass_and_it_is_looked(service)
        (alarm,) = unread()
        assert "Queue 'shop' of broker crm: nobody has taken the oldest of 1 message for 11 min" in alarm
        with listening(url):
            wait_until(is_read)
            service.accept(item("b", callback=callback("shop", broker="crm")))
            service.finish()
            minutes_pass_and_it_is_looked(service)
            assert unread() == []
        service.accept(item("c", callback=callback("shop", broker="crm")))
        service.finish()
        minutes_pass_and_it_is_looked(service)
        assert unread(), "its worker has stopped"
