"""Deadlines on an accelerated clock: 100,000 items, fast and slow days, one batch that never ends; three policies.

    python -m tests.benchmarks.deadlines [--items 100000] [--seed 1] [--plot deadlines.png]

The decisions are the product's own (`overnight_workers.roads`); what is played is time, the API and the rate limit.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from overnight_models.ledger.money.history import Turnaround
from overnight_workers.roads.decision import Pace, latest_starts
from overnight_workers.roads.turnaround import EXPIRES_S, SURE, Turnarounds, prior_median_s

HOURS: Final = 72
TICK_S: Final = 60.0
MAX_WAIT_S: Final = 900.0
DIRECT_PER_S: Final = 200 / 60
"""The rate limit: 200 requests a minute."""
ANSWER_S: Final = 20.0
DAYS: Final = (1.0, 6.0, 0.5)
"""How long batches take, day by day, beside what is usual."""
NEVER_ENDS: Final = 40
"""The number of the batch that doesn't end before it expires."""
BEGINS: Final = datetime(2026, 11, 27, tzinfo=UTC)


@dataclass(slots=True)
class Item:
    """One request. Times are in seconds from the beginning."""

    at: float
    deadline: float
    done: float = math.inf
    cost: float = 0.0
    """In real-time prices: a batch costs a half."""
    told: bool = False
    """It is to be sent in real time."""


@dataclass(slots=True)
class Batch:
    """A batch at the API."""

    items: list[Item]
    began: float
    ends: float
    expires: bool


@dataclass
class World:
    """One policy's course of events."""

    policy: str
    rng: random.Random
    waiting: list[Item] = field(default_factory=list)
    direct: list[tuple[float, int, Item]] = field(default_factory=list)
    """By deadline."""
    open: list[Batch] = field(default_factory=list)
    past: list[Turnaround] = field(default_factory=list)
    packed: int = 0
    doubles: int = 0
    rescued: int = 0

    def pace(self, items: int) -> Pace:
        """What is known now."""
        return Pace(Turnarounds(self.past[-1000:], items), SURE, noticed_s=14.0)

    def arrive(self, item: Item, now: float) -> None:
        """A new item chooses its road."""
        size = max(len(self.waiting), 1)
        goes = self.policy == "direct" or (
            self.policy == "by deadline" and self.pace(size).needs_s(size) > item.deadline - now
        )
        if goes:
            self.send(item)
        else:
            self.waiting.append(item)

    def send(self, item: Item) -> None:
        """In real time, in the order of deadlines."""
        item.told = True
        heapq.heappush(self.direct, (item.deadline, id(item), item))

    def tick(self, now: float) -> None:
        """Whatever is due."""
        self.end(now)
        if self.policy == "by deadline":
            self.look(now)
        if self.waiting and (now - self.waiting[0].at >= MAX_WAIT_S or self.is_needed(now)):
            self.pack(now)
        for _ in range(min(round(DIRECT_PER_S * TICK_S), len(self.direct))):
            _, _, item = heapq.heappop(self.direct)
            if item.done == math.inf or item.done > now:
                item.done, item.cost = min(item.done, now + ANSWER_S), item.cost + 1.0

    def is_needed(self, now: float) -> bool:
        """A deadline doesn't wait for `max_wait`."""
        if self.policy != "by deadline":
            return False
        first = min(item.deadline for item in self.waiting)
        return first - now <= self.pace(len(self.waiting)).needs_s(len(self.waiting)) + 2 * TICK_S

    def pack(self, now: float) -> None:
        """All that waits goes as one batch."""
        items, self.waiting = self.waiting, []
        self.packed += 1
        expires = self.packed == NEVER_ENDS
        day = DAYS[min(int(now // 86400), len(DAYS) - 1)]
        took = prior_median_s(len(items)) * day * math.exp(self.rng.gauss(0, 0.5))
        self.open.append(Batch(items, now, now + (EXPIRES_S if expires else min(took, EXPIRES_S)), expires))

    def end(self, now: float) -> None:
        """Batches that are over."""
        for batch in [batch for batch in self.open if batch.ends <= now]:
            self.open.remove(batch)
            took = Turnaround(len(batch.items), batch.ends - batch.began, BEGINS + timedelta(seconds=batch.began))
            self.past.append(took)
            for item in batch.items:
                if batch.expires:
                    if item.done == math.inf and not item.told:
                        self.arrive(item, now)
                    continue
                self.doubles += item.done <= now
                item.done, item.cost = min(item.done, now), item.cost + 0.5

    def look(self, now: float) -> None:
        """What waits, and what runs, is looked at again."""
        if self.waiting:
            needs = self.pace(len(self.waiting)).needs_s(len(self.waiting))
            for item in [item for item in self.waiting if item.deadline - now < needs]:
                self.waiting.remove(item)
                self.send(item)
        late: list[Item] = []
        for batch in self.open:
            pace = self.pace(len(batch.items))
            until = pace.needs_s(len(batch.items), running_s=max(now - batch.began, 1.0))
            late += [item for item in batch.items if not item.told and item.deadline < now + until]
        late.sort(key=lambda item: item.deadline)
        starts = latest_starts([item.deadline - now for item in late], [1 / DIRECT_PER_S / 0.9] * len(late))
        for item, start in zip(late, starts, strict=True):
            if start <= TICK_S:
                self.rescued += 1
                self.send(item)


def items(number: int, seed: int) -> list[Item]:
    """Items as they come, wanted within ten minutes to a day."""
    rng = random.Random(seed)
    times = sorted(rng.uniform(0, HOURS * 3600) for _ in range(number))
    return [Item(at, at + math.exp(rng.uniform(math.log(600), math.log(86400)))) for at in times]


def run(policy: str, number: int, seed: int) -> tuple[World, list[Item]]:
    """One policy from the first item to the last answer."""
    world, every = World(policy, random.Random(seed)), items(number, seed)
    now, at = 0.0, 0
    while at < len(every) or world.waiting or world.direct or world.open:
        now += TICK_S
        while at < len(every) and every[at].at <= now:
            world.arrive(every[at], now)
            at += 1
        world.tick(now)
    return world, every


def main(argv: Sequence[str] | None = None) -> None:
    """Run all three, and print or plot what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args(argv)
    shown = []
    print(f"{'policy':12} {'met':>7} {'cost':>6} {'rescued':>8} {'doubles':>8} {'batches':>8}")
    for policy in ("batch", "by deadline", "direct"):
        world, every = run(policy, options.items, options.seed)
        met = sum(item.done <= item.deadline for item in every) / len(every)
        cost = sum(item.cost for item in every) / len(every)
        shown.append((policy, met, cost))
        print(f"{policy:12} {met:7.2%} {cost:6.3f} {world.rescued:8,} {world.doubles:8,} {world.packed:8,}")
    if options.plot:
        plot(shown, options.plot)


def plot(shown: Sequence[tuple[str, float, float]], path: Path) -> None:
    """Share of deadlines met over cost; needs matplotlib."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3.2))
    for policy, met, cost in shown:
        axes.scatter(100 * cost, 100 * met, s=60)
        axes.annotate(policy, (100 * cost, 100 * met), textcoords="offset points", xytext=(6, -12))
    axes.set_xlabel("cost, % of real time")
    axes.set_ylabel("deadlines met, %")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
