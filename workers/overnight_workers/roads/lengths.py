"""How long prompts and answers are: as earlier ones were, or as is assumed when nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

FEWEST_ANSWERS: Final = 20
"""From fewer earlier answers nothing is learned."""
BYTES_PER_TOKEN: Final = 4
"""What a token is assumed to have when nobody is asked."""
ANSWER_SHARE: Final = Fraction(1, 4)
"""Of `max_tokens`, when nothing is known: most people allow a lot more than they get."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """What earlier items of one model had, added up."""

    answers: int
    bytes: int
    """Of their requests."""
    input_tokens: int
    """As they are limited: without those read from a cache."""
    output_tokens: int
    max_tokens: int

    @property
    def tokens_per_byte(self) -> float:
        """Tokens that go in for each byte of a request."""
        return self.input_tokens / max(self.bytes, 1)

    @property
    def answer_share(self) -> float:
        """Of `max_tokens`, how much an answer takes."""
        return self.output_tokens / max(self.max_tokens, 1)


ASSUMED: Final = Lengths(FEWEST_ANSWERS, BYTES_PER_TOKEN, 1, ANSWER_SHARE.numerator, ANSWER_SHARE.denominator)
"""When nothing is known."""
