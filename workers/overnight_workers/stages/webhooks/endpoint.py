"""One endpoint in one run: several requests under way at once, and the ledger in a thread beside them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import copy_context
from typing import Final, TypeVar
from uuid import UUID

from overnight_models.crash_points import reach
from overnight_models.errors import BadSettings
from overnight_models.ledger.deliver.targets import Target
from overnight_models.wire.signature import Secret
from overnight_workers.celery_worker import stopping
from overnight_workers.configuration.webhook_settings import Webhook
from overnight_workers.stages.webhooks import recording
from overnight_workers.stages.webhooks.bodies import Body
from overnight_workers.stages.webhooks.recording import Answered
from overnight_workers.stages.webhooks.verdicts import judge
from overnight_workers.telemetry import tracing
from overnight_workers.webhooks.posting import Poster

T = TypeVar("T")

_IN_A_ROW: Final = 3
"""Requests that fail one after the other: then it is the endpoint's trouble, and not theirs."""
_ITEMS_AHEAD: Final = 200
_GROUPS_AHEAD: Final = 32


class Endpoint:
    """What is due for one webhook.

    sender: the run that sends; it may be another's turn.
    ledger: runs what speaks to Postgres.
    goes_on: whether new groups may be begun.
    """

    def __init__(
        self, target: Target, webhook: Webhook, sender: UUID, ledger: Executor, goes_on: Callable[[], bool]
    ) -> None:
        self.target = target
        self.is_sender = False
        """It is this run's turn: else nothing new is begun, since another run sends."""
        self._webhook, self._sender, self._ledger, self._goes_on = webhook, sender, ledger, goes_on
        self._ready: deque[Body] = deque()
        self._under_way: set[asyncio.Task[Answered]] = set()
        self._obstructed = target.obstructed
        self._failures = 0
        """In a row."""
        self._last_why = ""
        self._has_stopped = False
        self.delivered = 0

    async def run(self) -> bool:
        """Send until nothing is due, or it takes nothing, unless another run sends. Returns whether anything was sent.

        Raises TransientError when the ledger is away.
        """
        self.is_sender = await self._in_ledger(recording.begin, self.target, self._sender)
        if not self.is_sender:
            return False
        try:
            return await self._send_all()
        finally:
            self.is_sender = False
            # also where the ledger is away: then its time runs out
            await self._in_ledger(recording.end, self.target, self._sender)

    async def _send_all(self) -> bool:
        """The same, for the run whose turn it is."""
        try:
            keys = self._webhook.keys()
            poster = Poster(self._webhook)
        except (BadSettings, OSError, ValueError) as error:
            why = "; ".join(error.faults) if isinstance(error, BadSettings) else str(error)
            await self._in_ledger(recording.away, self.target, f"webhook {self.target.queue!r}: {why}")
            return False
        has_sent = False
        try:
            while await self._fill(poster, keys):
                has_sent = True
                done, self._under_way = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
                await self._take_down([task.result() for task in done])
        finally:
            for task in self._under_way:
                task.cancel()
            await poster.close()
        if self._failures and not self._has_stopped:
            await self._stop(self._last_why)
        return has_sent

    async def _fill(self, poster: Poster, keys: tuple[Secret, ...]) -> bool:
        """Begin as many requests as may be under way. Returns whether any is."""
        at_once = 1 if self._obstructed else self._webhook.concurrency
        may_begin = self.is_sender and self._goes_on() and not stopping.is_stopping() and not self._has_stopped
        if may_begin and len(self._ready) + len(self._under_way) < at_once:
            ahead = 1 if self._obstructed else max(2 * at_once, _ITEMS_AHEAD // self._webhook.group.items)
            wanted = min(ahead, _GROUPS_AHEAD) - len(self._ready)
            self._ready += await self._in_ledger(recording.claim, self.target, self._webhook, max(wanted, 1))
        if not may_begin and self._ready:
            waiting, self._ready = list(self._ready), deque()
            await self._in_ledger(recording.give_back, waiting)
        while self._ready and len(self._under_way) < at_once:
            self._under_way.add(asyncio.create_task(_send(self.target.queue, poster, keys, self._ready.popleft())))
        return bool(self._under_way)

    async def _take_down(self, answered: list[Answered]) -> None:
        """Record what came, and see how the endpoint is."""
        self.delivered += await self._in_ledger(recording.record, self.target, self._webhook, answered)
        for _, verdict in answered:
            if verdict.is_well:
                self._failures = 0
                if self._obstructed and not self._has_stopped:
                    self._obstructed = False
                    await self._in_ledger(recording.overcome, self.target)
                continue
            self._failures += 1
            self._last_why = verdict.why
            if not self._has_stopped and (verdict.is_away or self._failures >= _IN_A_ROW or self._obstructed):
                await self._stop(verdict.why, verdict.pause_s)

    async def _stop(self, why: str, pause_s: float | None = None) -> None:
        """Nothing more is sent to it for a while."""
        self._has_stopped = True
        why = f"webhook {self.target.queue!r} at {self._webhook.place}: {why}"
        await self._in_ledger(recording.away, self.target, why, pause_s)

    async def _in_ledger(self, function: Callable[..., T], *arguments: object) -> T:
        # within the stage's span, as what is counted there
        return await asyncio.get_running_loop().run_in_executor(self._ledger, copy_context().run, function, *arguments)


async def _send(name: str, poster: Poster, keys: tuple[Secret, ...], body: Body) -> Answered:
    with tracing.delivery(name, (due.outcome.traceparent for due in body.due.values())) as became:
        reach("before webhook")
        answer = await poster.post(keys, body.message_id, body.text)
        reach("after webhook")
        verdict = judge(frozenset(body.due), answer)
        if not verdict.is_well:
            became["error.type"] = "away" if verdict.is_away or answer.status is None else "refused"
    return Answered(body, verdict)
