"""Where deliveries go: a broker's queue, or a webhook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

IS_WEBHOOK: Final = "starts_with(target.broker, 'webhook:')"
"""The condition: it is delivered by the stage for webhooks, and not by the one for brokers."""

LOOKED_AT: Final = "(obstacle.not_before IS NULL OR obstacle.not_before <= now())"
"""The condition: not in the pause of a broker that didn't answer."""


@dataclass(frozen=True)
class Target:
    """Where deliveries are due."""

    id: int
    broker: str
    queue: str
    obstructed: bool = False
    """The last look found its broker away, or no room."""
