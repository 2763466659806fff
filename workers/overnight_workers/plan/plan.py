"""The plan itself: everything that was found out about a file, as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from overnight_models.ledger.money.history import Answers
from overnight_models.ledger.money.plans import Estimates, Kept, Range
from overnight_workers.plan.advice import Advice
from overnight_workers.plan.answers import TokensOut
from overnight_workers.plan.costs import Costs
from overnight_workers.plan.figure import Figure
from overnight_workers.plan.hints import Hint
from overnight_workers.plan.packing import PackedBatch
from overnight_workers.plan.pilot import Pilot
from overnight_workers.plan.schedule import Option
from overnight_workers.plan.sharing import Segment
from overnight_workers.plan.survey import Survey
from overnight_workers.plan.tokens import TokensIn


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    file: Path
    lane: str = "default"
    run: str | None = None
    by: datetime | None = None
    sample: int | None = None
    """Look at so many items; None: at as many as the wanted interval needs."""
    within: float = 0.01
    """Half the wanted 95% interval of the tokens that go in, as a share of them."""
    seed: int = 0
    exact: bool = False
    offline: bool = False
    pilot: int = 0
    pilot_wait_s: float = 3600.0
    output_share: float = 0.25
    """Of `max_tokens`, where nothing is known of the answers."""
    alike: Mapping[str, Sequence[Answers]] | None = None
    """Earlier answers to exactly these requests, by model; None: those of the lane to requests of the same kind."""


@dataclass(frozen=True)
class Queue:
    """The API's queue, as this workspace may use it."""

    limit: int
    queued: int
    """Requests that are in it already, or may be."""


@dataclass(frozen=True)
class Plan:
    """Everything that is known about a file before it is enqueued. Money is nano-dollars."""

    wish: Wish
    made_at: datetime
    prices_as_of: date
    survey: Survey
    batches: Sequence[PackedBatch]
    waves: int
    queue: Queue
    tokens_in: TokensIn
    tokens_out: TokensOut
    calls: int
    """Calls of count_tokens."""
    took_s: float
    counts_per_minute: int
    options: Sequence[Option]
    turnaround_basis: str
    costs: Costs
    shared: Sequence[Segment]
    """Beginnings that several prompts have in common, those that most is shared of first."""
    advice: Advice | None
    """None when there is nothing to do."""
    pilot: Pilot | None
    past: Sequence[Kept]
    """Earlier plans of this lane, and what they came to."""
    hints: Sequence[Hint]
    why_no_ledger: str
    """Empty when the ledger was read; else why nothing could be learned from it."""

    @property
    def deadline_s(self) -> float | None:
        """Seconds until it has to be done."""
        return None if self.wish.by is None else (self.wish.by - self.made_at).total_seconds()

    @property
    def prices_age_days(self) -> int:
        """How old the price list is."""
        return (self.made_at.date() - self.prices_as_of).days

    @property
    def estimates(self) -> Estimates:
        """What is kept, to be compared with the bill."""
        total = self.costs.expected.total
        return Estimates(self.survey.items, _range(self.tokens_in.total), _range(self.tokens_out.total), _range(total))

    @property
    def left_nano(self) -> Figure:
        """What is still to be paid: the pilot's items are paid already."""
        paid = 0 if self.pilot is None else self.pilot.cost_nano
        total = self.costs.expected.total
        return Figure(max(total.value - paid, 0), max(total.low - paid, 0), max(total.high - paid, 0), total.how)


def _range(figure: Figure) -> Range:
    return Range(figure.value, figure.low, figure.high)


def errors(past: Sequence[Kept], quantity: str) -> Mapping[str, float]:
    """By how much each earlier plan was off: (estimate - bill) / bill, by run."""
    off = {}
    for kept in past:
        billed = getattr(kept.billed, quantity)
        if billed:
            off[kept.run] = (getattr(kept.estimates, quantity).value - billed) / billed
    return off
