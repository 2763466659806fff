"""Direct: items are sent in real time, many at once inside one task; several tasks run side by side.

The event loop sends and reads. Everything else (the ledger, prices, schemas) is done in a thread beside it, for many
items at once: an event loop that is busy for seconds lets the time for connecting run out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final

from overnight_models import routes
from overnight_models.errors import BadSettings
from overnight_workers.anthropic_api import realtime
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.celery_worker import stopping
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell
from overnight_workers.stages.deliver import deliver
from overnight_workers.stages.direct.recording import Done, HandOver
from overnight_workers.stages.direct.requests import Request
from overnight_workers.stages.direct.turns import Turns
from overnight_workers.telemetry import logs

_TAKES_FOR_S: Final = 1200.0
_SOFT_LIMIT_S: Final = 5400
"""Longer than it takes items for and the longest answer together."""
_GATHERS_AT_MOST_S: Final = 0.15
_GATHERS_FOR_TURNS: Final = 2.0
_LOOK_EVERY_S: Final = 0.5
_NOTHING_TO_LOOK_FOR_S: Final = 5.0
_AWAY_S: Final = 1.0
_WAITS_FOR_S: Final = 5.0

log = logs.get(__name__)


# acknowledged at once: a bell may be lost, and Celery would end a task that is acknowledged late when Redis goes away
@app.task(name=routes.DIRECT, acks_late=False, soft_time_limit=_SOFT_LIMIT_S, time_limit=_SOFT_LIMIT_S + 60)
def direct(**_later: object) -> str:
    """Send what is to be sent in real time, as long as there is something; told to stop, what is under way is ended."""
    doorbell.heard(routes.DIRECT)
    return asyncio.run(_Run(settings().direct.calls).run())


class _Run:
    """One run of the stage. calls: how many are under way at once."""

    def __init__(self, calls: int) -> None:
        self._most = calls
        self._turns = Turns()
        self._clients = realtime.Clients(calls)
        self._under_way: set[asyncio.Task[None]] = set()
        self._done: list[Done] = []
        self._news = asyncio.Event()
        self._takes_until = time.monotonic() + _TAKES_FOR_S
        self._handing_over: set[asyncio.Future[None]] = set()
        self._turn_took_s = 0.0

    async def run(self) -> str:
        """Until nothing is to be sent and nothing is under way."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "ledger") as ledger, ThreadPoolExecutor(1, "deliver") as hands:
            try:
                while True:
                    done, self._done = self._done, []
                    began = loop.time()
                    # each thread within the span of this run
                    turn = await loop.run_in_executor(ledger, copy_context().run, self._turns.turn, done, self._room())
                    self._turn_took_s = loop.time() - began
                    if turn.deliveries:
                        self._handing_over.add(
                            loop.run_in_executor(hands, copy_context().run, _hand_over, turn.deliveries)
                        )
                    for request in turn.requests:
                        self._start(request)
                    if turn.is_away:
                        await asyncio.sleep(_AWAY_S)
                    elif not (self._under_way or self._done or self._turns.has_unrecorded or self._will_go_on()):
                        break
                    await self._something_new()
                    self._handing_over = {delivery for delivery in self._handing_over if not delivery.done()}
            finally:
                await loop.run_in_executor(ledger, copy_context().run, self._turns.close)
                await self._clients.close()
        return f"{self._turns.taken} sent, {self._turns.recorded} recorded"

    def _room(self) -> int:
        """How many more may be sent now."""
        if stopping.is_stopping() or time.monotonic() > self._takes_until:
            return 0
        return self._most - len(self._under_way)

    def _will_go_on(self) -> bool:
        """Whether something waits for the rate limit that will soon be sent; the sweep rings for what waits longer."""
        return self._room() > 0 and self._turns.pause_ends_in_s < _WAITS_FOR_S

    def _start(self, request: Request) -> None:
        task = asyncio.create_task(self._send(request))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _send(self, request: Request) -> None:
        place = request.claim.place
        try:
            if request.grant is not None and request.grant.starts_in_s > 0:
                await asyncio.sleep(request.grant.starts_in_s)
                if stopping.is_stopping():
                    self._ended(request, Reply(None, False, text="the worker was told to stop"))
                    return
            if time.monotonic() > request.send_by:
                self._ended(request, Reply(None, False, text="its worker stood still: it is sent by whoever is awake"))
                return
            reply = await self._clients.send(
                place.workspace, request.body, request.headers, max_tokens=request.asked.max_tokens
            )
        except BadSettings as error:
            reply = Reply(401, False, text=str(error))
        self._ended(request, reply)

    def _ended(self, request: Request, reply: Reply) -> None:
        self._done.append(Done(request, reply))
        self._news.set()

    async def _something_new(self) -> None:
        """Wait until there is something to record, or it is time to look for more."""
        if not self._done:
            wait_s = min(_LOOK_EVERY_S, self._turns.pause_ends_in_s) if self._room() > 0 else _NOTHING_TO_LOOK_FOR_S
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                return
        if self._under_way:
            busy = (len(self._under_way) + len(self._done)) / self._most
            await asyncio.wait(self._under_way, timeout=gathers_for_s(self._turn_took_s, busy=busy))
        self._news.clear()


def gathers_for_s(turn_took_s: float, *, busy: float) -> float:
    """How long what comes is gathered, to be recorded together, in seconds.

    Each group costs some thirty statements, however large it is. So it is gathered for twice as long as the last turn
    took: on a busy machine groups grow, and turns stay a third of the time. Where few calls are under way there are few
    turns, and nobody waits for others.

    turn_took_s: the last turn, in seconds.
    busy: the share of all calls that may be under way at once which are, or have just come.
    """
    return min(_GATHERS_FOR_TURNS * turn_took_s * min(2 * busy, 1.0), _GATHERS_AT_MOST_S)


def _hand_over(deliveries: Sequence[HandOver]) -> None:
    """What nothing stands in the way of goes to its callback at once."""
    for target, due in deliveries:
        if deliver.hand_over(target, due) < len(due):
            doorbell.ring(routes.DELIVER)
