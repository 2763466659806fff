"""What somebody should know before enqueuing: known traps, refusals, models without a price, models that retire."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from overnight_models.money.prices import Prices
from overnight_models.quantities import spoken
from overnight_models.request.traps import price_ending, retirement
from overnight_workers.plan.survey import Survey
from overnight_workers.plan.tokens import TokensIn
from overnight_workers.settings import Lane

_SOON: Final = timedelta(days=30)
_ENQUEUED_PER_S: Final = 5_000
"""Items that `overnight enqueue` sees into Postgres in a second; of 4 KB, on 2 cores, it was 7,000 to 10,000."""


@dataclass(frozen=True, slots=True)
class Hint:
    """One thing to know."""

    name: str
    """What kind of thing, in one word."""
    text: str
    """A sentence without a full stop."""
    model: str
    """The model that it is about; empty for none."""
    items: int
    """How many items it concerns."""


def hints(survey: Survey, tokens_in: TokensIn, prices: Prices, now: datetime, done_by: datetime) -> list[Hint]:
    """Everything worth knowing, the worst first. done_by: when all is done, at the latest that is likely."""
    worst = [
        *_retiring(survey, prices, now, done_by),
        *_unpriced(survey, prices),
        *_refused(tokens_in),
        *_uncounted(survey, tokens_in),
    ]
    return [*worst, *(Hint(trap.name, trap.text, model, items) for trap, model, items in survey.traps)]


def slow_to_enqueue(items: int, max_wait_s: float) -> list[Hint]:
    """Whether a lane packs what it has before the whole file has arrived."""
    takes_s = items / _ENQUEUED_PER_S
    if takes_s <= max_wait_s:
        return []
    text = (
        f"enqueuing them may take {spoken(takes_s)}, and the lane packs what it has after {spoken(max_wait_s)}:"
        " there may be more batches, and smaller ones"
    )
    return [Hint("max_wait", text, "", items)]


def counted_first(items: int, lane: Lane, per_minute: int) -> list[Hint]:
    """What a lane's longest prompt means for the file. items: those that may be longer."""
    if not items:
        return []
    longer = "are cut where they say what may be cut" if lane.when_longer == "cut" else "fail, unpaid"
    text = (
        f"they may have more than max_input_tokens ({lane.max_input_tokens:,}) and are counted before they are packed,"
        f" which takes {spoken(items / per_minute * 60)}; those that are longer {longer}"
    )
    return [Hint("max_input_tokens", text, "", items)]


def between_models(items: int, lane: Lane, per_minute: int) -> list[Hint]:
    """What a lane's models mean for the file. items: those whose size is near a limit."""
    if not items:
        return []
    limits = ", ".join(f"{model.up_to_tokens:,}" for model in lane.models if model.up_to_tokens is not None)
    text = (
        f"they are near a limit of the lane's models ({limits} tokens) and are counted before they are packed, which"
        f" takes {spoken(items / per_minute * 60)}; which model takes them is estimated here"
    )
    return [Hint("models", text, "", items)]


def asked_again(items: int, times: int) -> list[Hint]:
    """What `retry_invalid` of a lane may add. items: those whose answers must be of a schema."""
    if not items or not times:
        return []
    text = (
        f"the lane asks up to {times} more times (retry_invalid) where an answer isn't of its schema; each try is paid,"
        f" and is in no sum here: if every answer were wrong, these items would cost {times + 1} times as much, and"
        " something for the longer prompts"
    )
    return [Hint("retry_invalid", text, "", items)]


def _retiring(survey: Survey, prices: Prices, now: datetime, done_by: datetime) -> Sequence[Hint]:
    hints = []
    for name in survey.models:
        model, items = prices.model(name), sum(c.units for cell, c in survey.cells.items() if cell.model == name)
        assert model is not None, "only priced models are surveyed"
        trap = retirement(model, now.date(), done_by.date())
        if trap is not None:
            hints.append(Hint(trap.name, trap.text, name, items))
        elif retirement(model, now.date(), (now + _SOON).date()) is not None:
            text = f"{name} ends on {model.end_of_life}: this file is likely done before, a later one may not be"
            hints.append(Hint("retires_soon", text, name, items))
        ending = price_ending(model, done_by.date())
        if ending is not None:
            hints.append(Hint(ending.name, ending.text, name, items))
    return hints


def _unpriced(survey: Survey, prices: Prices) -> Sequence[Hint]:
    hints = []
    for name, items in survey.unpriced.items():
        near = prices.near(name)
        did_you_mean = f": did you mean {' or '.join(near)}?" if near else ""
        hints.append(Hint("unpriced", f"the price of {name} is unknown, they are in no sum{did_you_mean}", name, items))
    return hints


def _uncounted(survey: Survey, tokens_in: TokensIn) -> Sequence[Hint]:
    kinds = [(f"the API doesn't count {', '.join(kinds)}", items) for kinds, items in survey.uncounted.items()]
    refused = [(f"the API doesn't count them though batches take them ({why})", n) for why, n in tokens_in.uncounted]
    unknown = "what that costs is unknown and in no sum, so the sums are the least"
    return [Hint("uncounted", f"{why}: {unknown}", "", items) for why, items in [*kinds, *refused]]


def _refused(tokens_in: TokensIn) -> Sequence[Hint]:
    return [Hint("refused", f"the API refuses to count: {why}", "", items) for why, items in tokens_in.refused]
