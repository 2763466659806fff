"""Flower's server with our pages."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import prometheus_client
from flower.app import Flower, rewrite_handler
from tornado.ioloop import PeriodicCallback
from tornado.web import StaticFileHandler, url

from overnight_models.ledger.bodies import encryption
from overnight_models.ledger.database import Database
from overnight_workers import process
from overnight_workers.flower_tab.act_pages import ActionPage, ActionsPage, ActPage, BodyPage
from overnight_workers.flower_tab.batch_pages import BatchesPage, BatchPage
from overnight_workers.flower_tab.delivery_pages import DeliveriesPage
from overnight_workers.flower_tab.flower_pages import BatchesApi, BrokerPage, Landing, QueuesApi
from overnight_workers.flower_tab.item_pages import ItemPage, ItemsPage
from overnight_workers.flower_tab.lane_pages import LanesPage
from overnight_workers.flower_tab.metrics import LOOK_EVERY_S, LedgerMetrics
from overnight_workers.flower_tab.money_pages import MoneyPage
from overnight_workers.flower_tab.now_page import NowPage
from overnight_workers.flower_tab.problem_pages import ProblemsPage
from overnight_workers.flower_tab.reading import Reader
from overnight_workers.flower_tab.run_pages import RunsPage
from overnight_workers.keys.encryption_keys import ConfiguredKeys
from overnight_workers.settings import settings

_STATEMENT_TIMEOUT_S = 10.0
_FILES: Final = Path(__file__).parent / "html"

ROUTES: Final = [
    url(r"/", Landing),
    url(r"/now", NowPage, name="now"),
    url(r"/batches", BatchesPage, name="batches"),
    url(r"/batches/([1-9][0-9]{0,17})", BatchPage, name="batch"),
    url(r"/items", ItemsPage, name="items"),
    url(r"/items/([1-9][0-9]{0,17})", ItemPage, name="item"),
    url(r"/problems", ProblemsPage, name="problems"),
    url(r"/deliveries", DeliveriesPage, name="deliveries"),
    url(r"/money", MoneyPage, name="money"),
    url(r"/runs", RunsPage, name="runs"),
    url(r"/lanes", LanesPage, name="lanes"),
    url(r"/actions", ActionsPage, name="actions"),
    url(r"/actions/([1-9][0-9]{0,17})", ActionPage, name="action"),
    url(r"/act", ActPage, name="act"),
    url(r"/items/([1-9][0-9]{0,17})/body", BodyPage, name="body"),
    url(r"/overnight/(style\.css|refresh\.js)", StaticFileHandler, {"path": str(_FILES)}, name="overnight file"),
    url(r"/api/batches", BatchesApi),
    url(r"/broker", BrokerPage, name="broker"),
    url(r"/api/queues/length", QueuesApi),
]
"""What is ours. These match before Flower's own, which end in one that matches everything."""


class BatchesFlower(Flower):  # type: ignore[misc]
    """Flower, and what it needs to show the ledger: a reader, our routes, the gauges."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        database = Database(
            settings().database_url,
            name="overnight flower",
            statement_timeout_s=_STATEMENT_TIMEOUT_S,
            options=encryption.options(ConfiguredKeys()),
        )
        self.reader = Reader(database, process.redis_client())
        routes = ROUTES
        if self.options.url_prefix:
            routes = [rewrite_handler(route, self.options.url_prefix) for route in routes]
        self.add_handlers(r".*", routes)
        prometheus_client.REGISTRY.register(LedgerMetrics(self.reader))
        self._looking = PeriodicCallback(self._look, LOOK_EVERY_S * 1000)

    def start(self) -> None:
        """Serve until the process is told to stop."""
        self._looking.start()
        self.io_loop.add_callback(self._look)
        super().start()

    def stop(self) -> None:
        """Let everything go."""
        self._looking.stop()
        self.reader.close()
        super().stop()

    async def _look(self) -> None:
        await self.reader.look()
