"""Cutting: a text is shortened from its end until its prompt fits, by as few counts as that takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from overnight_models.request.cuttable import text_at, with_text

Count = Callable[[Mapping[str, object]], int]
"""The tokens of a request, as the API counts them."""

_NEAR: Final = Fraction(1, 50)
"""Room that may be left unused, as a share of the limit: closer would cost more calls than it is worth."""
_MOST_COUNTS: Final = 14
_HALVED_EVERY: Final = 2
"""Each second time the middle is tried: where a text's end is denser than its beginning, going by its slope is slow."""


@dataclass(frozen=True)
class Cut:
    """A request that fits, as it was counted."""

    params: dict[str, Any]
    tokens: int


@dataclass(frozen=True)
class TooLong:
    """Cutting doesn't help."""

    tokens: int
    """What is left of the prompt without the text."""


def cut(params: Mapping[str, object], place: str, *, tokens: int, max_tokens: int, count: Count) -> Cut | TooLong:
    """Cut the text at that place until the prompt has at most so many tokens.

    tokens: what it has uncut, which is more.
    """
    text = (text_at(params, place) or "").rstrip()
    begins = len(text) - len(text.lstrip()) + 1
    shortest = with_text(params, place, text[:begins])
    fits = Cut(shortest, count(shortest))
    if fits.tokens > max_tokens or not text:
        return TooLong(fits.tokens)
    # lengths of the text: with the one it fits, with the other it doesn't
    low, high, high_tokens = begins, len(text), tokens
    aim = max_tokens * (1 - _NEAR / 2)
    for number in range(1, _MOST_COUNTS):
        if high - low <= 1 or max_tokens - fits.tokens <= max_tokens * _NEAR:
            break
        slope = Fraction(1, 2) if number % _HALVED_EVERY == 0 else (aim - fits.tokens) / (high_tokens - fits.tokens)
        length = min(max(low + int((high - low) * slope), low + 1), high - 1)
        shorter = with_text(params, place, text[:length].rstrip())
        counted = count(shorter)
        if counted <= max_tokens:
            low, fits = length, Cut(shorter, counted)
        else:
            high, high_tokens = length, counted
    return TooLong(fits.tokens) if low == begins else fits
