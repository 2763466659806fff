"""Webhooks: due outcomes are sent to the endpoints of products, each at its own pace; a slow one delays no other.

The event loop sends and reads. What speaks to Postgres is done in threads beside it.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import uuid4

from overnight_models import routes
from overnight_models.ledger.deliver import deliver as ledger
from overnight_models.ledger.deliver import senders
from overnight_models.ledger.deliver.targets import Target
from overnight_models.wire.message import WEBHOOK
from overnight_workers import process
from overnight_workers.celery_worker import stopping
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell, pulse, target_pacing
from overnight_workers.stages.webhooks import recording
from overnight_workers.stages.webhooks.endpoint import Endpoint
from overnight_workers.telemetry import logs

_TAKES_FOR_S: Final = 240.0
_LOOK_EVERY_S: Final = 1.0
_LEDGER_THREADS: Final = 2

log = logs.get(__name__)


@app.task(name=routes.WEBHOOKS)
def webhooks(**_later: object) -> str:
    """Send what is due, as long as there is something and for a while; told to stop, nothing new is begun."""
    doorbell.heard(routes.WEBHOOKS)
    return asyncio.run(_Run().run())


class _Run:
    """One run of the stage."""

    def __init__(self) -> None:
        self._ends_at = time.monotonic() + _TAKES_FOR_S
        self._sender = uuid4()
        self._said_at = time.monotonic()
        """When it was last said that this run goes on sending."""
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._endpoints: list[Endpoint] = []
        self._idle_until: dict[str, float] = {}
        """Those for which nothing could be sent, though something is due: for a rate, or a group that isn't full."""

    def _goes_on(self) -> bool:
        return time.monotonic() < self._ends_at and not stopping.is_stopping()

    async def run(self) -> str:
        """Look for what is due again and again, until nothing is."""
        loop = asyncio.get_running_loop()
        has_sent = True
        with ThreadPoolExecutor(_LEDGER_THREADS, "ledger") as threads:
            try:
                while True:
                    looks = self._goes_on() and (has_sent or self._running)
                    targets = await loop.run_in_executor(threads, _targets) if looks else []
                    for target in targets:
                        await self._start(target, threads)
                    if not self._running:
                        break
                    await asyncio.wait(
                        self._running.values(), timeout=_LOOK_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                    )
                    has_sent = self._ended()
                    await self._say_that_it_goes_on(threads)
            finally:
                for task in self._running.values():
                    task.cancel()
                await asyncio.gather(*self._running.values(), return_exceptions=True)
        return f"{sum(endpoint.delivered for endpoint in self._endpoints)} delivered"

    async def _start(self, target: Target, threads: ThreadPoolExecutor) -> None:
        if target.broker in self._running or time.monotonic() < self._idle_until.get(target.broker, 0.0):
            return
        webhook = settings().webhooks.get(target.queue)
        if webhook is None:
            why = f"webhook {target.queue!r}: the configuration has no [webhooks.{target.queue}]"
            await asyncio.get_running_loop().run_in_executor(threads, recording.away, target, why)
            return

        def may_begin() -> bool:
            return self._goes_on() and target_pacing.is_open(target)

        endpoint = Endpoint(target, webhook, self._sender, threads, may_begin)
        self._endpoints.append(endpoint)
        self._running[target.broker] = asyncio.create_task(endpoint.run())

    async def _say_that_it_goes_on(self, threads: ThreadPoolExecutor) -> None:
        """Keep the place of whoever sends, wherever this run sends; where it was taken nothing new is begun."""
        if time.monotonic() - self._said_at < senders.LEASE_S / 4:
            return
        sending = [endpoint for endpoint in self._endpoints if endpoint.is_sender]
        targets = [endpoint.target for endpoint in sending]
        kept = await asyncio.get_running_loop().run_in_executor(threads, recording.go_on, targets, self._sender)
        self._said_at = time.monotonic()
        for endpoint in sending:
            endpoint.is_sender &= endpoint.target.id in kept

    def _ended(self) -> bool:
        """Let go of endpoints that have ended. Returns whether any of them has sent something."""
        ended = {broker: task for broker, task in self._running.items() if task.done()}
        has_sent = False
        for broker, task in ended.items():
            del self._running[broker]
            self._idle_until[broker] = time.monotonic() + _LOOK_EVERY_S
            with pulse.alone(routes.WEBHOOKS, f"webhook {broker.removeprefix(WEBHOOK)}"):
                if task.result():
                    has_sent = True
                    del self._idle_until[broker]
        return has_sent


def _targets() -> list[Target]:
    pulse.at_work(routes.WEBHOOKS)
    with process.database().transaction() as connection:
        due = ledger.webhooks(connection)
    return [target for target in due if target_pacing.is_open(target)]
