"""The report of a run goes to a callback whose broker is a RabbitMQ, also after that was away when the run ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from kombu import Connection

from overnight_workers.catalogs.report import sending
from tests.driving import Service
from tests.faults.rabbit import rabbit
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_reports import report
from tests.stages.product.conftest import answering, taking_in

pytestmark = pytest.mark.whole


@pytest.fixture
def catalog(service: Service, tmp_path: Path) -> Iterator[Enriched]:
    """A catalog whose reports go to a broker of the team's own."""
    directory = tmp_path / "catalogs"
    directory.mkdir()
    enriched = Enriched(service, directory)
    enriched.declare(more='[report]\ntask = "shop.read_report"\nqueue = "shop.reports"\nbroker = "shop"')
    with answering(service.redis_url), taking_in(service):
        yield enriched


def test_a_report_waits_for_its_rabbitmq_and_arrives_whole(catalog: Enriched, tmp_path: Path) -> None:
    catalog.service.configure(brokers={"shop": {"url": "amqp://guest:guest@127.0.0.1:1//"}})
    catalog.write(shop(2))
    assert catalog.run().state == "complete", "a broker that is away is no reason not to end a run"
    assert sending.send_all() == 0
    with rabbit(tmp_path / "rabbit") as url:
        catalog.service.configure(brokers={"shop": {"url": url}})
        assert sending.send_all() == 1
        assert sending.send_all() == 0
        with Connection(url) as connection:
            message = connection.SimpleQueue("shop.reports").get(timeout=60)
        assert message.headers["task"] == "shop.read_report"
        assert message.headers["id"] == "report-shop-1"
        arguments, _, _ = message.decode()
        assert arguments == [report(catalog)]
