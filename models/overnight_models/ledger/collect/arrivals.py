"""Arrivals: what came back for items, decided and priced, before it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple


class Fate(StrEnum):
    """What a result means for its item."""

    SUCCEED = "succeed"
    """An answer of use."""
    FAIL = "fail"
    """An answer, paid, but of no use."""
    FAIL_OWN = "fail_own"
    """No answer, and another try would end the same."""
    RETRY_OWN = "retry_own"
    """No answer; another try may bring one."""
    WAIT_OWN = "wait_own"
    """No answer, and not the item's fault: it waits again, and the try isn't counted."""


class Arrival(NamedTuple):
    """What came back for one item, decided and priced."""

    item_id: int
    fate: Fate
    problem: str | None = None
    detail: str | None = None
    retryable: bool = False
    message: bytes | None = None
    """JSON."""
    is_raw: bool = False
    """It is a line that nobody can read, as it came."""
    usage: bytes | None = None
    """The message's, as JSON: what was parsed is gone before the next one is, and its memory is used again."""
    model: str | None = None
    billed: bool = False
    may_be_billed: bool = False
    """It got no answer, and nobody can know whether it was billed."""
    input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cost_nano: int | None = 0
    """None when the model that served it has no price."""
    realtime_nano: int | None = 0
    thinking_nano: int = 0
    """What the thinking cost; part of the cost."""


@dataclass(frozen=True)
class Source:
    """Where arrivals come from."""

    submission_id: int | None
    """The submission, or the direct claim."""
    batch_id: int
    """The batch, or the number under which a direct claim is booked; 0 of those that stood in none."""
    api_batch_id: str | None
    only_live: bool
    """No other submission of the batch may still run: what it reports against an item counts."""
    via: str = "batch"
    """The road."""
    has_prefixes: bool = False
    """What its answers read from the cache, and wrote to it, is measured."""


UNSENT: Final = Source(submission_id=None, batch_id=0, api_batch_id=None, only_live=False)
"""Items that fail before they are packed."""
