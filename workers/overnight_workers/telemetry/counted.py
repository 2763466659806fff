"""What this process has counted for metrics, until it is written with its pulse."""

from __future__ import annotations

from collections import Counter

from overnight_models.ledger import counters
from overnight_workers.held import held
from overnight_workers.telemetry import tracing

_NO_ANSWER = "no answer"


@held
def unwritten() -> Counter[tuple[str, str]]:
    """How many, by name and label."""
    return Counter()


def items(stage: str, number: int) -> None:
    """A stage, as `routes` names it, has done so many items."""
    if number:
        tracing.count(stage, number)
        unwritten()[counters.STAGE_ITEMS, stage] += number


def api_call(call: str, status: int | None) -> None:
    """The API was called. status: of HTTP; None when no answer came, or none that can be read."""
    unwritten()[counters.API_CALLS, f"{call} {_NO_ANSWER if status is None else status}"] += 1
