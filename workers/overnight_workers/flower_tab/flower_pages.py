"""Flower's own pages that are other here: `/`, the queues; and the overview as JSON. All of them only read."""

from __future__ import annotations

import orjson
from flower.api import BaseApiHandler
from flower.api.tasks import GetQueueLengths
from flower.views import BaseHandler
from flower.views.broker import BrokerView
from tornado import web

from overnight_models import routes
from overnight_workers.flower_tab.document import document
from overnight_workers.settings import settings


class Landing(BaseHandler):  # type: ignore[misc]
    """`/`: operators come for what is going on."""

    def get(self) -> None:
        """Go to our first page."""
        self.redirect(self.reverse_url("now"))


class _AllQueues:
    """Flower's pages of queues: ours too when no worker takes work from them, which is when they matter."""

    def get_active_queue_names(self) -> list[str]:
        """Queues to show."""
        return sorted({*super().get_active_queue_names(), *routes.QUEUES})  # type: ignore[misc]


class BrokerPage(_AllQueues, BrokerView):  # type: ignore[misc]
    """`/broker`."""


class QueuesApi(_AllQueues, GetQueueLengths):  # type: ignore[misc]
    """`/api/queues/length`."""


class BatchesApi(BaseApiHandler):  # type: ignore[misc]
    """`/api/batches`: the same as JSON. 503 when the ledger can't be read."""

    @web.authenticated
    async def get(self) -> None:
        """Answer what the ledger says now."""
        look = await self.application.reader.look()
        self.set_status(503 if look.fault else 200)
        self.set_header("Content-Type", "application/json")
        self.write(orjson.dumps(document(look, settings())))
