"""The rate limit, as the stage uses it: what is asked for a group of requests, and what is learned of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from overnight_models.ledger.direct.claim import Asked

_BYTES_PER_TOKEN: Final = 3.5
_FIRST_SHARE: Final = 0.25
_WEIGHT: Final = 0.02


class Need(NamedTuple):
    """What one request will take."""

    input_tokens: int
    output_tokens: int


class Expected:
    """What requests of one lane and model take, learned from their answers as they come."""

    def __init__(self) -> None:
        self._per_byte = 1 / _BYTES_PER_TOKEN
        self._share = _FIRST_SHARE
        """Of `max_tokens`."""

    def needs(self, asked: Sequence[Asked]) -> list[Need]:
        """What these will take."""
        return [
            Need(max(int(one.size * self._per_byte), 1), max(int(one.max_tokens * self._share), 1)) for one in asked
        ]

    def learn(self, size: int, max_tokens: int, input_tokens: int, output_tokens: int) -> None:
        """What one took. input_tokens: without those that were read from a cache."""
        self._per_byte += _WEIGHT * (input_tokens / max(size, 1) - self._per_byte)
        self._share += _WEIGHT * (output_tokens / max(max_tokens, 1) - self._share)
