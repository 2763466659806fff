"""How fast an account may go, by its tier: the API's rate limits page, read 2026-10-08.

Limits are an organisation's; a workspace may be set lower. All are buckets that fill continuously, and may be enforced
per second. What batches, messages and token counts may do is counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Tier: TypeAlias = Literal["start", "build", "scale"]

COUNTS_PER_MINUTE: Final[Mapping[Tier, int]] = {"start": 2_000, "build": 4_000, "scale": 8_000}
"""Calls of count_tokens."""

QUEUE: Final[Mapping[Tier, int]] = {"start": 200_000, "build": 300_000, "scale": 500_000}
"""Batch requests that may be in processing at once, of all models."""


@dataclass(frozen=True, slots=True)
class MessageLimits:
    """What `POST /v1/messages` may do in a minute, for one pool of models."""

    requests: int
    input_tokens: int
    """Tokens read from a cache aren't counted; those written to it are."""
    output_tokens: int
    """As generated; max_tokens isn't reserved."""


_FABLE: Final[Mapping[Tier, MessageLimits]] = {
    "start": MessageLimits(1_000, 500_000, 100_000),
    "build": MessageLimits(2_000, 1_500_000, 300_000),
    "scale": MessageLimits(4_000, 4_000_000, 800_000),
}
_OTHERS: Final[Mapping[Tier, MessageLimits]] = {
    "start": MessageLimits(1_000, 2_000_000, 400_000),
    "build": MessageLimits(5_000, 5_000_000, 1_000_000),
    "scale": MessageLimits(10_000, 10_000_000, 2_000_000),
}
_DATED: Final = re.compile(r"-\d{8}$")
_POOLS: Final = ("claude-fable-5", "claude-mythos-5", "claude-opus-4", "claude-sonnet-4")
"""Models whose names begin so share one pool; every other model has its own."""


def pool(model: str) -> str:
    """The pool of limits that a model draws from, whether its id is dated or not."""
    return next((shared for shared in _POOLS if model.startswith(shared)), _DATED.sub("", model))


def message_limits(model: str, tier: Tier) -> MessageLimits:
    """The limits of a model's pool. For Fable and Mythos 5.2: those of 5.x, not verified."""
    frugal = model.startswith(("claude-fable", "claude-mythos"))
    return (_FABLE if frugal else _OTHERS)[tier]
