"""Products enqueue one item at a time while the processes that accept them are killed again and again."""

from __future__ import annotations

import random
import subprocess
import sys
import time

import psutil
import psycopg
import pytest

from tests.benchmarks.service import Service, running
from tests.waiting import wait_until

PRODUCTS, EACH = 20, 500
COMES_BACK_WITHIN_S = 120.0
"""Half a minute after a death kombu begins to put back, ten messages at a time."""


@pytest.mark.long
def test_every_item_is_accepted_once_though_its_workers_are_killed() -> None:
    with (
        running("[brokers.shop]\nurl = '{redis_url}'\n") as service,
        psycopg.connect(service.database_url, autocommit=True) as connection,
    ):

        def accepted() -> int:
            (row,) = connection.execute("SELECT count(*) FROM item")
            return int(row[0])

        words = ["tests.benchmarks.products", str(PRODUCTS), str(EACH), service.redis_url]
        with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL) as crowd:
            kills = 0
            while accepted() < PRODUCTS * EACH // 2:
                kills += _kill_one(service)
                time.sleep(0.5)  # the next one is to have something in its hands
            assert crowd.wait(60) == 0
        wait_until(lambda: accepted() == PRODUCTS * EACH, COMES_BACK_WITHIN_S)
        (row,) = connection.execute("SELECT count(*), sum((verdict::json ->> 'accepted')::int) FROM inbox")
    assert kills > 1
    assert row == (PRODUCTS * EACH, PRODUCTS * EACH)


def _kill_one(service: Service) -> int:
    children = psutil.Process(service.pids()["intake"]).children()
    if not children:
        return 0
    random.choice(children).kill()
    return 1
