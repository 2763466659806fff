"""The rate limit, as the stage uses it: what is asked for a group of requests, and what is learned of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from overnight_models.ledger.collect.arrivals import Arrival
from overnight_models.ledger.direct.claim import Asked
from overnight_workers.limiter import Need, Used

_BYTES_PER_TOKEN: Final = 3.5
_FIRST_SHARE: Final = 0.25
_WEIGHT: Final = 0.02


class Expected:
    """What requests of one lane and model take, learned from their answers as they come."""

    def __init__(self) -> None:
        self._per_byte = 1 / _BYTES_PER_TOKEN
        self._share = _FIRST_SHARE
        """Of `max_tokens`."""

    def needs(self, asked: Sequence[Asked]) -> list[Need]:
        """What these will take."""
        return [
            Need(max(int(item.size * self._per_byte), 1), max(int(item.max_tokens * self._share), 1)) for item in asked
        ]

    def learn(self, asked: Asked, used: Used) -> None:
        """What one took."""
        self._per_byte += _WEIGHT * (used.input_tokens / max(asked.size, 1) - self._per_byte)
        self._share += _WEIGHT * (used.output_tokens / max(asked.max_tokens, 1) - self._share)


def used_by(arrival: Arrival) -> Used:
    """What an answer took: tokens of the prompt that were read from a cache don't count."""
    written = arrival.cache_write_5m_tokens + arrival.cache_write_1h_tokens
    return Used(arrival.input_tokens + written, arrival.output_tokens)
