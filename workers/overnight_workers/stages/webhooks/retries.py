"""When a webhook is sent again: after pauses that grow to an hour, for as long as it is to be delivered. No I/O."""

from __future__ import annotations

import random
from typing import Final

from overnight_models.wire.message import WEBHOOK
from overnight_workers.settings import Lane, Settings

_FIRST_S: Final = 5.0
_LONGEST_S: Final = 3600.0
_JITTER: Final = 0.2
"""So that what failed at once doesn't come back at once."""


def nominal_pause_s(tries: int) -> float:
    """The pause after so many tries, without its jitter."""
    return float(min(_FIRST_S * 2.0 ** min(tries - 1, 20), _LONGEST_S))


def pause_s(tries: int, deliver_for_s: float) -> float | None:
    """The pause after so many tries; None: it has been tried for long enough, and is given up.

    The pauses before and this one together are about `deliver_for_s`, so the last try is made when that is over.
    """
    left_s = deliver_for_s - sum(map(nominal_pause_s, range(1, tries)))
    if left_s <= 0:
        return None
    return min(nominal_pause_s(tries), left_s) * random.uniform(1 - _JITTER, 1 + _JITTER)


def most_tries(deliver_for_s: float) -> int:
    """How many tries that makes."""
    tries, left_s = 1, deliver_for_s
    while left_s > 0 and tries < 30_000:
        left_s -= nominal_pause_s(tries)
        tries += 1
    return tries


def patience_of_webhooks(settings: Settings) -> dict[str, float]:
    """Seconds for which deliveries of those webhooks wait that don't go by their lanes, by the names of targets."""
    own = {name: webhook.deliver_for for name, webhook in settings.webhooks.items()}
    return {f"{WEBHOOK}{name}": patience_s for name, patience_s in own.items() if patience_s is not None}


def most_tries_of_webhooks(settings: Settings) -> dict[str, int]:
    """After so many tries a delivery is dead that no worker lived to see the end of, by the names of targets."""
    longest_s = max((lane.deliver_for for lane in settings.lanes.values()), default=Lane().deliver_for)
    return {
        f"{WEBHOOK}{name}": most_tries(webhook.deliver_for or longest_s) for name, webhook in settings.webhooks.items()
    }
