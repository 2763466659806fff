"""What the ledger remembers that helps a plan; a plan can do without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from overnight_models.errors import TransientError
from overnight_models.ledger import workspaces
from overnight_models.ledger.money import history, plans
from overnight_models.ledger.money.history import Answers, Turnaround
from overnight_models.ledger.money.plans import Kept
from overnight_models.money.prices import Prices
from overnight_models.wire.message import ItemLine
from overnight_workers import process
from overnight_workers.settings import settings


@dataclass(frozen=True)
class Memory:
    """Earlier answers, batches and plans."""

    answers: Mapping[str, Sequence[Answers]] = field(default_factory=dict)
    """By model, of this lane."""
    turnarounds: Sequence[Turnaround] = ()
    past: Sequence[Kept] = ()
    queued: int = 0
    why_empty: str = ""
    """Why there is nothing."""


def remember(lane: str, prices: Prices) -> Memory:
    """Read the ledger; whatever keeps it from being read is told, and is no error."""
    if not settings().database_url:
        return Memory(
            why_empty="no ledger is known here (OVERNIGHT_DATABASE_URL), so nothing is learned from earlier runs"
        )
    workspace = settings().lanes[lane].workspace
    try:
        with process.database().transaction() as connection:
            plans.settle(connection)
            by_model: dict[str, list[Answers]] = {}
            for batch in history.answers(connection, lane):
                model = prices.model(batch.model)
                by_model.setdefault(model.name if model else batch.model, []).append(batch)
            queued = [known.queued for known in workspaces.workspaces(connection) if known.name == workspace]
            return Memory(
                answers=by_model,
                turnarounds=history.turnarounds(connection),
                past=plans.past(connection, lane),
                queued=sum(queued),
            )
    except TransientError as error:
        return Memory(why_empty=f"the ledger can't be read, so nothing is learned from earlier runs: {error}")


def known(lane: str, memory: Memory, items: Sequence[ItemLine]) -> Mapping[str, bool]:
    """Keys of these items that are in the lane already, and whether as the same item; none if nobody knows."""
    if memory.why_empty or not items:
        return {}
    with process.database().transaction() as connection:
        return history.known(connection, lane, items)
