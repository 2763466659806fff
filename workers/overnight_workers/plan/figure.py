"""A number, how sure it is, and how it is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final


class How(StrEnum):
    """How a number is known, the surest first."""

    COUNTED = "counted"
    """Every one was looked at."""
    MEASURED = "measured"
    """From answers to items of this very file that were paid for."""
    SAMPLED = "sampled"
    """From a random part of the file."""
    LEARNED = "learned"
    """From what earlier items of this lane and model were billed."""
    ASSUMED = "assumed"
    """Nobody has looked. Its range is what is thinkable, and not a confidence interval."""
    UNKNOWN = "unknown"
    """Part of it can't be counted by anybody: it is so much at least."""

    @property
    def words(self) -> str:
        """The same for a person who never read this."""
        return _WORDS[self]


_WORDS: Final = {
    How.COUNTED: "every row counted",
    How.MEASURED: "answers to some of these rows",
    How.SAMPLED: "some of these rows, by chance",
    How.LEARNED: "what earlier answers cost",
    How.ASSUMED: "assumed: from bytes, or a share of max_tokens",
    How.UNKNOWN: "at least so much: a part can't be counted",
}


_SURENESS = tuple(How)


def weakest(*hows: How) -> How:
    """How a number is known that is made of numbers that are known so."""
    return max(hows, key=_SURENESS.index, default=How.COUNTED)


@dataclass(frozen=True, slots=True)
class Figure:
    """A whole number of tokens, items or nano-dollars; `low` to `high` holds it in 95 of 100 cases, unless assumed."""

    value: int
    low: int
    high: int
    how: How

    @property
    def exact(self) -> bool:
        """Whether there is no doubt."""
        return self.low == self.value == self.high

    def times(self, factor: int | Fraction) -> Figure:
        """So many times this."""
        return Figure(
            round(self.value * factor), math.floor(self.low * factor), math.ceil(self.high * factor), self.how
        )

    def within(self, limit: int) -> Figure:
        """Nothing of it above `limit`."""
        return Figure(min(self.value, limit), min(self.low, limit), min(self.high, limit), self.how)


def exactly(value: int, how: How = How.COUNTED) -> Figure:
    """A number without a doubt."""
    return Figure(value, value, value, how)


def around(value: float, deviation: float, how: How) -> Figure:
    """A number that may be off by `deviation` either way; never below zero."""
    return Figure(round(value), max(math.floor(value - deviation), 0), math.ceil(value + deviation), how)


def added(figures: Iterable[Figure]) -> Figure:
    """The sum of independent numbers: their doubts add in squares, those of assumed ones in full."""
    given = list(figures)
    doubts = [(figure.value - figure.low, figure.high - figure.value, figure.how is How.ASSUMED) for figure in given]
    value = sum(figure.value for figure in given)
    down, up = (
        sum(doubt[side] for doubt in doubts if doubt[2])
        + math.isqrt(sum(doubt[side] ** 2 for doubt in doubts if not doubt[2]))
        for side in (0, 1)
    )
    return Figure(value, value - down, value + up, weakest(*(figure.how for figure in given)))
