"""Flower's server with the Batches tab."""

from __future__ import annotations

import prometheus_client
from flower.app import Flower, rewrite_handler
from tornado.ioloop import PeriodicCallback
from tornado.web import url

from overnight_models.ledger.database import Database
from overnight_workers import process
from overnight_workers.flower_tab.metrics import LOOK_EVERY_S, LedgerMetrics
from overnight_workers.flower_tab.pages import BatchesApi, BatchesPage, BrokerPage, ItemsPage, Landing, QueuesApi
from overnight_workers.flower_tab.reading import Reader
from overnight_workers.settings import settings

_STATEMENT_TIMEOUT_S = 10.0


class BatchesFlower(Flower):  # type: ignore[misc]
    """Flower, and what it needs to show the ledger: a reader, three routes, the gauges."""

    def __init__(self, **given: object) -> None:
        super().__init__(**given)
        database = Database(settings().database_url, name="overnight flower", statement_timeout_s=_STATEMENT_TIMEOUT_S)
        self.reader = Reader(database, process.redis_client())
        routes = [
            url(r"/", Landing),
            url(r"/batches", BatchesPage, name="batches"),
            url(r"/api/batches", BatchesApi),
            url(r"/items", ItemsPage, name="items"),
            url(r"/broker", BrokerPage, name="broker"),
            url(r"/api/queues/length", QueuesApi),
        ]
        if self.options.url_prefix:
            routes = [rewrite_handler(route, self.options.url_prefix) for route in routes]
        # these match before Flower's own, which end in one that matches everything
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
