"""The kit: what a test asks of the product's items, and has delivered to it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Final

from overnight_models.money.prices import load
from overnight_models.request.moments import moment_of
from overnight_models.wire.outcome import Outcome
from overnight_models.wire.policy import LanePolicy, Policy
from overnight_models.wire.signature import new_secret
from overnight_producers.receipts import Receipt
from overnight_producers.standing_in import standing_in
from overnight_producers.testing.answers import Answer, Failure, finish, read_answer
from overnight_producers.testing.deliveries import Delivery, call, request_of
from overnight_producers.testing.items import Enqueued, Items, listed
from overnight_producers.testing.workers import Workers

_MOST: Final = 1_000
_MOST_OF_EACH: Final = 100
_USUALLY: Final = timedelta(minutes=20)
_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)


class Kit(Items):
    """What a product enqueues while the kit stands in for Redis and the workers: its items, in their order.

    lanes: those that there are, and what each takes; None: any, as a lane takes it where nothing is configured.
    """

    def __init__(self, lanes: Mapping[str, LanePolicy] | None = None) -> None:
        self.workers = Workers(_policy(lanes))
        self.webhook_secret = new_secret()
        """What webhooks are signed with: tell the product, and it verifies them."""
        super().__init__(self.workers.items)

    @contextmanager
    def capture(self) -> Iterator[Items]:
        """Only what the block enqueues: `with overnight.capture() as enqueued: …`, then `enqueued.enqueued(key=…)`."""
        captured = Items(self.workers.items, begin=len(self.workers.items))
        try:
            yield captured
        finally:
            captured.end = len(self.workers.items)

    def deliver(
        self,
        item: Enqueued | Receipt,
        answer: Answer | None = None,
        *,
        after: timedelta | str | None = None,
    ) -> Delivery:
        """Have an outcome come back: it is recorded, and the product's callback is called with it, in this process.

        item: what `enqueued` returned, or a receipt.
        answer: as in `Answer`; None: made of the schema that was asked for, or, of an item that has its outcome, that
        outcome again, with the same delivery id, as may happen to any callback.
        after: how long after it was enqueued it is done, as "26h"; `late_s` counts from the item's deadline on. None:
        20 minutes, or, where the clock was moved further since then (`advance`), now.

        Returns the delivery; in an event loop, `await` it. Raises what the callback raises, and AssertionError for an
        answer that Overnight would call a problem, a second answer, and a task that no app of this process has.
        """
        taken = self._found(item)
        if taken.is_taken_back:
            raise AssertionError(f"it was taken back by `cancel`, so nothing is delivered:\n  {taken}")
        if taken.document is None or answer is not None:
            self._record(taken, answer, after)
        return self._hand_over(taken)

    def drain(
        self,
        answer: Answer | Callable[[Enqueued], Answer | None] | None = None,
        *,
        order: Callable[[list[Enqueued]], Iterable[Enqueued]] = list,
    ) -> Drained:
        """Deliver all that waits, and what the callbacks enqueue meanwhile, until nothing is left.

        answer: for all of them; or a function that says which for an item.
        order: of what waits, as `reversed`; outcomes come back in any order.

        Returns the deliveries; in an event loop, `await` them: then callbacks that are `async def` have returned, and
        what they enqueued is delivered too. Raises AssertionError when callbacks enqueue without an end: 100 deliveries
        for each item that waited, and 1,000 at least, are no end.
        """
        drained = Drained(self, answer if callable(answer) else lambda _: answer, order)
        drained.go_on()
        return drained

    def advance(self, by: timedelta | str) -> list[Delivery]:
        """Let time pass for what was enqueued, as "2h", without anybody waiting for it.

        An item whose `give_up_at` is over then comes back as `too_late`: its callback is called. Nothing else comes by
        itself; what is delivered afterwards is done then, and as late as that makes it. The product's own clock stays.

        Returns these deliveries, the earliest first; in an event loop, `await` each. Raises what a callback raises.
        """
        moved = moment_of(by, now=_EPOCH) - _EPOCH
        if moved < timedelta(0):
            raise ValueError(f"time goes forward, so it can't be moved by {by!r}")
        self.workers.moved += moved
        ends = [(end, item) for item in self if item.state == "waiting" and (end := self._end(item)) is not None]
        over = [item for end, item in sorted(ends, key=itemgetter(0)) if end <= self.workers.moved]
        return [self.deliver(item, Failure("too_late")) for item in over if item.state == "waiting"]

    def _end(self, item: Enqueued) -> timedelta | None:
        """How far the clock has been moved when its `give_up_at` is over; None where it has none."""
        if item.give_up_at is None:
            return None
        return item.born + datetime.fromisoformat(item.give_up_at) - datetime.fromisoformat(item.enqueued_at)

    def _age(self, item: Enqueued) -> timedelta:
        """How far the clock was moved since it was enqueued."""
        return self.workers.moved - item.born

    def _finished_at(self, item: Enqueued, after: timedelta | str | None) -> datetime:
        enqueued_at, age = datetime.fromisoformat(item.enqueued_at), self._age(item)
        if after is None:
            return enqueued_at + max(age, _USUALLY)
        finished_at = moment_of(after, now=enqueued_at)
        if finished_at < enqueued_at + age:
            raise AssertionError(f"after={after!r}, and the clock was moved by {age} since it was enqueued:\n  {item}")
        return finished_at

    def _found(self, item: Enqueued | Receipt) -> Enqueued:
        if isinstance(item, Enqueued):
            return item
        if not isinstance(item, Receipt):
            raise TypeError(f"an item, as `overnight.enqueued(key=…)` returns it, or a receipt, and not {item!r}")
        about = {"id": item.item_id, "key": item.key, "lane": item.lane}
        known = self.workers.find(about)
        if known is None:
            raise AssertionError(f"the workers have no item {item.key!r}: was it turned down? `confirm` says so")
        return known

    def _record(self, item: Enqueued, answer: Answer | None, after: timedelta | str | None) -> None:
        if item.state != "waiting":
            raise AssertionError(
                f"it has its outcome, and another never comes; without an answer it comes again:\n  {item}"
            )
        if item.follows is not None and item.follows.document is None:
            self._record(item.follows, answer, after)
        finished_at = self._finished_at(item, after)
        if item.follows is not None and item.follows.document is not None:
            said = dict(item.follows.document) | {"cost_usd": "0", "realtime_cost_usd": "0"}
        else:
            said = read_answer(item, answer)
        finish(item, said, finished_at)
        self.workers.waited_s = 0.0

    def _hand_over(self, item: Enqueued) -> Delivery:
        document = item.document
        assert document is not None
        if item.callback is None:
            return Delivery(item, Outcome.read(document))
        if "webhook" in item.callback:
            headers, body = request_of(item, document, self.webhook_secret)
            return Delivery(item, Outcome.read(document), headers=headers, body=body)
        word = f"0.0.{item.item_id}"
        before = self.workers.acknowledged.count(word)
        result = call(item, document, word)
        delivery = Delivery(item, Outcome.read(document), result)
        return replace(delivery, acknowledged=self.workers.acknowledged.count(word) > before)


class Drained(list[Delivery]):
    """Deliveries of all that waited, and of what was enqueued meanwhile. In an event loop `await` them."""

    def __init__(
        self,
        kit: Kit,
        answer: Callable[[Enqueued], Answer | None],
        order: Callable[[list[Enqueued]], Iterable[Enqueued]],
    ) -> None:
        super().__init__()
        self._kit, self._answer, self._order = kit, answer, order
        self._most = max(_MOST, _MOST_OF_EACH * len(self._waiting()))

    def go_on(self) -> None:
        """Deliver until nothing waits. Raises as `Kit.drain`."""
        while waiting := self._waiting():
            for item in self._order(waiting):
                if item.state != "waiting":
                    continue  # a callback has canceled it
                self.append(self._kit.deliver(item, None if item.follows is not None else self._answer(item)))
                if len(self) > self._most:
                    raise AssertionError(f"callbacks enqueue without an end; the last:\n{listed(self._kit[-5:])}")

    def __await__(self) -> Generator[object, None, Drained]:
        returned = 0
        while returned < len(self):
            self[returned] = yield from self[returned].__await__()
            returned += 1
            if returned == len(self):
                self.go_on()
        return self

    def _waiting(self) -> list[Enqueued]:
        return [item for item in self._kit if item.state == "waiting"]


@contextmanager
def take_over(lanes: Mapping[str, LanePolicy] | None = None) -> Iterator[Kit]:
    """Stand in for Redis and the workers, in the whole process, for as long as the block lasts.

    Every `Overnight` and `AsyncOvernight` is meant, also those that were made before.
    """
    kit = Kit(lanes)
    with standing_in(kit.workers):
        yield kit


class _AnyLane(dict[str, LanePolicy]):
    """Every lane there may be."""

    def __contains__(self, name: object) -> bool:
        return True

    def get(self, name: str, default: object = None) -> LanePolicy:
        return _DEFAULT


class _AnyName(tuple[str, ...]):
    """Every broker, or webhook, that there may be."""

    def __contains__(self, name: object) -> bool:
        return True


_DEFAULT: Final = LanePolicy()


def _policy(lanes: Mapping[str, LanePolicy] | None) -> Policy:
    return Policy(_AnyLane() if lanes is None else lanes, _AnyName(), _models(), webhooks=_AnyName())


@cache
def _models() -> tuple[str, ...]:
    models = load().models
    return (*models, *(alias for model in models.values() for alias in model.aliases))
