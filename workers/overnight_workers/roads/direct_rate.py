"""How fast the direct road may run: the account's limits a minute, by pool of models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from overnight_models.money.rate_limits import Tier, message_limits, pool


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
