"""`Overnight`: what a product calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, TypeVar, overload

from celery.canvas import Signature

from overnight_models.errors import PermanentError
from overnight_models.wire.message import CallbackLine
from overnight_models.wire.outcome import Outcome
from overnight_producers.calls import Calls, instead
from overnight_producers.connection import Connection
from overnight_producers.item import IfKnown, Item, Moment
from overnight_producers.outbox import Outbox
from overnight_producers.questions import About
from overnight_producers.receipts import Confirmation, Receipt, Sent
from overnight_producers.settings import ProducerSettings
from overnight_producers.standing_in import StandIn, StandInConnection, stand_in
from overnight_producers.steps import NextItem, PutRow, Reply, Step, Steps, run, take
from overnight_producers.structured import OutputModel
from overnight_producers.warner import Warner
from overnight_producers.wire import Wire

T = TypeVar("T")


class _Held(NamedTuple):
    """What one process calls through."""

    calls: Calls
    connection: Connection | StandInConnection


class Overnight:
    """Hand over requests, and ask about them.

    Connects on first use; safe to share between threads, and after a fork. `with Overnight() as overnight:` closes it,
    and a call behind that block raises PermanentError.

    redis_url: Overnight's Redis; default: OVERNIGHT_REDIS_URL, else the one that `overnight up` runs.
    inbox: the inbox table for what is enqueued with a `session`, as NAME or SCHEMA.NAME; default: OVERNIGHT_INBOX, else
    "overnight_inbox".
    """

    def __init__(self, redis_url: str | None = None, *, inbox: str | None = None) -> None:
        self._given_url = redis_url
        self._outbox = Outbox(inbox)
        self._held: dict[int, _Held] = {}
        self._stood_in: tuple[StandIn, _Held] | None = None
        self._warner = Warner()
        self._has_ended = False
        """Its block has."""

    def enqueue(
        self,
        params: Mapping[str, object],
        *,
        lane: str = "default",
        key: str | None = None,
        tenant: str | None = None,
        run: str | None = None,
        betas: Sequence[str] = (),
        output: type[OutputModel] | Mapping[str, object] | None = None,
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
        callback: a Celery signature or `task(...)`, which gets the `Outcome` first, or `webhook(...)`. None: read it
        with `outcome`.
        cuttable: the place of the text that may be cut where the lane cuts what is too long, as "messages.0.content".
        if_known: what becomes of it when its key has an item already that asks the same for another callback, run,
        tenant or trace id. "conflict": it is turned down, as `confirm` says. "deliver": that outcome comes to this
        one's callback too, now or when it is there, and is paid once. "redo": where that one failed or was canceled,
        this one takes its place, whatever it asks.
        deadline: by when the answer is wanted: an aware datetime, or how long from now, as timedelta(hours=2) or "2h".
        In a lane that goes by deadline it decides between a batch and real time. None: the lane's own, if it has one.
        give_up_at: from when on the answer is of no use: then it isn't bought any more.
        session: a Session or Connection of SQLAlchemy, a connection of psycopg, or Django's, to your own database (for
        AsyncOvernight an AsyncSession or AsyncConnection): the item becomes a row of its inbox table, in its
        transaction. Rolled back it never was; committed, it is taken on exactly once by `overnight relay`, and can't be
        lost. Nothing is sent to Redis.

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
        return self._run(
            lambda calls: calls.enqueue(item, lane, run, in_transaction=session is not None), session=session
        )

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
        return self._run(lambda calls: calls.enqueue_many(sent, bad), items, session)

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
        return self._run(lambda calls: calls.enqueue_confirmed(sent, timeout, progress), items)

    def confirm(self, receipt: Receipt | Sent, *, timeout: float = 5.0) -> Confirmation:
        """Wait until the items are in Postgres: from then on they can't be lost.

        timeout: seconds. Redis and the workers may be away and come back meanwhile.

        Raises NotConfirmed when no word of some of them came (send them again, it's free), and Rejected when a
        receipt's item was turned down. For many, look at `rejected`.
        """
        return self._run(lambda calls: calls.confirm(receipt, timeout))

    def outcome(
        self, receipt: Receipt | None = None, *, key: str | None = None, lane: str = "default"
    ) -> Outcome | None:
        """What came back for an item; None when it isn't final yet.

        A receipt is answered for its own item and no other; `key` and `lane` for whatever item has that key.

        Raises NotYet when no worker has taken the receipt's item in yet, Rejected when the workers turned it down,
        UnknownItem when no item has the key, KeyMissing while it waits for an encryption key, Unreachable when no
        worker answers.
        """
        about = About.of(receipt, key, lane)
        return self._run(lambda calls: calls.outcome(about))

    def outcomes(self, *, run: str, lane: str | None = None, problem: str | None = None) -> Iterator[Outcome]:
        """The outcomes of a run so far, in the order in which its items were accepted. Memory stays flat.

        Items that aren't final are left out: `wait(run=...)` first, or ask again later.

        problem: only with this problem, as "refused"; or "any" of them.

        Raises Unreachable when no worker answers, and KeyMissing while an encryption key isn't there.
        """
        wanted: dict[str, object] = {"run": run, "lane": lane, "problem": problem}
        after: int | None = 0
        while after is not None:
            page, after = self._page(wanted, after)
            yield from page

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
        return self._run(lambda calls: calls.wait(receipt, key, lane, run, timeout))

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
        return self._run(lambda calls: calls.cancel(about))

    def redo(
        self,
        receipt: Receipt | None = None,
        *,
        key: str | None = None,
        lane: str = "default",
        params: Mapping[str, object] | None = None,
        betas: Sequence[str] = (),
        output: type[OutputModel] | Mapping[str, object] | None = None,
    ) -> Receipt:
        """Have an item tried again that failed or was canceled; returns when Postgres has it.

        It is sent and paid for again; its callback, run, tenant and trace id stay, its earlier bill too. Its receipt
        and its key stand for the new try, whose outcome comes with a new delivery id.

        params: what to ask instead, with its `betas` and `output`; None: the same again.

        Raises Rejected when it has an answer or isn't final, UnknownItem when no item has the key, NotYet when no
        worker has taken the receipt's item in yet; BadItem; NotConfirmed or Unreachable: then call it again.
        """
        about = About.of(receipt, key, lane)
        item = instead(about, params, betas, output)
        return self._run(lambda calls: calls.redo(receipt, about, item))

    def run(self, name: str) -> dict[str, int]:
        """A run's items by state; `succeeded`, `failed` and `canceled` are final. Empty when nothing of it arrived."""
        return self._run(lambda calls: calls.run(name))

    def unfinished(self, run: str) -> int:
        """How many of a run's items in Postgres aren't final yet: `confirm` first, or some aren't there yet.

        Raises UnknownRun when there is nothing of it.
        """
        return self._run(lambda calls: calls.unfinished(run))

    def acknowledge(self, word: str) -> None:
        """Say that a callback has done its work, where `@callback` doesn't: in a consumer of your own.

        word: the value of its message's header `overnight_ack`, as it came.

        Raises Unreachable; then say it again, or the outcome comes again, with the same delivery id.
        """
        self._run(lambda calls: calls.acknowledge(word))

    def close(self) -> None:
        """Close this process's connections; the next call opens them again."""
        held = self._held.pop(os.getpid(), None)
        if held is not None:
            held.connection.close()

    def __enter__(self) -> Self:
        self._has_ended = False
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._has_ended = True
        self.close()

    def _page(self, wanted: dict[str, object], after: int) -> tuple[list[Outcome], int | None]:
        return self._run(lambda calls: calls.outcomes(wanted, after))

    def _run(self, call: Callable[[Calls], Steps[T]], items: Iterable[Item] = (), session: object = None) -> T:
        """Run a call. items: those that it hands over. session: whose transaction takes them."""
        held = self._holding()
        given = iter(items)

        def step_by_step(step: Step) -> Reply:
            if isinstance(step, NextItem):
                return next(given, None)
            if isinstance(step, PutRow):
                substitute = stand_in()
                return self._outbox.put(session, step.row) if substitute is None else substitute.row(step.row, session)
            return take(held.connection, step)

        return run(call(held.calls), step_by_step)

    def _holding(self) -> _Held:
        """What this process calls through. Raises PermanentError."""
        if self._has_ended:
            raise PermanentError(
                "its `with` block has ended, and its connections are closed: call it within the block, or make one"
                " without a block, which connects when it is used, and `close()` it at the end"
            )
        substitute = stand_in()
        if substitute is not None:
            if self._stood_in is None or self._stood_in[0] is not substitute:
                url = self._given_url or ProducerSettings().redis_url or None
                calls = Calls(Wire(url, substitute.policy), self._warner)
                self._stood_in = substitute, _Held(calls, StandInConnection(substitute))
            return self._stood_in[1]
        pid = os.getpid()
        held = self._held.get(pid)
        if held is None:
            url, place = ProducerSettings().place(self._given_url)
            held = self._held[pid] = _Held(Calls(Wire(url), self._warner), Connection(place))
        return held
