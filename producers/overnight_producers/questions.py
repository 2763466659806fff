"""Questions to the workers: what became of an item or a run, and how long to wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from overnight_models.errors import (
    KeyMissing,
    NotFinished,
    NotYet,
    OvernightError,
    Rejected,
    UnknownItem,
    Unreachable,
)
from overnight_models.wire.outcome import Outcome
from overnight_producers.receipts import Receipt
from overnight_producers.steps import Pause, Reply, Steps
from overnight_producers.wire import Wire

_ANSWER_S: Final = 12.0
_ASKED_TIMES: Final = 3
_LONGEST_PAUSE_S: Final = 1.0

T = TypeVar("T")


@dataclass(frozen=True)
class About:
    """The item that a question is about: a receipt's and no other, or whatever has the key."""

    lane: str
    key: str
    receipt: Receipt | None = None

    @classmethod
    def of(cls, receipt: Receipt | None, key: str | None, lane: str) -> About:
        """As a caller names it: by a receipt or by a key. Raises TypeError for anything else, and for both."""
        if (receipt is None) == (key is None):
            raise TypeError("name one item: by its receipt, or by `key` (and `lane`)")
        if receipt is not None:
            if not isinstance(receipt, Receipt):
                raise TypeError(
                    f"a receipt is what `enqueue` returns, and not {type(receipt).__name__}: a key is said as key=…"
                )
            return cls(receipt.lane, receipt.key, receipt)
        return cls(lane, key or "")

    def document(self) -> dict[str, object]:
        """As it travels."""
        document: dict[str, object] = {"lane": self.lane, "key": self.key}
        if self.receipt is not None and self.receipt.message_id:
            document |= {"id": self.receipt.item_id, "message_id": self.receipt.message_id}
        return document

    def unknown(self) -> OvernightError:
        """What to raise when the workers know no such item: one that was enqueued is on its way."""
        if self.receipt is not None:
            return NotYet(f"item {self.key!r}: no worker has taken it in yet")
        return UnknownItem(f"lane {self.lane!r} has no item {self.key!r}")

    def read(self, answer: object) -> Any:
        """An answer about it. Raises Rejected or NotYet where that is the answer."""
        if isinstance(answer, dict) and answer.get("rejected") is not None:
            raise Rejected(f"item {self.key!r}: {answer['rejected']}")
        if isinstance(answer, dict) and answer.get("not_yet") is not None:
            raise NotYet(f"item {self.key!r}: {answer['not_yet']}")
        if isinstance(answer, dict) and answer.get("refused") is not None:
            raise Rejected(f"item {self.key!r}: {answer['refused']}")
        return answer


class Questions:
    """Asks the workers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def ask(self, question: str, about: dict[str, object], *, within_s: float | None = None) -> Steps[Reply]:
        """Ask until there is an answer. Raises Unreachable.

        within_s: for so long, 12 seconds by default. Where a worker of an earlier version doesn't know the question,
            another may.
        """
        stop_at = time.monotonic() + (_ANSWER_S if within_s is None else within_s)
        silence = ""
        for _ in range(_ASKED_TIMES):
            try:
                return (yield from self._wire.ask(question, about, timeout_s=stop_at - time.monotonic()))
            except TimeoutError as error:
                silence = str(error)
            if time.monotonic() >= stop_at:
                break
        raise Unreachable(f"{silence}: is `overnight up` (or an answer worker) running?")

    def outcome(self, about: About, *, within_s: float | None = None) -> Steps[Outcome | None]:
        """An item's outcome; None while it isn't final. Raises Rejected, NotYet, UnknownItem or Unreachable."""
        answer = about.read((yield from self.ask("outcome", about.document(), within_s=within_s)))
        if answer is None:
            raise about.unknown()
        return None if answer["outcome"] is None else Outcome.read(answer["outcome"])

    def outcomes(self, wanted: dict[str, object], after: int) -> Steps[tuple[list[Outcome], int | None]]:
        """A page of outcomes, in the order in which their items were accepted, and after which item the next begins.

        after: 0 for the first page. None is returned with the last.
        """
        page = yield from self.ask("outcomes", {**wanted, "after": after})
        return [Outcome.read(document) for document in page["outcomes"]], page["next"]

    def run(self, name: str, *, within_s: float | None = None) -> Steps[dict[str, int]]:
        """A run's items by state; empty when nothing of it is in Postgres."""
        states: dict[str, int] | None = yield from self.ask("run", {"run": name}, within_s=within_s)
        return states or {}


def wait_for(subject: str, look: Callable[[float], Steps[T | None]], *, timeout: float) -> Steps[T]:
    """Look until there is something. Raises NotFinished after `timeout` seconds.

    look: is told for how many seconds it may ask. Redis, or all workers, may be away meanwhile: it looks again.
    """
    stop_at = time.monotonic() + timeout
    pause_s = 0.02
    while True:
        cause: Exception | None = None
        silence = "it isn't final"
        try:
            value = yield from look(max(stop_at - time.monotonic(), 0.5))
        except (NotYet, KeyMissing, Unreachable) as error:
            value, cause, silence = None, error, str(error)
        if value is not None:
            return value
        if time.monotonic() + pause_s > stop_at:
            raise NotFinished(
                f"{subject} has no outcome after {timeout:g} s ({silence}): wait longer, or read it later"
            ) from cause
        yield Pause(pause_s)  # the workers are asked again; there is nothing here to wait on
        pause_s = min(pause_s * 1.5, _LONGEST_PAUSE_S)
