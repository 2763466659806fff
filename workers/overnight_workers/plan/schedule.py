"""When the file is likely done, and at which price: as one batch, as several, off-peak, half or all of it direct."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from overnight_models.ledger.money.history import Turnaround
from overnight_models.money.rate_limits import Tier, message_limits, pool
from overnight_models.quantities import about, spoken
from overnight_models.request.request import MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from overnight_workers.plan.figure import Figure, How, added
from overnight_workers.plan.packing import Full, PackedBatch, divided, waves
from overnight_workers.plan.turnaround import Times, Turnarounds, best_hours, times

OWN_ITEMS_PER_S: Final = 500
"""What Overnight itself takes in, sends and records in a second: measured with 4 KB items on 2 busy cores."""
_SMALLER: Final = 10
"""Into how many the file is divided to see whether smaller batches are faster."""
_SMALLEST: Final = 1_000
_QUIET_HOUR: Final = 1
"""Where no hours are known to be faster: the middle of the night in America, UTC."""


@dataclass(frozen=True, slots=True)
class DirectLoad:
    """What goes to one model in real time."""

    model: str
    items: int
    tokens_in: int
    """Those read from a cache aren't limited."""
    tokens_out: int


@dataclass(frozen=True, slots=True)
class DirectTime:
    """How long it takes at least, and what keeps it."""

    seconds: float
    limit: str
    """What is used up first: "requests", "input tokens" or "output tokens" a minute."""
    pool: str
    """The models whose limit it is."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to have the file done."""

    name: str
    what: str
    """How it goes, in a few words."""
    batches: int
    waves: int
    """How often the API's queue has to empty before the next batches fit."""
    direct_items: int
    done: Times
    total: Figure
    """Nano-dollars."""
    how: How
    """How its time is known."""

    def told(self, duration_s: float) -> str:
        """One of its times, no more exact than it is known."""
        return spoken(duration_s) if self.how is How.COUNTED else about(duration_s)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done."""

    items: int
    size: int
    """Bytes."""
    batches: Sequence[PackedBatch]
    """As the lane packs it."""
    loads: Sequence[DirectLoad]
    loads_how: How
    max_wait_s: float
    queue_limit: int
    tier: Tier
    batched: Figure
    """What all of it costs batched."""
    realtime: Figure


def options(work: Work, past: Sequence[Turnaround], now: datetime) -> list[Option]:
    """Every way, the lane's own first."""
    largest = max((batch.items for batch in work.batches), default=1)
    known = Turnarounds(past, largest)
    packed = [batch.items for batch in work.batches]
    rest_waits = any(batch.why is Full.WAIT for batch in work.batches)
    own_s = work.items / OWN_ITEMS_PER_S + work.max_wait_s * rest_waits
    what = f"{len(packed):,} batches, as the lane packs them" if len(packed) > 1 else "one batch"
    found = [_batched("as packed", what, packed, work, known, own_s)]
    if len(packed) > 1 and work.items <= MAX_BATCH_ITEMS and work.size <= MAX_BATCH_BYTES:
        found.append(_batched("one batch", "all in one", [work.items], work, known, own_s))
    smaller = divided(work.items, max(work.items // _SMALLER, _SMALLEST)) if work.items else []
    if len(smaller) > len(packed):
        what = f"{len(smaller):,} batches of {max(smaller):,}: set max_items of the lane"
        found.append(_batched("smaller", what, smaller, work, Turnarounds(past, max(smaller)), own_s))
    if work.items:
        found += [_off_peak(found[0], past, now), _half(work, known, own_s, largest), _direct(work)]
    return found


def direct_time(loads: Iterable[DirectLoad], tier: Tier) -> DirectTime:
    """At the account's full rate, with nothing else in its way. Pools of models go side by side."""
    by_pool: defaultdict[str, list[DirectLoad]] = defaultdict(list)
    for load in loads:
        by_pool[pool(load.model)].append(load)
    slowest = DirectTime(0.0, "requests", "")
    for name, together in by_pool.items():
        limits = message_limits(together[0].model, tier)
        for needed, a_minute, what in (
            (sum(load.items for load in together), limits.requests, "requests"),
            (sum(load.tokens_in for load in together), limits.input_tokens, "input tokens"),
            (sum(load.tokens_out for load in together), limits.output_tokens, "output tokens"),
        ):
            if needed / a_minute * 60 > slowest.seconds:
                slowest = DirectTime(needed / a_minute * 60, what, name)
    return slowest


def _batched(name: str, what: str, sizes: list[int], work: Work, known: Turnarounds, own_s: float) -> Option:
    done = known.times(sizes, work.queue_limit, after_s=own_s)
    return Option(name, what, len(sizes), len(waves(sizes, work.queue_limit)), 0, done, work.batched, known.how)


def _off_peak(packed: Option, past: Sequence[Turnaround], now: datetime) -> Option:
    """The same, begun at the best hour: its wait for that hour is in its time."""
    best = best_hours(past)
    hour, factor = best or (_QUIET_HOUR, 1.0)
    start = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    wait_s = ((start if start >= now else start + timedelta(days=1)) - now).total_seconds()
    what = f"begun at {hour:02d}:00 UTC" + ("" if best else "; whether any hour is faster isn't known")
    draws = [wait_s + draw * factor for draw in packed.done.draws]
    how = How.LEARNED if best else How.ASSUMED
    return replace(packed, name="off-peak", what=what, done=times(draws), how=how)


def _half(work: Work, known: Turnarounds, own_s: float, largest: int) -> Option:
    half = Fraction(1, 2)
    direct_items = work.items // 2
    sizes = divided(work.items - direct_items, largest)
    loads = [DirectLoad(load.model, load.items // 2, load.tokens_in // 2, load.tokens_out // 2) for load in work.loads]
    at_least = direct_time(loads, work.tier)
    batched = known.times(sizes, work.queue_limit, after_s=own_s)
    return Option(
        name="half direct",
        what=f"{direct_items:,} items in real time, the others batched",
        batches=len(sizes),
        waves=len(waves(sizes, work.queue_limit)),
        direct_items=direct_items,
        done=times([max(draw, at_least.seconds) for draw in batched.draws]),
        total=added([work.batched.times(half), work.realtime.times(half)]),
        how=known.how,
    )


def _direct(work: Work) -> Option:
    at_least = direct_time(work.loads, work.tier)
    return Option(
        name="direct",
        what=f"all in real time, as fast as the {work.tier} tier's {at_least.limit} a minute allow",
        batches=0,
        waves=0,
        direct_items=work.items,
        done=times([at_least.seconds]),
        total=work.realtime,
        how=How.COUNTED if at_least.limit == "requests" else work.loads_how,
    )
