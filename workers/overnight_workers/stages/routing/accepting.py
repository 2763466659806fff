"""The road of an item that is being accepted: real time at once, where no batch is likely enough in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from overnight_models.ledger.pack import pack
from overnight_models.request.moments import read_moment
from overnight_models.wire.message import ItemLine
from overnight_workers import process
from overnight_workers.roads import memory
from overnight_workers.roads.decision import Pace
from overnight_workers.settings import Lane


class Road(NamedTuple):
    """When an item is wanted, and how it goes."""

    deadline: datetime | None = None
    give_up_at: datetime | None = None
    direct_at: datetime | None = None
    """It goes in real time; since when it had to. None: it waits for a batch."""
    batch_chance: int | None = None
    """In percent, how likely a batch is in time; None where nothing is to be decided."""


_BATCHED: Final = Road()
"""Most items': no time is said, and their lane batches."""


class Router:
    """Decides for the items of one message of a lane; what they have in common is looked up once."""

    def __init__(self, lane: str, rules: Lane) -> None:
        self._lane, self._rules = lane, rules
        self._known_pace: tuple[Pace, int, float] | None = None

    def road(self, item: ItemLine) -> Road:
        """The road of an item whose moments were checked."""
        rules = self._rules
        given, given_up = item.get("deadline"), item.get("give_up_at")
        is_untimed = given is None and given_up is None and rules.deadline is None
        if is_untimed and rules.road != "direct":
            return _BATCHED
        now = datetime.now(UTC)
        direct_at = now if rules.road == "direct" else None
        if is_untimed:
            return Road(direct_at=direct_at)
        give_up_at = None if given_up is None else read_moment(given_up)
        # an answer that is of no use from a moment on is wanted by then
        deadline = give_up_at if given is None else read_moment(given)
        if given is None and rules.deadline is not None:
            own = now + timedelta(seconds=rules.deadline)
            deadline = own if deadline is None else min(own, deadline)
        assert deadline is not None
        if rules.road != "by_deadline":
            return Road(deadline, give_up_at, direct_at)
        pace, items, needs_s = self._pace()
        within_s = (deadline - now).total_seconds()
        chance = round(100 * pace.chance(items, within_s))
        if within_s >= needs_s:
            return Road(deadline, give_up_at, None, chance)
        return Road(deadline, give_up_at, now - timedelta(seconds=min(needs_s - within_s, 86_400.0)), chance)

    def _pace(self) -> tuple[Pace, int, float]:
        if self._known_pace is None:
            self._known_pace = _pace_now(self._lane, self._rules)
        return self._known_pace


def _pace_now(lane: str, rules: Lane) -> tuple[Pace, int, float]:
    """What a batch takes of what waits in a lane now, how many those are, and how long before a deadline."""
    with process.database().transaction() as connection:
        items = min(max(pack.largest_waiting(connection, lane), 1), rules.max_items)
    pace = memory.pace(rules, items)
    return pace, items, pace.needs_s(items)
