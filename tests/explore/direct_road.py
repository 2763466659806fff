"""The direct road as a model: one item, its calls in real time, and the batch that it may stand in beside them.

A call can't be looked up, so what it came to is known from its reply alone: `replies.classify` says what each proves.
Whatever the API billed must end as a bill or as *may have been billed*, whoever dies, freezes or is taken for dead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from overnight_models.states import ITEM
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.stages.direct.replies import Answered, Lost, Refused, classify
from tests.explore.search import Model
from tests.explore.world import NONE, moved, put

MOST_CALLS: Final = 3
_MAX_ATTEMPTS: Final = 3
BATCH: Final = 9
"""Who bills what the batch answered; calls are numbered from 0."""
_MESSAGE: Final = b'{"type":"message","content":[],"usage":{"input_tokens":1,"output_tokens":1}}'


class Part(StrEnum):
    """A part of what keeps it right, which a search can leave out to see that it is needed."""

    LET_GO = "let go"
    """Without it, nothing says that a dead process may have sent its call."""
    OURS = "ours"
    """Without it, a process that was taken for dead sends all the same."""
    ONCE = "once"
    """Without it, a call that somebody has ended is ended again by its own process."""
    FORGET = "forget"
    """Without it, what may have been billed stays so when its answer comes after all."""
    OUTLAST = "outlast"
    """Without it, a batch that brings nothing ends its item though a call of it is under way."""
    DOUBTS = "doubts"
    """Without it, the look at deadlines sends again what was sent as often as its lane allows."""
    FALL_BACK = "fall back"
    """Without it, a call that brings nothing ends its item though its batch goes on."""


class Ending(NamedTuple):
    """How a call ends, and whether the API has billed it."""

    name: str
    reply: Reply
    billed: bool
    costs: bool = True
    """It counts as something that goes wrong."""


ENDINGS: Final = (
    Ending("is answered", Reply(200, True, _MESSAGE, whole=True), billed=True, costs=False),
    Ending("isn't connected", Reply(None, False, text="refused"), billed=False),
    Ending("is told 429", Reply(429, True), billed=False),
    Ending("is told 400", Reply(400, True), billed=False),
    Ending("is told 403", Reply(403, True), billed=False),
    Ending("loses its answer", Reply(None, True, text="reset"), billed=True),
    Ending("never arrives whole", Reply(None, True, text="reset"), billed=False),
    Ending("is told 500 and was billed", Reply(500, True), billed=True),
    Ending("is told 500", Reply(500, True), billed=False),
    Ending("gets half of its answer", Reply(200, True, _MESSAGE[:20], whole=False), billed=True),
)
_VERDICTS: Final = tuple(classify(ending.reply) for ending in ENDINGS)


class Call(NamedTuple):
    """One call: the row, the process that makes it, and what is true at the API."""

    row: str = "taken"
    """taken, let go, or gone when somebody has ended it."""
    at: str = "taken"
    """Where its process is: taken, let go, sent, replied, over; dead."""
    ending: int = NONE
    believed_dead: bool = False
    billed: bool = False


class Road(NamedTuple):
    """Everything."""

    faults: int
    state: str
    to_send: bool
    """`direct_at` is set: whoever has room sends it."""
    in_batch: bool = False
    batch: str = "none"
    """none, running, S, E (tried again) or F when it has ended, over when it is recorded."""
    attempts: int = 0
    canceled: bool = False
    calls: tuple[Call, ...] = ()
    bills: tuple[int, ...] = ()
    doubts: frozenset[int] = frozenset()
    answer: int = NONE

    def call(self, number: int, call: Call) -> Road:
        """With one call changed."""
        return self._replace(calls=put(self.calls, number, call))

    def move(self, name: str, **beside: object) -> Road | None:
        """With its item moved; None when no row was updated."""
        after = moved(ITEM, name, self.state)
        return None if after is None else self._replace(state=after, **beside)  # type: ignore[arg-type]


class Bounds(NamedTuple):
    """How far a search looks."""

    faults: int = 2
    max_maybe_billed: int = 1
    without: frozenset[Part] = frozenset()


class Step(NamedTuple):
    """What happens, whether it is a fault, and what is then."""

    what: str
    is_fault: bool
    road: Road


def starts(bounds: Bounds) -> Sequence[Road]:
    """An item that goes in real time from the start, and one whose batch runs while its deadline comes nearer."""
    batched = Road(bounds.faults, "batched", to_send=False, in_batch=True, batch="running")
    return Road(bounds.faults, "waiting", to_send=True), batched


def steps(road: Road, bounds: Bounds) -> Iterator[Step]:
    """Everything that may happen next."""
    yield from _takes(road, bounds)
    for n, call in enumerate(road.calls):
        yield from _goes_on(road, n, call, bounds)
        yield from _dies(road, n, call)
        if call.row != "gone" and (call.at == "dead" or call.believed_dead):
            yield Step(f"the sweep ends call {n}", False, _abandoned(road, n, bounds))
    yield from _batch(road, bounds)
    if road.faults and not road.canceled and road.state not in ITEM.final:
        wished = road._replace(faults=road.faults - 1, canceled=True)
        yield Step("its owner takes it back", True, wished.move("cancel", to_send=False) or wished)


def _may_be_sent(road: Road, bounds: Bounds) -> bool:
    """By the look at deadlines: not what was sent as often as its lane allows."""
    return len(road.doubts) <= bounds.max_maybe_billed or Part.DOUBTS in bounds.without


def _takes(road: Road, bounds: Bounds) -> Iterator[Step]:
    is_batched = road.state == "batched" and road.batch == "running"
    if is_batched and not road.to_send and not road.canceled and _may_be_sent(road, bounds):
        yield Step("its deadline is at risk", False, road._replace(to_send=True))
    if road.to_send and len(road.calls) < MOST_CALLS:
        sent = road.move("urge") or road.move("race")
        if sent is not None:
            taken = sent._replace(to_send=False, calls=(*road.calls, Call()))
            yield Step(f"call {len(road.calls)} is taken", False, taken)


def _goes_on(road: Road, n: int, call: Call, bounds: Bounds) -> Iterator[Step]:
    match call.at:
        case "taken" if call.row == "gone" and Part.OURS not in bounds.without:
            yield Step(f"call {n} isn't its process's any more", False, road.call(n, call._replace(at="over")))
        case "taken":
            row = call.row if call.row == "gone" or Part.LET_GO in bounds.without else "let go"
            yield Step(f"call {n} is let go", False, road.call(n, call._replace(row=row, at="let go")))
        case "let go":
            for number, ending in enumerate(ENDINGS):
                if ending.costs and not road.faults:
                    continue
                after = call._replace(at="replied", ending=number, billed=ending.billed)
                left = road._replace(faults=road.faults - ending.costs)
                yield Step(f"call {n} {ending.name}", ending.costs, left.call(n, after))
        case "replied":
            over = road.call(n, call._replace(at="over"))
            yield Step(f"what call {n} came to is recorded", False, _recorded(over, n, call, bounds))


def _dies(road: Road, n: int, call: Call) -> Iterator[Step]:
    if not road.faults or call.at in ("over", "dead"):
        return
    failed = road._replace(faults=road.faults - 1)
    yield Step(f"the process of call {n} dies ({call.at})", True, failed.call(n, call._replace(at="dead")))
    if call.at == "let go":
        sent = call._replace(at="dead", billed=True)
        yield Step(f"the process of call {n} dies after it was billed", True, failed.call(n, sent))
    if not call.believed_dead and call.row != "gone":
        believed = call._replace(believed_dead=True)
        yield Step(f"the process of call {n} is taken for dead", True, failed.call(n, believed))


def _recorded(road: Road, n: int, call: Call, bounds: Bounds) -> Road:
    """direct.record: an answer counts however late it comes, an error only if nobody has ended its call before."""
    ends_it = call.row != "gone" or Part.ONCE in bounds.without
    ended = road.call(n, call._replace(row="gone", at="over"))
    match _VERDICTS[call.ending]:
        case Answered():
            if Part.FORGET not in bounds.without:
                ended = ended._replace(doubts=ended.doubts - {n})
            return _billed(ended, n)
        case _ if not ends_it:
            return ended
        case Lost():
            return _doubted(ended, n, bounds)
        case Refused():
            return _fails(ended, again=False, bounds=bounds)
        case _:
            return _goes_back(ended, bounds)


def _billed(road: Road, who: int) -> Road:
    """A bill, and the first answer is kept."""
    kept = road.move("succeed", answer=who, to_send=False) or road
    return kept._replace(bills=(*kept.bills, who))


def _abandoned(road: Road, n: int, bounds: Bounds) -> Road:
    """direct.abandoned: what was let go may have been billed; the rest is where it was."""
    call = road.calls[n]
    ended = road.call(n, call._replace(row="gone"))
    return _doubted(ended, n, bounds) if call.row == "let go" else _goes_back(ended, bounds)


def _doubted(road: Road, n: int, bounds: Bounds) -> Road:
    doubted = road._replace(doubts=road.doubts | {n})
    return _fails(doubted, again=len(doubted.doubts) <= bounds.max_maybe_billed, bounds=bounds)


def _fails(road: Road, *, again: bool, bounds: Bounds) -> Road:
    """RETRY_OWN, or FAIL_OWN: its batch goes on, or it is tried again, or it fails."""
    if Part.FALL_BACK not in bounds.without:
        fallen = road.move("fall_back", to_send=again and not road.canceled)
        if fallen is not None:
            return fallen
    if again and road.state == "direct" and road.attempts + 1 < _MAX_ATTEMPTS and not road.canceled:
        return road.move("retry", to_send=True, attempts=road.attempts + 1) or road
    return road.move("fail", to_send=False) or road


def _goes_back(road: Road, bounds: Bounds) -> Road:
    """WAIT_OWN: it was never sent, or not taken; whoever took it back meanwhile has it canceled."""
    if road.state == "racing":
        return _fails(road, again=True, bounds=bounds)
    back = road.move("retry", to_send=True) if road.state == "direct" else None
    if back is None:
        return road
    return back.move("cancel", to_send=False) or back if back.canceled else back


def _batch(road: Road, bounds: Bounds) -> Iterator[Step]:
    if road.batch == "running":
        yield Step("its batch ends: answered", False, road._replace(batch="S"))
        if road.faults:
            failed = road._replace(faults=road.faults - 1)
            yield Step("its batch ends: errored", True, failed._replace(batch="E"))
            yield Step("its batch ends: refused", True, failed._replace(batch="F"))
    elif road.batch in ("S", "E", "F"):
        over = road._replace(batch="over")
        recorded = _billed(over, BATCH) if road.batch == "S" else _left(over, again=road.batch == "E", bounds=bounds)
        yield Step("its batch's results are recorded", False, recorded)
    elif road.state == "waiting" and not road.to_send:
        yield Step("it is packed again", False, road.move("pack", in_batch=True, batch="running") or road)
        if _may_be_sent(road, bounds):
            yield Step("no batch is in time any more", False, road._replace(to_send=True))


def _left(road: Road, *, again: bool, bounds: Bounds) -> Road:
    """outcomes._leave_batch: tried again, or its call goes on, or it fails."""
    if not road.in_batch:
        return road
    if again and road.state == "batched" and road.attempts + 1 < _MAX_ATTEMPTS and not road.canceled:
        return road.move("retry", in_batch=False, attempts=road.attempts + 1) or road
    if Part.OUTLAST not in bounds.without:
        outlasted = road.move("outlast", in_batch=False)
        if outlasted is not None:
            return outlasted
    return road.move("fail", in_batch=False, to_send=False) or road


def broken(before: Road, after: Road, bounds: Bounds) -> Iterator[str]:
    """The promises that a step breaks."""
    under_way = [call for call in after.calls if call.row != "gone"]
    if before.state in ITEM.final and (before.state, before.answer) != (after.state, after.answer):
        yield f"it was {before.state} and is {after.state}: a final outcome changed"
    if after.state in ("direct", "racing") and len(under_way) != 1:
        yield f"it is {after.state}, and {len(under_way)} calls of it are under way"
    if after.state == "failed" and before.state != "failed" and (under_way or after.batch == "running"):
        yield "it failed while something may still answer it"
    for n, call in enumerate(after.calls):
        if call.at == "let go" and before.calls[n].at == "taken" and call.row == "gone":
            yield f"call {n} is sent although somebody has ended it"
    if len(after.doubts) > bounds.max_maybe_billed + 1:
        yield "SENT AGAIN more often than its lane allows after what may have been billed"


def at_rest(road: Road, _: Bounds) -> bool:
    """Everything has come home; what the API billed is billed here, or may have been."""
    own = [n for n in road.bills if n != BATCH]
    billed = {n for n, call in enumerate(road.calls) if call.billed}
    return (
        (road.state in ITEM.final or (road.to_send and len(road.calls) == MOST_CALLS))
        and all(call.row == "gone" and call.at in ("over", "dead") for call in road.calls)
        and road.batch in ("none", "over")
        and len(own) == len(set(own))
        and set(own) <= billed <= {*own, *road.doubts}
        and not road.doubts & set(own)
        and (road.state != "succeeded" or road.answer in road.bills)
    )


MODEL: Final = Model[Road, Bounds](starts, steps, broken, at_rest, lambda road: [("item", road.state)])
