"""What the real API hasn't got: the sandbox's own calls, under /sandbox, without a key.

GET                /sandbox          what this is
GET, PUT, POST, DELETE /sandbox/faults   see `faults.py`
GET, POST          /sandbox/clock    {"advance_s": 90000, "speed": 60}
GET, DELETE        /sandbox/limits   what /v1/messages let through, by workspace and pool; from nothing again
GET                /sandbox/meter    what was accepted and billed
POST               /sandbox/meter/reset
GET                /sandbox/batches  all batches of all workspaces (?limit=)
POST               /sandbox/strangers    {"workspace": "wrkspc_...", "requests": 3, "created_ago_s": 60}
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from overnight_workers.sandbox.batches.accepting import Desk
from overnight_workers.sandbox.batches.settling import Settler
from overnight_workers.sandbox.batches.shelf import Shelf
from overnight_workers.sandbox.clock import Clock, rfc3339
from overnight_workers.sandbox.faults.faults import Faults, FaultsInvalid, read_rules
from overnight_workers.sandbox.http.calls import JSON
from overnight_workers.sandbox.http.limits import MessageRates
from overnight_workers.sandbox.meter import Meter


class Control:
    """One method for each path."""

    def __init__(
        self,
        clock: Clock,
        faults: Faults,
        meter: Meter,
        rates: MessageRates,
        settler: Settler,
        shelf: Shelf,
        desk: Desk,
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._meter = meter
        self._rates = rates
        self._settler = settler
        self._shelf = shelf
        self._desk = desk

    async def about(self, _request: Request) -> Response:
        """Say what answers here."""
        return JSON({"sandbox": "overnight", "made_up": True, "clock": rfc3339(self._clock.now())})

    async def faults(self, request: Request) -> Response:
        """Show or change the rules."""
        if request.method == "DELETE":
            await run_in_threadpool(self._faults.replace, [])
        elif request.method != "GET":
            try:
                rules = read_rules(await _json(request))
                await run_in_threadpool(self._faults.replace, rules, add=request.method == "POST")
            except (FaultsInvalid, TypeError) as error:
                return JSON({"error": str(error)}, 400)
        return JSON({"rules": self._faults.shown()})

    async def clock(self, request: Request) -> Response:
        """Show or change the clock."""
        if request.method == "POST":
            wish = await _json(request)
            if not isinstance(wish, dict) or wish.keys() - {"advance_s", "speed"}:
                return JSON({"error": "the clock takes advance_s and speed"}, 400)
            await run_in_threadpool(
                self._clock.change, advance_s=float(wish.get("advance_s", 0)), speed=wish.get("speed")
            )
            await run_in_threadpool(self._settler.archive)
        return JSON({"now": rfc3339(self._clock.now()), "speed": self._clock.speed})

    async def limits(self, request: Request) -> Response:
        """Show the limits of messages, or begin again with full buckets."""
        if request.method == "DELETE":
            self._rates.reset()
        return JSON({"data": self._rates.shown()})

    async def meter(self, _request: Request) -> Response:
        """Read the meter; what is due is billed first."""
        return JSON(await run_in_threadpool(self._read_meter))

    def _read_meter(self) -> dict[str, object]:
        self._settler.settle_due()
        return self._meter.read()

    async def reset_meter(self, _request: Request) -> Response:
        """Start the meter from nothing; what is due is billed first, and forgotten with the rest."""
        await run_in_threadpool(self._settler.settle_due)
        await run_in_threadpool(self._meter.reset)
        return JSON(await run_in_threadpool(self._meter.read))

    async def batches(self, request: Request) -> Response:
        """List everything."""
        limit = int(request.query_params.get("limit", "1000"))
        base_url = str(request.base_url).rstrip("/")
        return JSON({"data": await run_in_threadpool(self._shelf.everything, base_url, limit)})

    async def strangers(self, request: Request) -> Response:
        """Create a batch that isn't ours."""
        wish = await _json(request)
        if not isinstance(wish, dict) or not isinstance(wish.get("workspace"), str):
            return JSON({"error": "a stranger takes workspace, and if wanted requests and created_ago_s"}, 400)
        return JSON(await run_in_threadpool(self._stranger, wish, str(request.base_url).rstrip("/")))

    def _stranger(self, wish: dict[str, Any], base_url: str) -> dict[str, object]:
        count = int(wish.get("requests", 1))
        path = self._desk.incoming()
        with path.open("wb") as file:
            file.write(b'{"requests":[')
            for number in range(count):
                message = {"role": "user", "content": f"A stranger's request number {number}"}
                params = {"model": wish.get("model", "claude-haiku-5-5"), "max_tokens": 512, "messages": [message]}
                file.write(b"," * (number > 0))
                file.write(orjson.dumps({"custom_id": f"stranger-{number}", "params": params}))
            file.write(b"]}")
        batch = self._desk.accept(
            path,
            wish["workspace"],
            "2026-10-21",
            frozenset(),
            stranger=True,
            created_ago_s=float(wish.get("created_ago_s", 0)),
        )
        return batch.shown(base_url, self._clock.now())


async def _json(request: Request) -> object:
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
