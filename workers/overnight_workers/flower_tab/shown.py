"""How pages show single values: times, ages, money, and texts that others wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import Final

from overnight_models.ledger.operators.item_views import ItemView
from overnight_models.ledger.operators.overview import BatchView
from overnight_models.quantities import spoken
from overnight_models.states import BATCH, ITEM, SUBMISSION
from overnight_models.wire.outcome import dollars
from overnight_workers.operators import targets, words
from overnight_workers.operators.foreign_texts import everybody
from overnight_workers.operators.snapshot import Snapshot

DASH: Final = "\N{EN DASH}"
_SHORT_NAME: Final = 24

_CODE: Final = re.compile(r"`([^`]+)`")


def with_code(text: str) -> str:
    """HTML of a text of ours, whose commands stand in backticks."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def room(name: str | None) -> str:
    """The class of a cell with a name that a product gave: short ones stay whole, long ones get room to wrap."""
    return "nowrap" if len(name or "") < _SHORT_NAME else "long"


def sentence(text: str) -> str:
    """A text as a sentence: with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def at(moment: datetime | None) -> str:
    """A moment in UTC, to the second; a dash where there is none."""
    return DASH if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def ago(moment: datetime | None) -> str:
    """How long ago a moment is, or in how long it comes."""
    if moment is None:
        return DASH
    past_s = (datetime.now(UTC) - moment).total_seconds()
    return f"{spoken(past_s)} ago" if past_s >= 0 else f"in {spoken(-past_s)}"


def lasting(since: datetime) -> str:
    """For how long it has been so."""
    return spoken((datetime.now(UTC) - since).total_seconds())


def delta(earlier: datetime | None, later: datetime | None) -> str:
    """From one moment to the next; empty without both."""
    if earlier is None or later is None:
        return ""
    passed_s = (later - earlier).total_seconds()
    return f"+{spoken(passed_s)}" if passed_s >= 0 else f"{DASH}{spoken(-passed_s)}"


def money(nano: int | None, *, unknown: str = DASH) -> str:
    """Money; what isn't known is said."""
    return unknown if nano is None else words.dollars(nano)


def exact(nano: int) -> str:
    """Money to the nano-dollar: what was said before an act, and what is kept of it, are the same digits."""
    return f"${dollars(nano)}"


def trouble(item: ItemView) -> str:
    """What is wrong with an item, or why it is held, as everybody may see it; empty when nothing is."""
    if item.problem is None:
        return item.held or ""
    why = everybody(item.detail, item.problem)
    return f"{item.problem}: {why}" if why else item.problem


def delivery(item: ItemView) -> str:
    """Where an item's outcome is on its way to its callback, as everybody may see it; empty without a callback."""
    names = targets.names(item.delivery_broker or "", item.delivery_queue or "")
    return words.delivery(replace(item, delivery_error=everybody(item.delivery_error, names=names)))


def state_of_item(state: str) -> str:
    """What a state means."""
    return ITEM.states.get(state, "")


def foreign(text: str | None, *names: str) -> str:
    """A text that others wrote, as everybody may see it. names: those that stand beside it."""
    return everybody(text, names=names)


def state_of_submission(state: str) -> str:
    """What a state means."""
    return SUBMISSION.states.get(state, "")


def tone_of_item(state: str) -> str:
    """How an item's state looks: worrying, moving, not begun, or done."""
    tones = {"failed": "alarming", "held": "notable", "batched": "moving", "direct": "moving", "racing": "moving"}
    return tones.get(state, "" if state == "succeeded" else "quiet")


def tone_of_batch(state: str) -> str:
    """How a batch's state looks: worrying, moving, not begun, or done."""
    tone = words.tone_of(state)
    if tone != words.CALM:
        return tone
    return "moving" if state in ("submitting", "open", "ended") else "quiet" if state in ("packed", "canceled") else ""


def waits(batch: BatchView, seen: Snapshot | None) -> words.Word | None:
    """What an unfinished batch waits for; None for one that is over."""
    if batch.state in BATCH.final:
        return None
    history = None if seen is None else seen.turnarounds.get(batch.lane)
    return words.expectation(batch, history, None if seen is None else words.stopped(batch, seen))
