"""Breadth first through every state within the bounds; then backwards, from every state at rest."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, TypeVar

from tests.explore.model import steps
from tests.explore.promises import at_rest, broken
from tests.explore.rules import Bounds
from tests.explore.world import FORGOTTEN, World, first

State = TypeVar("State")
Limits = TypeVar("Limits")


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


class Model(NamedTuple, Generic[State, Limits]):
    """What is searched: what may happen, what must never, and when all is over."""

    starts: Callable[[Limits], Sequence[State]]
    steps: Callable[[State, Limits], Iterable[tuple[str, object, State]]]
    """What happens, the fault that it is if it is one, and what is then."""
    broken: Callable[[State, State, Limits], Iterator[str]]
    at_rest: Callable[[State, Limits], bool]
    reached: Callable[[State], Iterable[tuple[str, str]]]


def _reached(world: World) -> Iterator[tuple[str, str]]:
    yield from (("batch", state) for state in world.batches)
    yield from (("submission", row.state) for row in world.submissions if row.state != FORGOTTEN)
    yield from (("item", item.state) for item in world.items)


PAID_ONCE: Final = Model[World, Bounds](
    starts=lambda bounds: [first(bounds)],
    steps=steps,
    broken=lambda before, after, _: broken(before, after),
    at_rest=at_rest,
    reached=_reached,
)


def search(
    bounds: Bounds, *, depth: int | None = None, most_states: int | None = None, start: World | None = None
) -> Found:
    """Look at every state within the bounds, or until a promise is broken.

    depth: steps from the start; most_states: stop there. With either, that every state can come home is not asked.
    """
    return search_model(PAID_ONCE, bounds, depth=depth, most_states=most_states, start=start)


def search_model(
    model: Model[State, Limits],
    bounds: Limits,
    *,
    depth: int | None = None,
    most_states: int | None = None,
    start: State | None = None,
) -> Found:
    """The same of any model."""
    began = time.monotonic()
    explored = _searched(model, bounds, depth, most_states, start)
    explored.seconds = time.monotonic() - began
    return explored


def _searched(
    model: Model[State, Limits], bounds: Limits, depth: int | None, most_states: int | None, start: State | None
) -> Found:
    explored = Found()
    begin = [start] if start is not None else model.starts(bounds)
    number = {state: place for place, state in enumerate(begin)}
    came_by: list[tuple[int, str]] = [(-1, "")] * len(begin)
    homeward: list[list[int]] = [[] for _ in begin]
    """For each state, those from which a step without a fault leads to it."""
    rests: list[int] = []
    queue = deque((state, 0) for state in begin)
    cut_short = False
    while queue:
        state, here_depth = queue.popleft()
        here = number[state]
        explored.depth = max(explored.depth, here_depth)
        if model.at_rest(state, bounds):
            rests.append(here)
        if (depth is not None and here_depth == depth) or (most_states is not None and len(number) > most_states):
            cut_short = True
            continue
        for what, fault, after in model.steps(state, bounds):
            explored.steps += 1
            there = number.get(after)
            wrong = next(model.broken(state, after, bounds), None)
            if wrong is not None:
                explored.states, explored.wrong = len(number), wrong
                explored.trace = [*_way(came_by, here), what]
                return explored
            if there is None:
                there = number[after] = len(number)
                came_by.append((here, what))
                homeward.append([])
                queue.append((after, here_depth + 1))
            if not fault and there != here:
                homeward[there].append(here)
    explored.states, explored.at_rest, explored.complete = len(number), len(rests), not cut_short
    for state in number:
        explored.reached.update(model.reached(state))
    if not cut_short:
        _come_home(explored, homeward, rests, came_by)
    return explored


def _come_home(explored: Found, homeward: list[list[int]], rests: list[int], came_by: list[tuple[int, str]]) -> None:
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
        explored.wrong = "nothing brings this home"
        explored.trace = _way(came_by, stranded)


def _way(came_by: list[tuple[int, str]], here: int) -> list[str]:
    way: list[str] = []
    while came_by[here][0] >= 0:
        here, what = came_by[here]
        way.append(what)
    return way[::-1]
