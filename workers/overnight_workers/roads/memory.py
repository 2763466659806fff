"""What this process remembers of turnarounds and lengths: read from the ledger once a minute, asked for each item."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from overnight_models.ledger.money import history
from overnight_models.ledger.money.history import Turnaround
from overnight_models.ledger.roads.running import Cost
from overnight_models.money.rate_limits import pool
from overnight_workers import process
from overnight_workers.held import held
from overnight_workers.limiter.limits import limits_of
from overnight_workers.roads.decision import DIRECT_SHARE, Pace
from overnight_workers.roads.lengths import ASSUMED, FEWEST_ANSWERS, Lengths
from overnight_workers.roads.turnaround import Turnarounds
from overnight_workers.settings import Lane, settings

_FOR_S: Final = 60.0


@dataclass
class _Remembered:
    past: Sequence[Turnaround] = ()
    lengths: Mapping[int, Lengths] = field(default_factory=dict)
    """By the model's number."""
    read_at: float | None = None
    """By the monotonic clock."""
    known: dict[int, Turnarounds] = field(default_factory=dict)
    """By the power of two that a number of items is below."""


@held
def _remembered() -> _Remembered:
    return _Remembered()


def _fresh() -> _Remembered:
    remembered = _remembered()
    if remembered.read_at is None or time.monotonic() - remembered.read_at > _FOR_S:
        with process.database().transaction() as connection:
            remembered.past = history.turnarounds(connection)
            remembered.lengths = {row.model_id: Lengths(*row[1:]) for row in history.lengths(connection)}
        remembered.known.clear()
        remembered.read_at = time.monotonic()
    return remembered


def forget() -> None:
    """Read the ledger again when it is asked for next."""
    _remembered().read_at = None


def pace(lane: Lane, items: int) -> Pace:
    """What a batch of about so many items of a lane has to do with."""
    memory = _fresh()
    about = max(items, 1).bit_length()
    known = memory.known.get(about)
    if known is None:
        known = memory.known[about] = Turnarounds(memory.past, items)
    timing = settings().timing
    return Pace(known, lane.deadline_confidence, noticed_s=timing.poll_every + 2 * timing.sweep_every)


def expected_tokens(model_id: int, size: int, max_tokens: int) -> tuple[int, int]:
    """How many tokens are expected to go in and to come out. size: bytes of the request."""
    known = _lengths(model_id)
    return round(size * known.tokens_per_byte), round(max_tokens * known.answer_share)


def _lengths(model_id: int) -> Lengths:
    known = _fresh().lengths.get(model_id)
    return ASSUMED if known is None or known.answers < FEWEST_ANSWERS else known


def costs(models: Mapping[int, str], workspace: str) -> list[Cost]:
    """How long an item of each of these models keeps the direct road of a workspace busy. models: by number."""
    of_models = []
    for model_id, model in models.items():
        requests, into, out = limits_of(workspace, model).per_minute
        known = _lengths(model_id)
        of_models.append(
            Cost(
                model_id,
                f"{workspace}:{pool(model)}",
                60 / requests / DIRECT_SHARE,
                60 / into / DIRECT_SHARE * known.tokens_per_byte,
                60 / out / DIRECT_SHARE * known.answer_share,
            )
        )
    return of_models
