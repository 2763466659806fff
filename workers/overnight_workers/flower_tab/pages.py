"""The pages: Batches, its JSON, and the way there from `/`. All of them only read."""

from __future__ import annotations

import orjson
from flower.api import BaseApiHandler
from flower.views import BaseHandler
from tornado import web

from overnight_models.states import BATCH, DELIVERY, ITEM
from overnight_workers.flower_tab.document import document
from overnight_workers.operators import words
from overnight_workers.settings import settings


class Landing(BaseHandler):  # type: ignore[misc]
    """`/`: operators come for the batches."""

    def get(self) -> None:
        """Go to the Batches tab."""
        self.redirect(self.reverse_url("batches"))


class BatchesPage(BaseHandler):  # type: ignore[misc]
    """`/batches`, and with `?part=now` only what changes on it, which the page asks for every few seconds."""

    @web.authenticated
    async def get(self) -> None:
        """Render what the ledger says now."""
        look = await self.application.reader.look()
        self.set_header("Cache-Control", "no-store")
        page = "batches_now.html" if self.get_argument("part") == "now" else "batches.html"
        told = settings()
        self.render(
            page,
            look=look,
            words=words,
            settings=told,
            policies=told.lanes,
            ITEM=ITEM,
            BATCH=BATCH,
            DELIVERY=DELIVERY,
        )


class BatchesApi(BaseApiHandler):  # type: ignore[misc]
    """`/api/batches`: the same as JSON. 503 when the ledger can't be read."""

    @web.authenticated
    async def get(self) -> None:
        """Answer what the ledger says now."""
        look = await self.application.reader.look()
        self.set_status(503 if look.fault else 200)
        self.set_header("Content-Type", "application/json")
        self.write(orjson.dumps(document(look, settings())))
