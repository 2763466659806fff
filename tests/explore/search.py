"""Breadth first through every state within the bounds; then backwards, from every state at rest."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field

from tests.explore.model import steps
from tests.explore.promises import at_rest, broken
from tests.explore.rules import Bounds
from tests.explore.world import FORGOTTEN, World, first


@dataclass
class Found:
    """What a search found."""

    states: int = 0
    steps: int = 0
    depth: int = 0
    at_rest: int = 0
    seconds: float = 0.0
    complete: bool = False
    """Every state within the bounds was reached."""
    wrong: str | None = None
    """The first broken promise; the trace is a shortest one."""
    trace: list[str] = field(default_factory=list)
    reached: set[tuple[str, str]] = field(default_factory=set)
    """Which states of batches, submissions and items occur."""

    def __str__(self) -> str:
        head = f"{self.states:,} states, {self.steps:,} steps, depth {self.depth}, {self.seconds:.1f} s"
        if self.wrong is None:
            return f"{head}: {'safe' if self.complete else 'safe so far'}, {self.at_rest:,} states at rest"
        lines = [f"{number:3}. {what}" for number, what in enumerate(self.trace, 1)]
        return "\n".join([f"{head}: {self.wrong}", *lines])


def search(
    bounds: Bounds, *, depth: int | None = None, most_states: int | None = None, start: World | None = None
) -> Found:
    """Look at every state within the bounds, or until a promise is broken.

    depth: steps from the start; most_states: stop there. With either, that every state can come home is not asked.
    """
    began = time.monotonic()
    found = Found()
    start = start or first(bounds)
    number = {start: 0}
    came_by: list[tuple[int, str]] = [(-1, "")]
    homeward: list[list[int]] = [[]]
    """For each state, those from which a step without a fault leads to it."""
    rests: list[int] = []
    queue = deque([(start, 0)])
    cut_short = False
    while queue:
        world, here_depth = queue.popleft()
        here = number[world]
        found.depth = max(found.depth, here_depth)
        if at_rest(world, bounds):
            rests.append(here)
        if (depth is not None and here_depth == depth) or (most_states is not None and len(number) > most_states):
            cut_short = True
            continue
        for what, fault, after in steps(world, bounds):
            found.steps += 1
            there = number.get(after)
            wrong = next(broken(world, after), None)
            if wrong is not None:
                found.states, found.wrong = len(number), wrong
                found.trace = [*_way(came_by, here), what]
                found.seconds = time.monotonic() - began
                return found
            if there is None:
                there = number[after] = len(number)
                came_by.append((here, what))
                homeward.append([])
                queue.append((after, here_depth + 1))
            if fault is None and there != here:
                homeward[there].append(here)
    found.states, found.at_rest, found.complete = len(number), len(rests), not cut_short
    for world in number:
        found.reached |= {("batch", state) for state in world.batches}
        found.reached |= {("submission", row.state) for row in world.submissions if row.state != FORGOTTEN}
        found.reached |= {("item", item.state) for item in world.items}
    if not cut_short:
        _come_home(found, homeward, rests, came_by)
    found.seconds = time.monotonic() - began
    return found


def _come_home(found: Found, homeward: list[list[int]], rests: list[int], came_by: list[tuple[int, str]]) -> None:
    """From each state a state at rest must be reachable with nothing more going wrong."""
    home = bytearray(len(homeward))
    queue = deque(rests)
    for rest in rests:
        home[rest] = 1
    while queue:
        for before in homeward[queue.popleft()]:
            if not home[before]:
                home[before] = 1
                queue.append(before)
    stranded = home.find(0)  # states are numbered breadth first: the nearest one
    if stranded != -1:
        found.wrong = "nothing brings this home"
        found.trace = _way(came_by, stranded)


def _way(came_by: list[tuple[int, str]], here: int) -> list[str]:
    way: list[str] = []
    while here > 0:
        here, what = came_by[here]
        way.append(what)
    return way[::-1]
