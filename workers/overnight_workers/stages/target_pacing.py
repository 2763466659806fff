"""Pacing: which targets are to be looked at by the clock, and how many outcomes one may get."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from overnight_models.ledger.deliver.pace import Pace
from overnight_models.ledger.deliver.targets import Target
from overnight_models.wire.message import WEBHOOK
from overnight_workers.configuration.target_pace import TargetPace
from overnight_workers.settings import settings

_SWEEPS: Final = 1.5
"""So many sweeps' worth may be delivered at once: whoever waits for its rate is rung for by the sweep."""


def of_target(target: Target) -> TargetPace:
    """What the configuration says of a target's pace; one that it has lost has none."""
    if target.broker.startswith(WEBHOOK):
        return settings().webhooks.get(target.broker.removeprefix(WEBHOOK), TargetPace())
    if target.broker:
        return settings().brokers.get(target.broker, TargetPace())
    return settings().own_broker


def is_open(target: Target) -> bool:
    """Whether it takes outcomes at this hour."""
    return of_target(target).is_open(datetime.now(UTC))


def pace_of(limits: TargetPace, *, at_once: int = 1) -> Pace | None:
    """The rate of a target; None where it has none."""
    if limits.max_per_second is None:
        return None
    burst_s = max(_SWEEPS * settings().timing.sweep_every, 1.0)
    return Pace.of(limits.max_per_second, burst_s=burst_s, at_once=at_once)


def paced_brokers() -> list[str]:
    """Brokers that outcomes may not simply be handed to."""
    own = [""] if settings().own_broker.is_paced else []
    return own + [name for name, broker in settings().brokers.items() if broker.is_paced]
