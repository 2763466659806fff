"""`Overnight`: what a product calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, overload
from uuid import uuid4

from celery.canvas import Signature
from pydantic import BaseModel

from overnight_models.errors import BadItem, NotConfirmed, NotYet, Rejected, UnknownRun, Unreachable
from overnight_models.states import ITEM
from overnight_models.wire import message
from overnight_models.wire.item_check import item_faults, lane_faults
from overnight_models.wire.message import CallbackLine, ItemLine, Line
from overnight_models.wire.outcome import Outcome
from overnight_producers import confirming
from overnight_producers.item import IfKnown, Item, Moment, cut, line_of
from overnight_producers.outbox import Outbox, row_of
from overnight_producers.questions import About, Questions, wait_for
from overnight_producers.receipts import Confirmation, Receipt, Rejection, Sent
from overnight_producers.settings import ProducerSettings
from overnight_producers.warner import Warner
from overnight_producers.window import Window
from overnight_producers.wire import Wire, send_lines


class Overnight:
    """Hand over requests, and ask about them.

    Connects on first use; safe to share between threads, and after a fork.

    redis_url: Overnight's Redis; default: OVERNIGHT_REDIS_URL, else the one that `overnight up` runs.
    inbox: the inbox table for what is enqueued with a `session`, as NAME or SCHEMA.NAME; default: OVERNIGHT_INBOX, else
    "overnight_inbox".
    """

    def __init__(self, redis_url: str | None = None, *, inbox: str | None = None) -> None:
        self._given_url = redis_url
        self._outbox = Outbox(inbox)
        self._wires: dict[int, Wire] = {}
        self._warner = Warner()
        self._questions = Questions(lambda: self._wire)

    @property
    def _wire(self) -> Wire:
        pid = os.getpid()
        wire = self._wires.get(pid)
        if wire is None:
            settings = ProducerSettings()
            url = self._given_url or settings.url()
            wire = self._wires[pid] = Wire(url, ca_file=settings.redis_ca, master_name=settings.redis_master)
        return wire

    def enqueue(
        self,
        params: Mapping[str, object],
        *,
        lane: str = "default",
        key: str | None = None,
        tenant: str | None = None,
        run: str | None = None,
        betas: Sequence[str] = (),
        output: type[BaseModel] | Mapping[str, object] | None = None,
        callback: Signature[Any] | CallbackLine | None = None,
        trace_id: str | None = None,
        cuttable: str | None = None,
        if_known: IfKnown = "conflict",
        deadline: Moment | None = None,
        give_up_at: Moment | None = None,
        session: object | None = None,
    ) -> Receipt:
        """Hand over one request; returns when Redis has it, which is before Postgres has it: see `confirm`.

        params: exactly what `client.messages.create(**params)` takes. What many requests begin with (tools, system, all
        messages but the last) is sent and stored once.
        key: your name for it, unique in the lane. The same key again, with the same content, callback, run, tenant and
        trace id, is the same item, paid once.
        output: a pydantic model or JSON schema; the answer is asked for in that form and validated when it is back.
        callback: a Celery signature, or `task(...)`; it gets the `Outcome` first. None: read it with `outcome`.
        cuttable: the place of the text that may be cut where the lane cuts what is too long, as "messages.0.content".
        if_known: what becomes of it when its key has an item already that asks the same for another callback, run,
        tenant or trace id. "conflict": it is turned down, as `confirm` says. "deliver": that outcome comes to this
        one's callback too, now or when it is there, and is paid once. "redo": where that one failed or was canceled,
        this one takes its place, whatever it asks.
        deadline: by when the answer is wanted: an aware datetime, or how long from now, as timedelta(hours=2) or "2h".
        In a lane that goes by deadline it decides between a batch and real time. None: the lane's own, if it has one.
        give_up_at: from when on the answer is of no use: then it isn't bought any more.
        session: a Session or Connection of SQLAlchemy, a connection of psycopg, or Django's, to your own database: the
        item becomes a row of its inbox table, in its transaction. Rolled back it never was; committed, it is taken on
        exactly once by `overnight relay`, and can't be lost. Nothing is sent to Redis.

        The receipt's `warnings` say what is likely to come back as an error or cut off.

        Raises BadItem when it is known to be wrong, Unreachable within two seconds when Redis doesn't answer; then
        enqueue the same again, with the same key. BadSession when the session can't take it; whatever else your
        database says comes as the session raises it.
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
            if_known=if_known,
            deadline=deadline,
            give_up_at=give_up_at,
        )
        line, sent, warnings = self._checked(item, lane, index=None, session=session)
        message_id = str(uuid4())
        self._hand_over(message_id, lane, run, [sent], session)
        return Receipt(line["id"], line["key"], lane, message_id, warnings, in_transaction=session is not None)

    def enqueue_many(
        self,
        items: Iterable[Item],
        *,
        lane: str = "default",
        run: str | None = None,
        bad: Literal["collect", "raise"] = "collect",
        session: object | None = None,
    ) -> Sent:
        """Hand over many requests, 500 to a message. Memory stays flat, whatever the iterable yields.

        run: a name for all of them, with one progress and one bill.
        bad: "collect" passes over bad items and lists them in the returned `Sent.bad`; "raise" stops at the first.
        session: as in `enqueue`: 500 items to a row.

        `Sent.receipts()` has the receipts, and so the keys, of the items without a key of their own.

        Raises BadItem (with "raise") or Unreachable; both have a `sent` that says what is in already. Items with keys
        can simply be enqueued again.
        """
        sent = Sent(lane=lane, run=run, in_transaction=session is not None)
        try:
            for group in self._groups(items, sent, bad, session):
                message_id = str(uuid4())
                self._hand_over(message_id, lane, run, group, session)
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
        try:
            total = self._confirmed(items, sent, window)
        except NotConfirmed as error:
            error.sent = sent
            raise
        bad = tuple(Rejection(item.key, item.index or 0, "; ".join(item.faults)) for item in sent.bad)
        return total + Confirmation(rejected=bad, warnings=sent.warnings, sent=sent)

    def confirm(self, what: Receipt | Sent, *, timeout: float = 5.0) -> Confirmation:
        """Wait until the items are in Postgres: from then on they can't be lost.

        timeout: seconds. Redis and the workers may be away and come back meanwhile.

        Raises NotConfirmed when no word of some of them came (send them again, it's free), and Rejected when a
        receipt's item was turned down. For many, look at `rejected`.
        """
        return confirming.confirm(lambda: self._wire, what, timeout=timeout)

    def outcome(
        self, receipt: Receipt | None = None, *, key: str | None = None, lane: str = "default"
    ) -> Outcome | None:
        """What came back for an item; None when it isn't final yet.

        A receipt is answered for its own item and no other; `key` and `lane` for whatever item has that key.

        Raises NotYet when no worker has taken the receipt's item in yet, Rejected when the workers turned it down,
        UnknownItem when no item has the key, Unreachable when no worker answers.
        """
        return self._questions.outcome(About.of(receipt, key, lane))

    def outcomes(self, *, run: str, lane: str | None = None, problem: str | None = None) -> Iterator[Outcome]:
        """The outcomes of a run so far, in the order in which its items were accepted. Memory stays flat.

        Items that aren't final are left out: `wait(run=...)` first, or ask again later.

        problem: only with this problem, as "refused"; or "any" of them.

        Raises Unreachable when no worker answers.
        """
        return self._questions.outcomes({"run": run, "lane": lane, "problem": problem})

    @overload
    def wait(self, receipt: Receipt, *, timeout: float = 60.0) -> Outcome: ...

    @overload
    def wait(self, *, key: str, lane: str = "default", timeout: float = 60.0) -> Outcome: ...

    @overload
    def wait(self, *, run: str, timeout: float = 60.0) -> dict[str, int]: ...

    def wait(
        self,
        receipt: Receipt | None = None,
        *,
        key: str | None = None,
        lane: str = "default",
        run: str | None = None,
        timeout: float = 60.0,
    ) -> Outcome | dict[str, int]:
        """Wait for an item's outcome, or for all of a run. For tests and scripts: a batch takes minutes to hours.

        run: every item of it that is in Postgres is waited for (`confirm` first); returns its items by state.
        timeout: seconds. Redis and the workers may be away and come back meanwhile.

        Raises NotFinished when `timeout` seconds weren't enough, Rejected at once when the workers turned the receipt's
        item down, UnknownItem when no item has the key.
        """
        if run is not None:
            return wait_for(f"run {run!r}", lambda within_s: self._finished(run, within_s), timeout=timeout)
        about = About.of(receipt, key, lane)
        return wait_for(
            f"item {about.key!r}", lambda within_s: self._questions.outcome(about, within_s=within_s), timeout=timeout
        )

    def cancel(
        self, receipt: Receipt | None = None, *, key: str | None = None, lane: str = "default"
    ) -> Literal["canceled", "too_late", "unknown"]:
        """Take an item back: a receipt's own and no other, or whatever item has that key.

        "canceled": never sent, never billed. "too_late": it may have been sent, so it is billed and recorded, and not
        delivered. "unknown": no item has that key.

        Raises Rejected when the workers turned the receipt's item down, NotYet when it isn't known yet what the
        receipt's item is, Unreachable when no worker answers.
        """
        about = About.of(receipt, key, lane)
        answer: Literal["canceled", "too_late", "unknown"] = about.read(self._questions.ask("cancel", about.document()))
        return answer

    def redo(
        self,
        receipt: Receipt | None = None,
        *,
        key: str | None = None,
        lane: str = "default",
        params: Mapping[str, object] | None = None,
        betas: Sequence[str] = (),
        output: type[BaseModel] | Mapping[str, object] | None = None,
    ) -> Receipt:
        """Have an item tried again that failed or was canceled; returns when Postgres has it.

        It is sent and paid for again; its callback, run, tenant and trace id stay, its earlier bill too. Its receipt
        and its key stand for the new try, whose outcome comes with a new delivery id.

        params: what to ask instead, with its `betas` and `output`; None: the same again.

        Raises Rejected when it has an answer or isn't final, UnknownItem when no item has the key, NotYet when no
        worker has taken the receipt's item in yet; BadItem; NotConfirmed or Unreachable: then call it again.
        """
        about = About.of(receipt, key, lane)
        if params is None:
            answer = about.read(self._questions.ask("redo", about.document()))
            if answer is None:
                raise about.unknown()
            item_id = str(answer["receipt"])
        else:
            item_id = self._redo_with(about, params, betas, output)
        message_id = "" if receipt is None else receipt.message_id
        return Receipt(item_id=item_id, key=about.key, lane=about.lane, message_id=message_id)

    def run(self, name: str) -> dict[str, int]:
        """A run's items by state; `succeeded`, `failed` and `canceled` are final. Empty when nothing of it arrived."""
        return self._questions.run(name)

    def unfinished(self, run: str) -> int:
        """How many of a run's items in Postgres aren't final yet: `confirm` first, or some aren't there yet.

        Raises UnknownRun when there is nothing of it.
        """
        states = self.run(run)
        if not states:
            raise UnknownRun(
                f"nothing of a run {run!r} is in Postgres: is that its name? If it was enqueued just now: `confirm`"
                " first, or ask again"
            )
        return _unfinished(states)

    def close(self) -> None:
        """Close this process's connections; the next call opens them again."""
        wire = self._wires.pop(os.getpid(), None)
        if wire is not None:
            wire.close()

    def _redo_with(
        self,
        about: About,
        params: Mapping[str, object],
        betas: Sequence[str],
        output: type[BaseModel] | Mapping[str, object] | None,
    ) -> str:
        """Have an item tried again with other content. Returns its receipt's id."""
        outcome = self._questions.outcome(about)
        if outcome is None or outcome.ok:
            why = "it isn't final yet" if outcome is None else "it has its answer"
            raise Rejected(f"item {about.key!r}: {why}: only what failed or was canceled is tried again")
        sent = self.enqueue(params, lane=about.lane, key=about.key, betas=betas, output=output, if_known="redo")
        if not self.confirm(sent, timeout=10.0).redone:
            raise Rejected(f"item {about.key!r}: somebody else has had it tried again meanwhile")
        return outcome.item_id

    def _confirmed(self, items: Iterable[Item], sent: Sent, window: Window) -> Confirmation:
        """Send all of them through the window, and wait for the rest."""
        for group in self._groups(items, sent, "collect"):
            message_id = str(uuid4())
            sent.note(message_id, [line.position for line in group])
            window.add(message_id, group)
        return window.finish()

    def _finished(self, run: str, within_s: float) -> dict[str, int] | None:
        """A run's items by state when all are final. Raises NotYet when there are none."""
        states = self._questions.run(run, within_s=within_s)
        if not states:
            raise NotYet(f"nothing of run {run!r} is in Postgres")
        return None if _unfinished(states) else states

    def _hand_over(self, message_id: str, lane: str, run: str | None, lines: Sequence[Line], session: object) -> None:
        """One message on its way: to Redis, or into the session's transaction."""
        if session is None:
            send_lines(self._wire, message_id, lane, run, lines)
        else:
            self._outbox.put(session, row_of(message_id, lane, run, lines))

    def _checked(
        self, item: Item, lane: str, *, index: int | None, item_id: str | None = None, session: object = None
    ) -> tuple[ItemLine, Line, tuple[str, ...]]:
        """The item as it travels, whole and as it is sent, and what is likely to go wrong with it."""
        wire = self._wire
        try:
            line, written = line_of(item, redis_url=wire.url, item_id=item_id)
        except BadItem as error:
            raise BadItem(error.faults, key=error.key, index=index) from error.__cause__
        policy = wire.policy() if session is None else wire.last_policy()
        if policy is not None:
            may_hold_nul = b"\\" in written and b"\\u0000" in written
            faults = item_faults(line, lane=lane, size=len(written), policy=policy, may_hold_nul=may_hold_nul)
            if faults:
                raise BadItem(faults, key=item.key, index=index)
        warnings = self._warner.warnings(line["params"], item.betas)
        if session is not None:  # whole: Redis may lose a prefix before the relay comes
            return line, Line(index or 0, written, None), warnings
        return line, cut(line, written, wire.cutter, index=index or 0), warnings

    def _groups(
        self, items: Iterable[Item], sent: Sent, bad: Literal["collect", "raise"], session: object = None
    ) -> Iterator[list[Line]]:
        policy = self._wire.policy() if session is None else self._wire.last_policy()
        if policy is not None and lane_faults(sent.lane, policy):
            raise BadItem(lane_faults(sent.lane, policy))

        def lines() -> Iterator[Line]:
            for index, item in enumerate(items):
                try:
                    item_id = sent.item_id(index)
                    _, line, warnings = self._checked(item, sent.lane, index=index, item_id=item_id, session=session)
                except BadItem as error:
                    if bad == "raise":
                        raise
                    sent.bad.append(error)
                else:
                    if item.key is None:
                        sent.note_unnamed(index)
                    for warning in warnings:
                        sent.warnings[warning] += 1
                    yield line

        return message.fill(lines())


def _unfinished(states: Mapping[str, int]) -> int:
    return sum(n for state, n in states.items() if state not in ITEM.final)
