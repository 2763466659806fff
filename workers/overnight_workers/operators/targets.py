"""Where deliveries go, in words: a queue of a broker, or a webhook by its name. No I/O."""

from __future__ import annotations

from overnight_models.wire.message import WEBHOOK


def named(broker: str | None, queue: str | None) -> str:
    """A target, as it stands in a sentence."""
    return f"webhook {queue}" if (broker or "").startswith(WEBHOOK) else f"queue {queue}"


def place(broker: str) -> str:
    """What a target is in: a broker by its name; of a webhook only that it is one."""
    return "a webhook" if broker.startswith(WEBHOOK) else broker or "Overnight's own Redis"


def names(broker: str, queue: str) -> tuple[str, str]:
    """The names of a target that stand beside whatever is said of it: no text about it has to hide them."""
    return queue, broker.removeprefix(WEBHOOK)
