"""Plots as SVG inside a page: bars over days, which are read without a script; a table beside them says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WIDTH: Final = 720
_HEIGHT: Final = 160
_LEFT, _TOP, _BOTTOM = 8, 22, 22
_FEWEST: Final = 7
"""So few bars aren't drawn wider than these."""


@dataclass(frozen=True)
class Bar:
    """One bar: the part that counts, and behind it the whole."""

    name: str
    part: int
    whole: int
    amount: str
    """What the part comes to, in few characters."""
    title: str
    """What a pointer shows, and a screen reader says."""


@dataclass(frozen=True)
class Drawn:
    """A bar with its place, in the units of the plot."""

    bar: Bar
    x: float
    width: float
    middle: float
    part_y: float
    part_height: float
    whole_y: float
    whole_height: float
    is_named: bool


@dataclass(frozen=True)
class Plot:
    """Bars to be drawn."""

    drawn: Sequence[Drawn]
    width: int = _WIDTH
    height: int = _HEIGHT
    base: int = _HEIGHT - _BOTTOM


def plot(bars: Sequence[Bar]) -> Plot:
    """Bars side by side, the highest as high as there is room."""
    longest = max((max(bar.part, bar.whole) for bar in bars), default=0) or 1
    step = (_WIDTH - 2 * _LEFT) / max(len(bars), _FEWEST)
    base, room = _HEIGHT - _BOTTOM, _HEIGHT - _BOTTOM - _TOP
    every = max(1, round(len(bars) * 60 / _WIDTH))
    drawn = []
    for number, bar in enumerate(bars):
        part, whole = room * bar.part / longest, room * bar.whole / longest
        drawn.append(
            Drawn(
                bar,
                round(_LEFT + number * step + step * 0.15, 1),
                round(step * 0.7, 1),
                round(_LEFT + (number + 0.5) * step, 1),
                round(base - part, 1),
                round(part, 1),
                round(base - whole, 1),
                round(whole, 1),
                is_named=number % every == 0,
            )
        )
    return Plot(drawn)
