"""A product that takes its outcomes slowly gets all of them, and its Redis never more than the limit set for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from overnight_models.embedded_urls import read_urls
from overnight_producers import Item, Overnight, task
from overnight_workers.stages.deliver.deliver import deliver
from tests.driving import Service, callback, item
from tests.faults.brokers import TheirRedis
from tests.faults.installed import Installed
from tests.faults.orders import MODEL
from tests.faults.products import Taker
from tests.waiting import wait_until

pytestmark = [pytest.mark.whole, pytest.mark.usefixtures("apart")]

FEW = 3000
MANY = 100_000
A_SECOND = 200
LIMIT = 10_000_000
TOML = """
[lanes.default]
max_items = 20000
max_wait = "1s"

[timing]
poll_every = "500ms"
sweep_every = "500ms"

[brokers.shop]
url = "{url}"
max_memory = "10MB"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[TheirRedis]:
    server = TheirRedis(tmp_path / "shop")
    yield server
    server.kill()


@pytest.mark.parametrize(("limit", "much"), [({"max_queue": 200}, ""), ({"max_memory": "10MB"}, "x" * 6000)])
def test_a_few_thousand(service: Service, shop: TheirRedis, limit: dict[str, Any], much: str) -> None:
    """Some 20 MB for a Redis that may have 10, or 3,000 for a queue that may have 200."""
    service.configure(brokers={"shop": {"url": shop.url, **limit}})
    where = callback(broker="shop", kwargs={"much": much})
    service.answered(*(item(f"k{n}", callback=where) for n in range(FEW)))
    deliver()  # to the limit, since nobody takes anything yet
    with Taker(shop.url, "shop", a_second=1500) as taker:
        while "due" in service.ledger.states("delivery"):
            deliver()
        wait_until(lambda: len(taker.taken) == FEW)
    assert len(set(taker.taken)) == FEW
    if "max_queue" in limit:
        assert 180 < taker.longest <= 200
    else:
        assert LIMIT * 0.7 < taker.most_memory <= LIMIT
    assert service.ledger.fetch_all("SELECT 1 FROM every_delivery WHERE tries <> 1") == [], "waiting is no try"


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_at_two_hundred_a_second(
    tmp_path_factory: pytest.TempPathFactory, shop: TheirRedis, report: Callable[[object], None]
) -> None:
    """In real processes, the whole way; some 9 minutes, in which nearly nothing happens."""
    overnight = Installed(tmp_path_factory.mktemp("pace"), TOML.format(url=shop.url))
    try:
        overnight.start()
        product = Overnight(read_urls(overnight.data_dir)["redis_url"])
        product.enqueue_confirmed(items(), run="pace", timeout=300)
        product.close()
        with Taker(shop.url, "shop", a_second=A_SECOND) as taker:
            wait_until(lambda: len(taker.taken) >= MANY, 1500, what=lambda: len(taker.taken))
        assert len(taker.taken) == len(set(taker.taken)) == MANY
        assert taker.most_memory <= LIMIT
        assert overnight.number("SELECT count(*) FROM every_delivery WHERE state <> 'delivered' OR tries <> 1") == 0
        report(
            {
                "outcomes": MANY,
                "longest queue": taker.longest,
                "most memory": taker.most_memory,
                "limit": LIMIT,
                "product idle for seconds": round(taker.hungry_s, 1),
                "rows rewritten each": overnight.number(
                    "SELECT round(sum(n_tup_upd)::numeric / %s, 2) FROM pg_stat_user_tables"
                    " WHERE relname LIKE 'delivery%%'",
                    MANY,
                ),
            }
        )
    finally:
        overnight.close()


def items() -> Iterator[Item]:
    done = task("shop.save", queue="shop", broker="shop")
    for number in range(MANY):
        text = f"Describe article {number} of a shop that takes its time"
        params = {"model": MODEL, "max_tokens": 256, "messages": [{"role": "user", "content": text}]}
        yield Item(key=f"pace-{number}", params=params, callback=done)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[object], None]:
    def show(numbers: object) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {numbers}")

    return show
