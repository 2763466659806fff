"""The pages: Batches, its JSON, and the way there from `/`. All of them only read."""

from __future__ import annotations

import re

import orjson
from flower.api import BaseApiHandler
from flower.api.tasks import GetQueueLengths
from flower.views import BaseHandler
from flower.views.broker import BrokerView
from tornado import web

from overnight_models import routes
from overnight_models.ledger.operators.item_filter import ANY_PROBLEM
from overnight_models.ledger.operators.overview import Wanted
from overnight_models.states import BATCH, DELIVERY, ITEM
from overnight_models.wire.outcome import Problem
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
        current = settings()
        self.render(
            page,
            look=look,
            words=words,
            settings=current,
            policies=current.lanes,
            ITEM=ITEM,
            BATCH=BATCH,
            DELIVERY=DELIVERY,
        )


_MOST_ITEMS = 100
_FILTERS = ("lane", "run", "key", "state", "problem", "delivery", "batch")


class ItemsPage(BaseHandler):  # type: ignore[misc]
    """`/items`: the newest items of a lane, a state, a batch, …, as `overnight items` shows them."""

    @web.authenticated
    async def get(self) -> None:
        """Render those that are asked for. 400 for a filter that names what isn't there."""
        asked = {name: value for name in _FILTERS if (value := self.get_argument(name, "").strip())}
        rows, fault = await self.application.reader.items(*_wanted(asked), _MOST_ITEMS)
        self.set_header("Cache-Control", "no-store")
        self.set_status(400 if fault else 200)
        choices = {
            "state": list(ITEM.states),
            "problem": [ANY_PROBLEM, *Problem],
            "delivery": list(DELIVERY.states),
        }
        self.render("items.html", asked=asked, rows=rows, fault=fault, choices=choices, words=words, most=_MOST_ITEMS)


def _wanted(asked: dict[str, str]) -> tuple[Wanted, str | None]:
    """What is asked for, and what is wrong with it."""
    batch = asked.get("batch", "0")
    number = int(batch) if re.fullmatch(r"\d{1,18}", batch, re.ASCII) else 0
    wanted = Wanted(
        lane=asked.get("lane"),
        key=asked.get("key"),
        run=asked.get("run"),
        state=asked.get("state"),
        problem=asked.get("problem"),
        delivery=asked.get("delivery"),
        batch_id=number if "batch" in asked else None,
    )
    return wanted, None if number or "batch" not in asked else f"a batch is a number, and not {batch!r}"


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
