"""Chains: what all items of one trace may cost together is a budget; what has no room in it ends, with its callback."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sqlalchemy import Connection

from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import UNSENT, Arrival, Fate
from overnight_models.ledger.money import chains as ledger
from overnight_models.ledger.new_item import NewItem
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.settings import settings

_AT_ONCE: Final = 1000


def joined(lane: str, lane_id: int, items: list[NewItem]) -> list[NewItem]:
    """New items of a lane, each in the chain of its trace, where the lane says what a chain may cost."""
    cap_nano = settings().lanes[lane].max_cost_per_trace
    traces = {item.trace_id for item in items if item.trace_id is not None}
    if cap_nano is None or not traces:
        return items
    # in a transaction of its own, as all names: whoever sets a budget waits for nobody who waits for him
    with process.database().transaction() as connection:
        numbers = ledger.numbers(connection, lane_id, traces, cap_nano=cap_nano)
    return [item if item.trace_id is None else item._replace(chain_id=numbers[item.trace_id]) for item in items]


def end_spent(connection: Connection) -> int:
    """Held items that their chains can't pay for any more fail. Returns how many."""
    spent = ledger.spent(connection, limit=_AT_ONCE)
    for via in ("batch", "direct"):
        arrivals = [
            Arrival(item.item_id, Fate.FAIL, problem=Problem.OVER_BUDGET, detail=item.why)
            for item in spent
            if item.is_direct == (via == "direct")
        ]
        if arrivals:
            outcomes.record(connection, replace(UNSENT, via=via), arrivals, max_attempts=1)
    return len(spent)
