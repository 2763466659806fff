"""`Overnight`: what a product calls."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal
from uuid import uuid4

from celery.canvas import Signature
from pydantic import BaseModel

from overnight_models.errors import BadItem, NotConfirmed, NotFinished, Rejected, UnknownItem, Unreachable
from overnight_models.request.item_check import item_faults, lane_faults
from overnight_models.states import ITEM
from overnight_models.wire import message
from overnight_models.wire.message import CallbackLine, ItemLine, Line
from overnight_models.wire.outcome import Outcome
from overnight_producers.item import Item, cut, line_of
from overnight_producers.receipts import Confirmation, Receipt, Rejection, Sent, read_verdict
from overnight_producers.settings import ProducerSettings
from overnight_producers.warner import Warner
from overnight_producers.window import Window
from overnight_producers.wire import Wire, ask_verdicts, send_lines

_ANSWER_S: Final = 4.0
_ASKED_TIMES: Final = 3


class Overnight:
    """Hand over requests, and ask about them.

    Connects on first use; safe to share between threads, and after a fork.

    redis_url: Overnight's Redis; default: OVERNIGHT_REDIS_URL, else the one that `overnight up` runs.
    """

    def __init__(self, redis_url: str | None = None) -> None:
        self._given_url = redis_url
        self._wires: dict[int, Wire] = {}
        self._warner = Warner()

    @property
    def _wire(self) -> Wire:
        pid = os.getpid()
        wire = self._wires.get(pid)
        if wire is None:
            wire = self._wires[pid] = Wire(self._given_url or ProducerSettings().url())
        return wire

    def enqueue(
        self,
        params: Mapping[str, Any],
        *,
        lane: str = "default",
        key: str | None = None,
        tenant: str | None = None,
        run: str | None = None,
        betas: Sequence[str] = (),
        output: type[BaseModel] | Mapping[str, Any] | None = None,
        callback: Signature[Any] | CallbackLine | None = None,
        trace_id: str | None = None,
        cuttable: str | None = None,
    ) -> Receipt:
        """Hand over one request; returns when Redis has it, which is before Postgres has it: see `confirm`.

        params: exactly what `client.messages.create(**params)` takes. What many requests begin with (tools, system, all
        messages but the last) is sent and stored once.
        key: your name for it, unique in the lane. The same key and content again is the same item, paid once.
        output: a pydantic model or JSON schema; the answer is asked for in that form and validated when it is back.
        callback: a Celery signature, or `task(...)`; it gets the `Outcome` first. None: read it with `outcome`.
        cuttable: the place of the text that may be cut where the lane cuts what is too long, as "messages.0.content".

        The receipt's `warnings` say what is likely to come back as an error or cut off.

        Raises BadItem when it is known to be wrong, Unreachable within two seconds when Redis doesn't answer; then
        enqueue the same again, with the same key.
        """
        item = Item(
            params=params,
            key=key,
            tenant=tenant,
            betas=betas,
            output=output,
            callback=callback,
            trace_id=trace_id,
            cuttable=cuttable,
        )
        line, sent, warnings = self._checked(item, lane, index=None)
        message_id = str(uuid4())
        send_lines(self._wire, message_id, lane, run, [sent])
        return Receipt(item_id=line["id"], key=line["key"], lane=lane, message_id=message_id, warnings=warnings)

    def enqueue_many(
        self,
        items: Iterable[Item],
        *,
        lane: str = "default",
        run: str | None = None,
        bad: Literal["collect", "raise"] = "collect",
    ) -> Sent:
        """Hand over many requests, 500 to a message. Memory stays flat, whatever the iterable yields.

        run: a name for all of them, with one progress and one bill.
        bad: "collect" passes over bad items and lists them in the returned `Sent.bad`; "raise" stops at the first.

        Raises BadItem (with "raise") or Unreachable; both have a `sent` that says what is in already. Items with keys
        can simply be enqueued again.
        """
        sent = Sent(lane=lane, run=run)
        try:
            for group in self._groups(items, sent, bad):
                message_id = str(uuid4())
                send_lines(self._wire, message_id, lane, run, group)
                sent.note(message_id, [line.position for line in group])
        except (BadItem, Unreachable) as error:
            error.sent = sent
            raise
        return sent

    def enqueue_confirmed(
        self,
        items: Iterable[Item],
        *,
        lane: str = "default",
        run: str | None = None,
        timeout: float = 60.0,
        progress: Callable[[Confirmation], None] | None = None,
    ) -> Confirmation:
        """Hand over many requests and see them into Postgres: what isn't confirmed in time is sent again.

        Keeps a window of a few messages in memory, so it is flat too, and never runs far ahead of the workers.

        timeout: seconds without any confirmation (or any Redis) after which it gives up.
        progress: called with the sum so far after each confirmation.

        Raises NotConfirmed; what is in stays in, and enqueuing the same again is free.
        """
        sent = Sent(lane=lane, run=run)
        window = Window(lambda: self._wire, sent, timeout, progress)
        for group in self._groups(items, sent, "collect"):
            message_id = str(uuid4())
            sent.note(message_id, [line.position for line in group])
            window.add(message_id, group)
        total = window.finish()
        bad = tuple(Rejection(one.key, one.index or 0, "; ".join(one.faults)) for one in sent.bad)
        return total + Confirmation(rejected=bad, warnings=sent.warnings)

    def confirm(self, what: Receipt | Sent, *, timeout: float = 5.0) -> Confirmation:
        """Wait until the items are in Postgres: from then on they can't be lost.

        timeout: seconds.

        Raises NotConfirmed when no word of some of them came (send them again, it's free), and Rejected when a
        receipt's item was turned down. For many, look at `rejected`.
        """
        waiting = list(what.messages) if isinstance(what, Sent) else [what.message_id]
        stop_at = time.monotonic() + timeout
        total = Confirmation()
        pause_s = 0.01
        silence = "they haven't arrived"
        while waiting:
            try:
                # a question can get lost: asked again each second
                left_s = max(stop_at - time.monotonic(), 0.05)
                verdicts = ask_verdicts(self._wire, waiting, timeout_s=min(left_s, 1.0))
            except TimeoutError as error:
                verdicts, silence = {}, str(error)
            waiting = [message_id for message_id in waiting if message_id not in verdicts]
            for message_id, verdict in verdicts.items():
                total += read_verdict(verdict, what, message_id)
            if waiting and time.monotonic() + pause_s > stop_at:
                raise NotConfirmed(
                    f"{len(waiting)} messages to lane {what.lane!r} aren't confirmed after {timeout:g} s: {silence}."
                    " Send them again, it's free; if it stays so, is `overnight up` (or an accept worker) running?"
                )
            if waiting:
                time.sleep(pause_s)  # the workers are asked again; there is nothing here to wait on
                pause_s = min(pause_s * 1.5, 0.5)
        if isinstance(what, Receipt) and total.rejected:
            raise Rejected(f"item {what.key!r}: {total.rejected[0].why}")
        return total

    def outcome(
        self, receipt: Receipt | None = None, *, key: str | None = None, lane: str = "default"
    ) -> Outcome | None:
        """What came back for an item; None when it isn't final yet.

        Raises UnknownItem when there is no such item, Unreachable when no worker answers.
        """
        lane, key = (receipt.lane, receipt.key) if receipt is not None else (lane, key or "")
        found = self._ask("outcome", {"lane": lane, "key": key})
        if found is None:
            raise UnknownItem(f"lane {lane!r} has no item {key!r}")
        return None if found["outcome"] is None else Outcome.read(found["outcome"])

    def wait(self, receipt: Receipt, *, timeout: float = 60.0) -> Outcome:
        """Wait for an item's outcome. For tests and scripts: a batch takes minutes to hours.

        Raises NotFinished when `timeout` seconds weren't enough.
        """
        stop_at = time.monotonic() + timeout
        pause_s = 0.02
        while True:
            try:
                found = self.outcome(receipt)
            except UnknownItem:
                found = None  # not accepted yet
            if found is not None:
                return found
            if time.monotonic() + pause_s > stop_at:
                raise NotFinished(
                    f"item {receipt.key!r} has no outcome after {timeout:g} s: wait longer, or read it later"
                )
            time.sleep(pause_s)  # the workers are asked again; there is nothing here to wait on
            pause_s = min(pause_s * 1.5, 1.0)

    def cancel(
        self, receipt: Receipt | None = None, *, key: str | None = None, lane: str = "default"
    ) -> Literal["canceled", "too_late", "unknown"]:
        """Take an item back.

        "canceled": never sent, never billed. "too_late": it may have been sent, so it is billed and recorded, and not
        delivered. "unknown": there is no such item (or it isn't accepted yet).
        """
        lane, key = (receipt.lane, receipt.key) if receipt is not None else (lane, key or "")
        answer: Literal["canceled", "too_late", "unknown"] = self._ask("cancel", {"lane": lane, "key": key})
        return answer

    def run(self, name: str) -> dict[str, int]:
        """A run's items by state; `succeeded`, `failed` and `canceled` are final. Empty when nothing of it arrived."""
        found: dict[str, int] | None = self._ask("run", {"run": name})
        return found or {}

    def unfinished(self, run: str) -> int:
        """How many items of a run aren't final yet."""
        return sum(n for state, n in self.run(run).items() if state not in ITEM.final)

    def close(self) -> None:
        """Close this process's connections; the next call opens them again."""
        wire = self._wires.pop(os.getpid(), None)
        if wire is not None:
            wire.close()

    def _ask(self, question: str, about: dict[str, Any]) -> Any:
        silence = ""
        for _ in range(_ASKED_TIMES):
            try:
                return self._wire.ask(question, about, timeout_s=_ANSWER_S)
            except TimeoutError as error:
                silence = str(error)  # a question can get lost: asked again
        raise Unreachable(f"{silence}, asked {_ASKED_TIMES} times: is `overnight up` (or an answer worker) running?")

    def _checked(self, item: Item, lane: str, *, index: int | None) -> tuple[ItemLine, Line, tuple[str, ...]]:
        """The item as it travels, whole and as it is sent, and what is likely to go wrong with it."""
        wire = self._wire
        try:
            line, written = line_of(item, redis_url=wire.url)
        except BadItem as error:
            raise BadItem(error.faults, key=error.key, index=index) from error.__cause__
        policy = wire.policy()
        if policy is not None:
            may_hold_nul = b"\\u0000" in written
            faults = item_faults(line, lane=lane, size=len(written), policy=policy, may_hold_nul=may_hold_nul)
            if faults:
                raise BadItem(faults, key=item.key, index=index)
        warnings = self._warner.warnings(line["params"], item.betas)
        return line, cut(line, written, wire.cutter, index=index or 0), warnings

    def _groups(self, items: Iterable[Item], sent: Sent, bad: Literal["collect", "raise"]) -> Iterator[list[Line]]:
        policy = self._wire.policy()
        if policy is not None and lane_faults(sent.lane, policy):
            raise BadItem(lane_faults(sent.lane, policy))

        def lines() -> Iterator[Line]:
            for index, item in enumerate(items):
                try:
                    _, line, warnings = self._checked(item, sent.lane, index=index)
                except BadItem as error:
                    if bad == "raise":
                        raise
                    sent.bad.append(error)
                else:
                    for warning in warnings:
                        sent.warnings[warning] += 1
                    yield line

        return message.fill(lines())
