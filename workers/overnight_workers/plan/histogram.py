"""A histogram of lengths: its bins grow by 1, 2, 5, 10, …, so that it is short for any lengths."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True)
class Bin:
    """Items whose prompts have from `low` up to, and not including, `high` tokens."""

    low: int
    high: int
    items: int


class Histogram:
    """Items by length, each standing for so many."""

    def __init__(self) -> None:
        self._weights: defaultdict[int, Fraction] = defaultdict(Fraction)

    def add(self, tokens: int, weight: Fraction) -> None:
        """One item."""
        self._weights[_low(tokens)] += weight

    def bins(self) -> tuple[Bin, ...]:
        """From the shortest to the longest, empty ones between them too."""
        found: list[Bin] = []
        low = min(self._weights, default=1)
        while self._weights and low <= max(self._weights):
            found.append(Bin(low, _next(low), round(self._weights.get(low, Fraction(0)))))
            low = _next(low)
        return tuple(found)


def _low(tokens: int) -> int:
    """Where the bin begins that so many tokens are in."""
    low = int("1" + "0" * (len(str(max(tokens, 1))) - 1))
    return max(low * step for step in _STEPS if low * step <= max(tokens, 1))


def _next(low: int) -> int:
    return low * 5 // 2 if str(low)[0] == "2" else low * 2
