"""When the file is likely done, and at which price: as one batch, as several, off-peak, half or all of it direct."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final

from overnight_models.ledger.money.history import Turnaround
from overnight_models.quantities import about, spoken
from overnight_models.request.request import MAX_BATCH_BYTES, MAX_BATCH_ITEMS
from overnight_workers.configuration.workspace_settings import Workspace
from overnight_workers.plan.figure import Figure, How, added
from overnight_workers.plan.packing import Full, PackedBatch, divided, waves
from overnight_workers.roads.direct_rate import DirectLoad, direct_time
from overnight_workers.roads.turnaround import Times, Turnarounds, best_hours, own_s, times

_SMALLER: Final = 10
"""Into how many the file is divided to see whether smaller batches are faster."""
_SMALLEST: Final = 1_000
_QUIET_HOUR: Final = 1
"""Where no hours are known to be faster: the middle of the night in America, UTC."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to have the file done."""

    name: str
    words: str
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

    def in_words(self, duration_s: float) -> str:
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
    workspace: Workspace
    """Whose limits real time keeps to."""
    batched: Figure
    """What all of it costs batched."""
    realtime: Figure


def options(work: Work, past: Sequence[Turnaround], now: datetime) -> list[Option]:
    """Every way, the lane's own first."""
    largest = max((batch.items for batch in work.batches), default=1)
    known = Turnarounds(past, largest)
    packed = [batch.items for batch in work.batches]
    rest_waits = any(batch.why is Full.WAIT for batch in work.batches)
    before_s = own_s(work.items) + work.max_wait_s * rest_waits
    words = f"{len(packed):,} batches, as the lane packs them" if len(packed) > 1 else "one batch"
    ways = [_batched("as packed", words, packed, work, known, before_s)]
    if len(packed) > 1 and work.items <= MAX_BATCH_ITEMS and work.size <= MAX_BATCH_BYTES:
        ways.append(_batched("one batch", "all in one", [work.items], work, known, before_s))
    smaller = divided(work.items, max(work.items // _SMALLER, _SMALLEST)) if work.items else []
    if len(smaller) > len(packed):
        words = f"{len(smaller):,} batches of {max(smaller):,}: set max_items of the lane"
        ways.append(_batched("smaller", words, smaller, work, Turnarounds(past, max(smaller)), before_s))
    if work.items:
        ways += [_off_peak(ways[0], past, now), _half(work, known, before_s, largest), _direct(work)]
    return ways


def known_how(known: Turnarounds) -> How:
    """How turnarounds are known."""
    return How.LEARNED if known.is_learned else How.ASSUMED


def _batched(name: str, words: str, sizes: list[int], work: Work, known: Turnarounds, before_s: float) -> Option:
    done = known.times(sizes, work.queue_limit, after_s=before_s)
    return Option(name, words, len(sizes), len(waves(sizes, work.queue_limit)), 0, done, work.batched, known_how(known))


def _off_peak(packed: Option, past: Sequence[Turnaround], now: datetime) -> Option:
    """The same, begun at the best hour: its wait for that hour is in its time."""
    best = best_hours(past)
    hour, factor = best or (_QUIET_HOUR, 1.0)
    start = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    wait_s = ((start if start >= now else start + timedelta(days=1)) - now).total_seconds()
    words = f"begun at {hour:02d}:00 UTC" + ("" if best else "; whether any hour is faster isn't known")
    draws = [wait_s + draw * factor for draw in packed.done.draws]
    how = How.LEARNED if best else How.ASSUMED
    return replace(packed, name="off-peak", words=words, done=times(draws), how=how)


def _half(work: Work, known: Turnarounds, before_s: float, largest: int) -> Option:
    half = Fraction(1, 2)
    direct_items = work.items // 2
    sizes = divided(work.items - direct_items, largest)
    loads = [DirectLoad(load.model, load.items // 2, load.tokens_in // 2, load.tokens_out // 2) for load in work.loads]
    at_least = direct_time(loads, work.workspace)
    batched = known.times(sizes, work.queue_limit, after_s=before_s)
    return Option(
        name="half direct",
        words=f"{direct_items:,} items in real time, the others batched",
        batches=len(sizes),
        waves=len(waves(sizes, work.queue_limit)),
        direct_items=direct_items,
        done=times([max(draw, at_least.seconds) for draw in batched.draws]),
        total=added([work.batched.times(half), work.realtime.times(half)]),
        how=known_how(known),
    )


def _direct(work: Work) -> Option:
    at_least = direct_time(work.loads, work.workspace)
    whose = "the workspace's own" if at_least.is_set else f"the {work.workspace.tier} tier's"
    return Option(
        name="direct",
        words=f"all in real time, as fast as {whose} {at_least.limit} a minute allow",
        batches=0,
        waves=0,
        direct_items=work.items,
        done=times([at_least.seconds]),
        total=work.realtime,
        how=How.COUNTED if at_least.limit == "requests" else work.loads_how,
    )
