"""A scenario: what happens in one workspace, step by step, and how its items end, whoever dies on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.chaos.steps import (
    Step,
    tasks,
)


@dataclass(frozen=True)
class Scenario:
    """One course of events.

    ends: the states in which each key's item may end.
    settings: as `Service.configure` takes them.
    shows: what an undisturbed run must have seen: a query that finds something.
    doubles: answers that were paid twice, at most; only where no protocol can know.
    unseen: answers that were billed, and that the API never showed.
    """

    name: str
    steps: tuple[Step, ...]
    ends: Mapping[str, tuple[str, ...]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    shows: str = "SELECT 1"
    doubles: int = 0
    unseen: int = 0
    canceled: tuple[str, ...] = ()
    """Keys that their owner takes back: nobody is told of them."""
    followers: int = 0
    """Items that ask what another asks, for somebody else: they end as that one does, and are told of it."""
    redone: int = 0
    """Items in whose place another was tried; `ends` is about the last of each key."""
    redone_by_message: int = 0
    """Of them: by a message with `if_known = "redo"`, whose verdict counts what it brought as accepted."""
    purged: int = 0
    """Items of which nothing is kept but what they cost; `ends` is about the others."""


ROUND: Final = tasks(pack, submit, poll, collect, deliver, sweep)
DONE: Final = ("succeeded",)
