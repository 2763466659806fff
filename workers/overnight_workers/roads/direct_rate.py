"""How fast the direct road may run: the account's limits a minute, by pool of models: as the limiter keeps them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from overnight_models.money.rate_limits import pool
from overnight_workers.configuration.workspace_settings import Workspace
from overnight_workers.limiter import limits_within


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
    is_set: bool = False
    """It is the workspace's own (`limits`), and not its tier's."""


def direct_time(loads: Iterable[DirectLoad], workspace: Workspace) -> DirectTime:
    """At the account's full rate, with nothing else in its way. Pools of models go side by side."""
    by_pool: defaultdict[str, list[DirectLoad]] = defaultdict(list)
    for load in loads:
        by_pool[pool(load.model)].append(load)
    slowest = DirectTime(0.0, "requests", "")
    for name, together in by_pool.items():
        limits = limits_within(workspace, together[0].model)
        needs = (
            (sum(load.items for load in together), "requests"),
            (sum(load.tokens_in for load in together), "input tokens"),
            (sum(load.tokens_out for load in together), "output tokens"),
        )
        for (needed, unit), a_minute, is_set in zip(needs, limits.per_minute, limits.is_set, strict=True):
            if needed / a_minute * 60 > slowest.seconds:
                slowest = DirectTime(needed / a_minute * 60, unit, name, is_set)
    return slowest
