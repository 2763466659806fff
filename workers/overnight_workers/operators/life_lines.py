"""The life of an item as lines: what happened when, in the order of time, in the words of the states."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from overnight_models.ledger.operators.item_life import ItemLife, Sent
from overnight_models.quantities import several
from overnight_workers.operators import targets, words
from overnight_workers.operators.words import ALARMING, CALM, NOTABLE


@dataclass(frozen=True)
class LifeLine:
    """One thing that happened, or is happening."""

    at: datetime | None
    """None: when that was, or will be, isn't known."""
    text: str
    tone: str = CALM
    batch_id: int | None = None
    """Where it leads on."""
    item_id: int | None = None


def lines(life: ItemLife) -> list[LifeLine]:
    """Every line of it, the earliest first; what is still to come at the end."""
    parts = [*_begun(life), *_batched(life), *_called(life), *_ended(life)]
    never = datetime.max.replace(tzinfo=UTC)
    return sorted(parts, key=lambda line: line.at or never)


def _begun(life: ItemLife) -> list[LifeLine]:
    item, rows = life.item, life.rows
    told_lines = [LifeLine(item.enqueued_at, "accepted, and confirmed to whoever enqueued it")]
    for tried in life.tries:
        if tried.item_id == item.id and tried.number:
            why = "its answer was of no use" if tried.by_itself else "somebody wanted another try"
            told_lines.append(LifeLine(tried.at, f"took the place of the try before it: {why}"))
        if tried.item_id > item.id:
            told_lines.append(
                LifeLine(tried.at, f"try {tried.number + 1} took its place ({tried.state})", item_id=tried.item_id)
            )
    if rows.follows_item_id is not None:
        told_lines.append(
            LifeLine(None, "gets the outcome of an item that asks the same", item_id=rows.follows_item_id)
        )
    if item.state == "waiting":
        told_lines.append(
            LifeLine(rows.waiting_since, "waits for a batch" if item.direct_at is None else "waits for its turn")
        )
    if item.state == "held":
        told_lines.append(LifeLine(rows.held_since, f"waits since then, and is held: {item.held}", NOTABLE))
    if rows.cancel_wanted:
        told_lines.append(
            LifeLine(None, "its owner took it back: an outcome is billed and recorded, and not delivered", NOTABLE)
        )
    return told_lines


def _batched(life: ItemLife) -> list[LifeLine]:
    rows, batch = life.rows, life.item.batch_id
    if batch is None:
        return []
    # the ledger keeps the last try of a receipt, and how many there were before it
    before = life.item.attempts - (life.item.finished_at is not None)
    tried = f", after {several(before, 'attempt')} that came to nothing" if before > 0 else ""
    told_lines = [
        LifeLine(rows.packed_at, f"packed into batch {batch} (now {rows.batch_state}){tried}", batch_id=batch)
    ]
    for sent in life.sent:
        told_lines += _sent(sent, batch)
    return told_lines


def _sent(sent: Sent, batch: int) -> list[LifeLine]:
    told_lines = [LifeLine(sent.claimed_at, f"batch {batch} was taken to be sent (submission {sent.id}, {sent.state})")]
    if sent.let_go_at is not None:
        told_lines.append(LifeLine(sent.let_go_at, "its last bytes were on their way"))
    if sent.api_created_at is not None:
        told_lines.append(LifeLine(sent.api_created_at, f"Anthropic created {sent.api_id}"))
    if sent.ended_at is not None:
        told_lines.append(LifeLine(sent.ended_at, "Anthropic ended the batch"))
    return told_lines


def _called(life: ItemLife) -> list[LifeLine]:
    rows = life.rows
    told_lines = []
    if rows.calling_since is not None:
        gone = "; it may be billed from now on" if rows.let_go_at is not None else ""
        told_lines.append(LifeLine(rows.let_go_at or rows.calling_since, f"being sent in real time{gone}"))
    for paid in life.paid:
        cost = "unknown" if paid.cost_nano is None else words.dollars(paid.cost_nano)
        if paid.is_certain:
            told_lines.append(LifeLine(paid.at, f"a second answer came: billed ({cost}) and dropped", ALARMING))
        else:
            told_lines.append(
                LifeLine(paid.at, f"a call got no answer and may have been billed, {cost} at the most", NOTABLE)
            )
    return told_lines


def _ended(life: ItemLife) -> list[LifeLine]:
    item, rows = life.item, life.rows
    told_lines = []
    if item.finished_at is not None:
        cost = "not known" if item.cost_nano is None else words.dollars(item.cost_nano)
        came = "succeeded" if item.ok else f"{item.state}: {item.problem}"
        via = "in real time" if item.via == "direct" else "by batch"
        told_lines.append(LifeLine(item.finished_at, f"{came}, {via}; billed {cost}", CALM if item.ok else ALARMING))
    if item.delivery is not None:
        tone = ALARMING if item.delivery == "dead" else CALM
        times = several(rows.delivery_generation or 0, "time")
        again = f"; sent again {times} by an operator" if rows.delivery_generation else ""
        tries = several(item.delivery_tries or 0, "try", "tries")
        to = targets.named(item.delivery_broker, item.delivery_queue)
        text = f"delivery to {to}: {item.delivery} after {tries}{again}"
        # the ledger keeps when it is due, not when it was taken
        due = rows.delivery_due_at if item.delivery in ("due", "awaiting_ack", "sending") else None
        told_lines.append(LifeLine(due or item.finished_at, text, tone))
    if item.deadline is not None:
        told_lines.append(LifeLine(item.deadline, "its answer is wanted by then"))
    if item.give_up_at is not None and item.finished_at is None:
        told_lines.append(LifeLine(item.give_up_at, "given up then, without being bought"))
    return told_lines
