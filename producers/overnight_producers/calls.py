"""The calls of a product: what each sends, and how it reads what comes back. No I/O in here.

`Overnight` and `AsyncOvernight` run these, one blocking and one awaiting, and say in their docstrings what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal
from uuid import uuid4

from overnight_models.errors import BadItem, NotConfirmed, NotYet, Rejected, UnknownRun, Unreachable
from overnight_models.routes import ACKS_KEY
from overnight_models.states import ITEM
from overnight_models.wire.message import Line
from overnight_models.wire.outcome import Outcome
from overnight_producers.confirming import confirm
from overnight_producers.intake import Groups, Intake
from overnight_producers.item import Item
from overnight_producers.outbox import row_of
from overnight_producers.questions import About, Questions, wait_for
from overnight_producers.receipts import Confirmation, Receipt, Rejection, Sent
from overnight_producers.steps import Commands, PutRow, Steps, advising
from overnight_producers.structured import OutputModel
from overnight_producers.warner import Warner
from overnight_producers.window import Window
from overnight_producers.wire import Wire

_ENQUEUE_AGAIN: Final = "enqueue the same again"
_ASK_AGAIN: Final = "ask again"


class Calls:
    """What a product may call, step by step."""

    def __init__(self, wire: Wire, warner: Warner) -> None:
        self._wire = wire
        self._intake = Intake(wire, warner)
        self._questions = Questions(wire)

    def enqueue(self, item: Item, lane: str, run: str | None, *, in_transaction: bool = False) -> Steps[Receipt]:
        """Hand over one request."""
        return advising(_ENQUEUE_AGAIN, self._enqueue(item, lane, run, in_transaction=in_transaction))

    def _enqueue(self, item: Item, lane: str, run: str | None, *, in_transaction: bool = False) -> Steps[Receipt]:
        line, sent, warnings = yield from self._intake.checked(item, lane, in_transaction=in_transaction)
        message_id = str(uuid4())
        yield from self._hand_over(message_id, lane, run, [sent], in_transaction)
        return Receipt(line["id"], line["key"], lane, message_id, warnings, in_transaction)

    def enqueue_many(self, sent: Sent, bad: Literal["collect", "raise"]) -> Steps[Sent]:
        """Hand over the items that the product gives."""
        return advising(_ENQUEUE_AGAIN, self._enqueue_many(sent, bad))

    def _enqueue_many(self, sent: Sent, bad: Literal["collect", "raise"]) -> Steps[Sent]:
        groups = Groups(self._intake, sent, bad)
        try:
            yield from self._intake.check_lane(sent.lane, in_transaction=sent.in_transaction)
            while group := (yield from groups.next()):
                message_id = str(uuid4())
                yield from self._hand_over(message_id, sent.lane, sent.run, group, sent.in_transaction)
                sent.note(message_id, [line.position for line in group])
        except (BadItem, Unreachable) as error:
            error.sent = sent
            raise
        return sent

    def enqueue_confirmed(
        self, sent: Sent, timeout: float, progress: Callable[[Confirmation], None] | None
    ) -> Steps[Confirmation]:
        """Hand over the items that the product gives, and see them into Postgres."""
        return advising(_ENQUEUE_AGAIN, self._enqueue_confirmed(sent, timeout, progress))

    def _enqueue_confirmed(
        self, sent: Sent, timeout: float, progress: Callable[[Confirmation], None] | None
    ) -> Steps[Confirmation]:
        window = Window(self._wire, sent, timeout, progress)
        groups = Groups(self._intake, sent, "collect", patient=True)
        try:
            yield from self._intake.check_lane(sent.lane, in_transaction=False)
            while group := (yield from groups.next()):
                message_id = str(uuid4())
                sent.note(message_id, [line.position for line in group])
                yield from window.add(message_id, group)
            total = yield from window.finish()
        except NotConfirmed as error:
            error.sent = sent
            raise
        bad = tuple(Rejection(item.key, item.index or 0, "; ".join(item.faults)) for item in sent.bad)
        return total + Confirmation(rejected=bad, warnings=sent.warnings, sent=sent)

    def confirm(self, receipt: Receipt | Sent, timeout: float) -> Steps[Confirmation]:
        """Wait until the items are in Postgres."""
        return confirm(self._wire, receipt, timeout=timeout)

    def outcome(self, about: About) -> Steps[Outcome | None]:
        """What came back for an item."""
        return advising(_ASK_AGAIN, self._questions.outcome(about))

    def outcomes(self, wanted: dict[str, object], after: int) -> Steps[tuple[list[Outcome], int | None]]:
        """A page of a run's outcomes, and after which item the next begins."""
        return advising(_ASK_AGAIN, self._questions.outcomes(wanted, after))

    def wait(
        self, receipt: Receipt | None, key: str | None, lane: str, run: str | None, timeout: float
    ) -> Steps[Outcome | dict[str, int]]:
        """Wait for an item's outcome, or for all of a run."""
        if run is not None:
            return wait_for(f"run {run!r}", lambda within_s: self._finished(run, within_s), timeout=timeout)
        about = About.of(receipt, key, lane)
        return wait_for(
            f"item {about.key!r}", lambda within_s: self._questions.outcome(about, within_s=within_s), timeout=timeout
        )

    def cancel(self, about: About) -> Steps[Literal["canceled", "too_late", "unknown"]]:
        """Take an item back."""
        asked = self._questions.ask("cancel", about.document())
        answer = yield from advising("cancel it again, that changes nothing twice", asked)
        word: Literal["canceled", "too_late", "unknown"] = about.read(answer)
        return word

    def redo(self, receipt: Receipt | None, about: About, item: Item | None) -> Steps[Receipt]:
        """Have an item tried again.

        item: what to ask instead; None: the same again.
        """
        return advising("call `redo` again, that changes nothing twice", self._redo(receipt, about, item))

    def _redo(self, receipt: Receipt | None, about: About, item: Item | None) -> Steps[Receipt]:
        if item is None:
            answer = about.read((yield from self._questions.ask("redo", about.document())))
            if answer is None:
                raise about.unknown()
            item_id = str(answer["receipt"])
        else:
            item_id = yield from self._redo_with(about, item)
        message_id = "" if receipt is None else receipt.message_id
        return Receipt(item_id=item_id, key=about.key, lane=about.lane, message_id=message_id)

    def run(self, name: str) -> Steps[dict[str, int]]:
        """A run's items by state."""
        return advising(_ASK_AGAIN, self._questions.run(name))

    def unfinished(self, run: str) -> Steps[int]:
        """How many of a run's items aren't final yet."""
        states = yield from self.run(run)
        if not states:
            raise UnknownRun(
                f"nothing of a run {run!r} is in Postgres: is that its name? If it was enqueued just now: `confirm`"
                " first, or ask again"
            )
        return _unfinished(states)

    def acknowledge(self, word: str) -> Steps[None]:
        """Say that a callback has done its work."""
        return advising("acknowledge it again, or it is delivered again", _acknowledge(word))

    def _hand_over(
        self, message_id: str, lane: str, run: str | None, lines: Sequence[Line], in_transaction: bool
    ) -> Steps[None]:
        """One message on its way: to Redis, or into the product's own transaction."""
        if in_transaction:
            yield PutRow(row_of(message_id, lane, run, lines))
        else:
            yield from self._wire.send_lines(message_id, lane, run, lines)

    def _redo_with(self, about: About, item: Item) -> Steps[str]:
        """Have an item tried again with other content. Returns its receipt's id."""
        outcome = yield from self._questions.outcome(about)
        if outcome is None or outcome.ok:
            why = "it isn't final yet" if outcome is None else "it has its answer"
            raise Rejected(f"item {about.key!r}: {why}: only what failed or was canceled is tried again")
        sent = yield from self._enqueue(item, about.lane, None)
        confirmation = yield from self.confirm(sent, 10.0)
        if not confirmation.redone:
            raise Rejected(f"item {about.key!r}: somebody else has had it tried again meanwhile")
        return outcome.item_id

    def _finished(self, run: str, within_s: float) -> Steps[dict[str, int] | None]:
        """A run's items by state when all are final. Raises NotYet when there are none."""
        states = yield from self._questions.run(run, within_s=within_s)
        if not states:
            raise NotYet(f"nothing of run {run!r} is in Postgres")
        return None if _unfinished(states) else states


def _acknowledge(word: str) -> Steps[None]:
    yield Commands((("LPUSH", ACKS_KEY, word),))


def _unfinished(states: Mapping[str, int]) -> int:
    return sum(n for state, n in states.items() if state not in ITEM.final)


def instead(
    about: About,
    params: Mapping[str, object] | None,
    betas: Sequence[str],
    output: type[OutputModel] | Mapping[str, object] | None,
) -> Item | None:
    """The item that takes another's place by `redo`; None: the same is asked again."""
    if params is None:
        return None
    return Item(params=params, key=about.key, betas=betas, output=output, if_known="redo")
