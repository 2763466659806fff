"""Products that enqueue while everything around them dies, and keep what they were told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from overnight_models.embedded_urls import read_urls
from overnight_models.errors import NotConfirmed, Unreachable
from overnight_producers import Overnight
from tests.chaos.lanes import LANES, queue_of
from tests.faults.installed import Installed
from tests.faults.orders import items_of

PRODUCTS: Final = 4
_LARGEST: Final = 400
_DEADLINES_S: Final = (None, 2, 15, 40)
"""By when a run of a lane by deadline is wanted: whenever; sooner than any batch; about when one may have ended."""


@dataclass(frozen=True)
class Confirmed:
    """Items of one run that are in, as their product was told."""

    run: str
    lane: str
    items: int


class Products:
    """Some threads, each a product: it enqueues a run, sees it confirmed, and enqueues the next.

    lanes, queue_of: where they enqueue, and the queue that callbacks of a lane go to.
    by_deadline: of those lanes, the ones whose runs are wanted by some time.
    largest: how many items a run has at the most.
    ack: callbacks are sent again until they acknowledge.
    """

    def __init__(
        self,
        overnight: Installed,
        seed: int,
        *,
        lanes: Sequence[str] = LANES,
        by_deadline: Sequence[str] = (),
        queue_of: Callable[[str], str] = queue_of,
        largest: int = _LARGEST,
        ack: bool = False,
    ) -> None:
        self._overnight, self._seed = overnight, seed
        self._lanes, self._queue_of, self._largest, self._ack = lanes, queue_of, largest, ack
        self._by_deadline = by_deadline
        self._enough = threading.Event()
        self._abandoned = False
        self._pool = ThreadPoolExecutor(PRODUCTS)
        self._working: list[Future[list[Confirmed]]] = []
        self._turn = threading.Lock()
        self.again: Counter[str] = Counter()
        """Why runs were enqueued again."""

    def start(self) -> None:
        """Begin to enqueue."""
        self._working = [self._pool.submit(self._work, number) for number in range(PRODUCTS)]

    def finish(self, timeout_s: float) -> list[Confirmed]:
        """Begin nothing more; what is begun must be confirmed in time."""
        self._enough.set()
        confirmed = [confirmation for work in self._working for confirmation in work.result(timeout_s)]
        self._pool.shutdown()
        return confirmed

    def stop(self) -> None:
        """Begin nothing more, and see nothing in any more."""
        self._abandoned = True
        self._enough.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _work(self, number: int) -> list[Confirmed]:
        draw = Random(f"{self._seed} product {number}")
        confirmed: list[Confirmed] = []
        while not self._enough.wait(draw.uniform(0, 1.5)):
            name, lane = f"chaos-{number}-{len(confirmed)}", draw.choice(self._lanes)
            items = draw.randint(1, self._largest)
            wanted_in_s = draw.choice(_DEADLINES_S) if lane in self._by_deadline else None
            deadline = None if wanted_in_s is None else datetime.now(UTC) + timedelta(seconds=wanted_in_s)
            self._see_in(name, lane, items, deadline)
            confirmed.append(Confirmed(name, lane, items))
        return confirmed

    def _see_in(self, run: str, lane: str, items: int, deadline: datetime | None) -> None:
        """The same again until all of it is in: that is all that a product has to do."""
        while not self._abandoned:
            overnight = Overnight(read_urls(self._overnight.data_dir)["redis_url"])
            try:
                asked = items_of(run, items, self._queue_of(lane), ack=self._ack, deadline=deadline)
                confirmation = overnight.enqueue_confirmed(asked, lane=lane, run=run, timeout=60)
            except (NotConfirmed, Unreachable) as error:
                why = type(error).__name__
                self._enough.wait(0.5)
            else:
                if confirmation.accepted + confirmation.known == items:
                    return
                why = f"rejected: {confirmation.rejected[0].why}" if confirmation.rejected else "not all of it is in"
            finally:
                overnight.close()
            with self._turn:
                self.again[why] += 1
