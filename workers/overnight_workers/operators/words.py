"""What the page says about the ledger: short sentences, and how much each should worry an operator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from overnight_models.quantities import money, several, spoken
from overnight_models.states import BATCH, DELIVERY
from overnight_workers.operators import lane_waits, targets

if TYPE_CHECKING:
    from overnight_models.ledger.money.budgets import BudgetView
    from overnight_models.ledger.operators.actions import ActionView
    from overnight_models.ledger.operators.item_views import ItemView
    from overnight_models.ledger.operators.overview import BatchView, LaneView, TurnaroundView
    from overnight_models.ledger.relays.seen import RelayView
    from overnight_workers.operators.snapshot import Look, Snapshot
    from overnight_workers.settings import Lane, Settings

CALM: Final = "calm"
NOTABLE: Final = "notable"
ALARMING: Final = "alarming"

ALWAYS_SHOWN: Final = ("waiting", "held", "batched", "succeeded", "failed")
"""States of items that have a column in the table of lanes, whether or not an item is in them."""

_NO_HISTORY: Final = "most end within 1 h, all within 24 h"
_HISTORY_FROM: Final = 3
"""Batches from which on a lane's own history is what is expected."""
_PROMPT_S: Final = 120.0
"""What takes seconds and has taken so long waits for a worker."""
_MOST_CHARACTERS: Final = 200
_EXPIRES_SOON_S: Final = 2 * 3600.0


@dataclass(frozen=True)
class Word:
    """One sentence and its tone."""

    text: str
    tone: str = CALM
    do: str = ""
    """What to do about it."""


def dollars(nano: int) -> str:
    """Money for a person: to the cent, and small amounts to their first digits."""
    amount = nano / 1e9
    digits = 2 if amount == 0 or abs(amount) >= 1 else 4 if abs(amount) >= 0.001 else 6
    return f"{'-' if amount < 0 else ''}${abs(amount):,.{digits}f}"


class Named(Protocol):
    """An item as lists have it."""

    @property
    def key(self) -> str:
        """The caller's own name for it."""
        ...

    @property
    def trace_id(self) -> str | None:
        """Of a catalog's row: the cells of its key, as JSON."""
        ...


def item_name(item: Named) -> str:
    """How people know an item: by its key; a catalog's row by the cells of its key, where they are known."""
    match item.key.split("/"):
        case ["catalog", catalog, _, variant, _]:
            with suppress(ValueError):
                cells = orjson.loads(item.trace_id or "")
                row = ", ".join(map(str, cells if isinstance(cells, list) else [cells]))
                return f"{catalog}: {row}" + ("" if variant == "-" else f" ({variant})")
    return item.key


def held(budget: BudgetView) -> str:
    """What a budget holds, and for how long the first of that has waited; empty when it holds nothing."""
    number = sum(budget.held.values())
    waits = "" if budget.held_waits_s is None else f", the first of them waits for {ago(budget.held_waits_s)}"
    return f"{several(number, 'item')} held{waits}" if number else ""


def billed(view: LaneView | BatchView) -> str:
    """What a lane's or a batch's answers cost, and how many aren't in it; empty before the first."""
    known = dollars(view.cost_nano) if view.realtime_nano else ""
    unknown = several(view.unpriced, "answer") + " without a price" if view.unpriced else ""
    return " + ".join(part for part in (known, unknown) if part)


def number(n: int) -> str:
    """A count, in groups of three."""
    return f"{n:,}"


def of_relay(relay: RelayView) -> str:
    """How it stands with an inbox of a product's database, as it was at the relay's last look."""
    oldest = f", the oldest for {spoken(relay.oldest_s)}" if relay.waiting else ""
    aside = f", {several(relay.aside, 'message')} put aside" if relay.aside else ""
    waiting = f"{several(relay.waiting, 'message')} in its inbox{oldest}{aside}"
    return f"{waiting}; {several(relay.items, 'item')} taken on so far"


def size(n_bytes: int) -> str:
    """Bytes for a person, in units of a thousand."""
    for unit, unit_bytes in (("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)):
        if n_bytes >= unit_bytes:
            return f"{n_bytes / unit_bytes:,.1f} {unit}"
    return f"{n_bytes} B"


def ago(duration_s: float | None) -> str:
    """A duration, or a hyphen where there is none."""
    return "-" if duration_s is None else spoken(max(duration_s, 0.0))


def meaning(state: str) -> str:
    """What a batch's state means."""
    return BATCH.states.get(state, "")


def tone_of(state: str) -> str:
    """How much a batch's state should worry an operator."""
    if state in ("rejected", "failed", "gone"):
        return ALARMING
    return NOTABLE if state in ("unclear", "incomplete", "canceling", "split") else CALM


def stopped(batch: BatchView, seen: Snapshot) -> str | None:
    """What keeps a batch from being sent, if somebody stopped its workspace or its lane."""
    if any(workspace.name == batch.workspace and workspace.held_for_s is not None for workspace in seen.workspaces):
        return "its workspace is held"
    if any(lane.lane == batch.lane and lane.paused_reason is not None for lane in seen.lanes):
        return "its lane is paused"
    return None


def expectation(batch: BatchView, history: TurnaroundView | None, stopped_by: str | None = None) -> Word:
    """What an unfinished batch is waiting for, and whether that takes longer than it should."""
    if batch.state in ("open", "canceling"):
        return _at_anthropic(batch, history)
    if batch.state == "packed" and stopped_by is not None:
        return Word(f"sent when that is over: {stopped_by}", NOTABLE)
    if batch.resumes_s is not None:
        return Word(f"sent again in {spoken(batch.resumes_s)}", NOTABLE)
    late = batch.changed_s > _PROMPT_S
    for_long = f" for {spoken(batch.changed_s)}: does a worker run this stage?" if late else ""
    tone = NOTABLE if late else CALM
    match batch.state:
        case "packed":
            return Word("to be sent" + for_long, tone)
        case "submitting":
            return Word(f"being sent for {spoken(batch.changed_s)}", tone)
        case "unclear":
            return Word("looked up at Anthropic before anything is sent again", NOTABLE)
        case "ended":
            return Word("its results are read" + for_long, tone)
        case "incomplete":
            return Word("lines are missing: its results are read again", NOTABLE)
        case "rejected":
            return Word("divided, to find the item that was turned down", NOTABLE)
    return Word(meaning(batch.state))


def _at_anthropic(batch: BatchView, history: TurnaroundView | None) -> Word:
    if batch.expires_s is not None and batch.expires_s < 0:
        return Word(f"expired {spoken(-batch.expires_s)} ago, and Anthropic hasn't ended it", ALARMING)
    if batch.expires_s is not None and batch.expires_s < _EXPIRES_SOON_S:
        return Word(f"expires in {ago(batch.expires_s)}; what isn't answered by then is tried again", ALARMING)
    if history is None or history.batches < _HISTORY_FROM:
        return Word(_NO_HISTORY)
    usual = f"half end within {spoken(history.median_s)}, 9 of 10 within {spoken(history.slow_s)}"
    if (batch.open_s or 0.0) > history.slow_s + 60:
        return Word(f"longer than usual: {usual}", NOTABLE)
    return Word(usual)


def waiting(lane: LaneView, policy: Lane | None, *, is_in_force: bool = False) -> Word | None:
    """What a lane's waiting items wait for.

    policy: the lane in the configuration read here; None: it isn't in it.
    is_in_force: the workers, whose configuration may be another, have the lane.
    """
    if not lane.items.get("waiting"):
        return None
    if policy is None and is_in_force:
        return Word("in the workers' policy, and not in the configuration read here", NOTABLE)
    if policy is None:
        return Word("not in the configuration: its items wait until it is", ALARMING)
    if lane.paused_reason is not None:
        return None
    if policy.road == "direct":
        return Word("sent in real time, as fast as the limits allow")
    closed = lane_waits.closed_hours(policy)
    if closed is not None:
        return Word(closed)
    if lane_waits.is_overdue(lane, policy):
        first = f"; {number(lane.unmeasured)} prompts are counted first" if lane.unmeasured else ""
        return Word(f"overdue: packed after {spoken(policy.max_wait)} at the latest{first}", NOTABLE)
    at_last = f"or {spoken(policy.max_wait)}"
    if policy.min_items > 1:
        at_last = f"and {spoken(policy.max_wait)} after {number(policy.min_items)} items are there"
    return Word(f"packed at {number(policy.max_items)} items, {size(policy.max_bytes)} {at_last}")


def keeps(item: ItemView, workspace: str, seen: Snapshot | None, settings: Settings) -> Word | None:
    """What an item waits for that is in no batch; None where it doesn't wait so, or nothing is known."""
    if item.state != "waiting" or seen is None:
        return None
    lane = next((lane for lane in seen.lanes if lane.lane == item.lane), None)
    if lane is not None and lane.paused_reason is not None:
        return Word(f"its lane is {lane_waits.paused(lane)}", NOTABLE)
    held = next((held for held in seen.workspaces if held.name == workspace and held.held_for_s is not None), None)
    if held is not None:
        return Word(f"its workspace is held for {ago(held.held_for_s)}: {held.held_reason}", NOTABLE)
    in_force = item.lane in seen.lanes_in_force(settings)
    return None if lane is None else waiting(lane, settings.lanes.get(item.lane), is_in_force=in_force)


def option(name: str, value: object) -> str:
    """An option of a lane and its value, as a person says it; durations and money with their units."""
    if value is not None and name == "max_cost_per_trace":
        return f"{name} = {dollars(int(str(value)))}"
    if isinstance(value, float) and name not in _SHARES:
        return f"{name} = {spoken(value)}"
    return f"{name} = {str(value).lower() if isinstance(value, bool) or value is None else value}"


_SHARES: Final = ("deadline_confidence",)
"""Options that are a part of 1; other fractions are seconds."""


def total(counts: Iterable[Mapping[str, int]], *states: str) -> int:
    """A state's number over all lanes; of several states, their sum."""
    return sum(by_state.get(state, 0) for by_state in counts for state in states)


def due(lane: LaneView) -> int:
    """Outcomes of a lane that their callbacks haven't taken yet."""
    return total([lane.deliveries], *DELIVERY.unfinished)


def deadlines(lane: LaneView) -> str:
    """What became of a lane's deadlines, in a line."""
    kept = lane.deadlines
    said = f"{kept.met:,} deadlines kept, {kept.missed:,} missed"
    if kept.rescued:
        said += f", {kept.rescued:,} rescued in real time for {money(kept.rescued_nano)}"
    if kept.doubles:
        said += f", and {kept.doubles:,} second answers of those dropped, for {money(kept.doubles_nano)}"
    return said


@dataclass(frozen=True)
class Lead:
    """Where something that a lane shows leads on."""

    text: str
    command: str
    filters: Mapping[str, str]
    """The same in Flower: the query of its page of items."""


def leads(lane: LaneView) -> list[Lead]:
    """What in a lane asks for a look at its items, and the command that shows them."""
    name = lane.lane
    asked = (
        ("failed", lane.items.get("failed", 0), "state", f"; `overnight redo --lane {name}` tries them again"),
        ("held", lane.items.get("held", 0), "state", ""),
        ("dead", lane.deliveries.get("dead", 0), "delivery", f"; `overnight replay --lane {name}` sends them again"),
    )
    return [
        Lead(
            f"{name}: "
            + (several(n, "delivery dead", "deliveries dead") if option == "delivery" else f"{n:,} {state}"),
            f"`overnight items --lane {name} --{option} {state}`{more}",
            {"lane": name, option: state},
        )
        for state, n, option, more in asked
        if n
    ]


def wish(action: ActionView) -> str:
    """To what an action is: "lane copy, before 2026-11-01T00:00", "all"."""
    said: dict[str, object] = orjson.loads(action.wish)
    parts = [
        words
        for name, value in sorted(said.items(), key=lambda pair: pair[0] in _WISHED)
        if (words := _of_wish(name, value, is_of_key="key_hash" in said)) is not None
    ]
    if action.name == "budget":
        parts.append("no cap" if action.most_nano is None else f"cap {dollars(action.most_nano)}")
    return ", ".join(parts) or "all"


_OF_WISHES: Final[Mapping[str, str]] = {
    "enqueued_before": "before",
    "enqueued_since": "since",
    "key_prefix": "keys that begin with",
    "batch_id": "batch",
    "unread": "values that can't be read:",
}
"""How a word of a wish is said, where it isn't said as it stands."""
_WISHED: Final[Mapping[str, str]] = {
    "late": "late",
    "stopped": "stopped before its end",
    "cancel": "with what is on its way",
    "keys": "with the keys' hashes",
    "shared_batches": "with batches that hold others' items",
}
"""The same of those that are true or aren't there."""


def _of_wish(name: str, value: object, *, is_of_key: bool) -> str | None:
    """One word of a wish and its value; None for what nobody reads. is_of_key: its items are those of one key."""
    if name == "key_hash":
        return None
    if name == "ids" and isinstance(value, list):
        return f"{several(len(value), 'item')} of one key" if is_of_key else f"{several(len(value), 'item')} selected"
    if value is True and name in _WISHED:
        return _WISHED[name]
    said = ", ".join(map(str, value)) if isinstance(value, list) else value
    return f"{_OF_WISHES.get(name, name)} {said}"


def problem(name: str, detail: str | None) -> str:
    """A problem, and what is said of it where anything is: "canceled", "errored: overloaded"."""
    return f"{name}: {detail}" if detail else name


def trouble(item: ItemView) -> str:
    """What is wrong with an item, or why it is held; empty when nothing is."""
    said = problem(item.problem, item.detail) if item.problem else item.held or ""
    return said if len(said) <= _MOST_CHARACTERS else said[:_MOST_CHARACTERS] + "…"


def delivery(item: ItemView) -> str:
    """Where an item's outcome is on its way to its callback, and why it isn't there; empty without a callback."""
    if item.delivery is None:
        return ""
    tries = item.delivery_tries or 0
    tried = f" after {several(tries, 'try', 'tries')}" if tries > 1 else ""
    why = f": {item.delivery_error}" if item.delivery_error and item.delivery != "delivered" else ""
    return f"{item.delivery}{tried}, {targets.named(item.delivery_broker, item.delivery_queue)}{why}"


def alerts(look: Look, settings: Settings) -> list[Word]:
    """What an operator should look at before anything else, the worst first."""
    if look.snapshot is None:
        return [Word(f"The ledger can't be read: {look.fault}", ALARMING)]
    fault = [Word(f"The ledger can't be read, this is how it was: {look.fault}", ALARMING)] if look.fault else []
    on = look.snapshot.alarms(settings)
    return [*fault, *(Word(alarm.text, ALARMING if alarm.urgent else NOTABLE, alarm.do) for alarm in on)]
