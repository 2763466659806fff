"""Plots as numbers for an SVG: where bars, lines and their labels stand. A template draws them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 520
HEIGHT: Final = 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 10, 24
_LABELS: Final = 5
_ALL_LABELS: Final = 8
"""So few all have room."""
_LEAST_WIDTH: Final = 1.0


@dataclass(frozen=True)
class Label:
    """A text beside an axis."""

    at: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Bar:
    """A bar, and what is said when somebody points at it."""

    x: float
    y: float
    width: float
    height: float
    title: str
    is_marked: bool


@dataclass(frozen=True)
class Plot:
    """One plot, in a room of WIDTH by HEIGHT.

    lines: each as the points of a polyline, the lower ones last.
    """

    title: str
    bars: Sequence[Bar] = ()
    lines: Sequence[str] = ()
    below: Sequence[Label] = ()
    beside: Sequence[Label] = ()

    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    bottom: int = HEIGHT - _BOTTOM


def bars(
    title: str,
    values: Sequence[float],
    names: Sequence[str],
    *,
    say: Callable[[float], str],
    titles: Sequence[str] | None = None,
    last_is_marked: bool = False,
) -> Plot:
    """A bar for each value, from 0 upwards.

    names: of the bars, some of which stand below; titles: of the bars, when somebody points at them (default: names).
    say: a value as a text; an empty one isn't written beside the axis.
    """
    top = _round_up(max(values, default=0.0))
    room = (WIDTH - _LEFT - _RIGHT) / max(len(values), 1)
    wide = max(min(room * 0.8, 40.0), _LEAST_WIDTH)
    drawn = []
    for at, (value, name) in enumerate(zip(values, titles or names, strict=True)):
        tall = value / top * (HEIGHT - _TOP - _BOTTOM)
        x = _LEFT + room * at + (room - wide) / 2
        is_last = last_is_marked and at == len(values) - 1
        drawn.append(
            Bar(round(x, 1), round(_y(value, top), 1), round(wide, 1), round(tall, 1), f"{name}: {say(value)}", is_last)
        )
    middles = [_LEFT + room * (at + 0.5) for at in range(len(names))]
    return Plot(title, bars=drawn, below=_some(middles, names, inside=False), beside=_scale(top, say))


def lines(title: str, x: Sequence[float], series: Sequence[Sequence[float]], *, say_x: Callable[[float], str]) -> Plot:
    """Stairs that begin at 0, over the same x: answers come by batches, and nothing lies between two of them.

    series: the y of each line. say_x: an x as a text.
    """
    top = _round_up(max((value for values_ in series for value in values_), default=0.0))
    far = max(x, default=0.0) or 1.0
    width = WIDTH - _LEFT - _RIGHT
    places = [_LEFT + at / far * width for at in (0.0, *x)]
    drawn = [_stairs(places, [_y(value, top) for value in (0.0, *values_)]) for values_ in series]
    ticks = [far * part / (_LABELS - 1) for part in range(_LABELS)]
    below = _some([_LEFT + tick / far * width for tick in ticks], [say_x(tick) for tick in ticks], inside=True)
    return Plot(title, lines=drawn, below=below, beside=_scale(top, lambda value: f"{value:,.0f}"))


def _stairs(x: Sequence[float], y: Sequence[float]) -> str:
    """The points of a polyline that keeps its height until the next x."""
    corners = [(x[0], y[0])]
    for before, (at, height) in zip(y, zip(x[1:], y[1:], strict=True), strict=False):
        corners += [(at, before), (at, height)]
    return " ".join(f"{at:.1f},{height:.1f}" for at, height in corners)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - value / top * (HEIGHT - _TOP - _BOTTOM)


def _round_up(value: float) -> float:
    """The end of a scale: the next of 1, 2, 2.5, 5 and their multiples by ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value)


def _scale(top: float, say: Callable[[float], str]) -> list[Label]:
    said = [Label(round(_y(part, top), 1), say(part), "end") for part in (0.0, top / 2, top)]
    return [label for at, label in enumerate(said) if label.text not in ("", *(other.text for other in said[:at]))]


def _some(places: Sequence[float], names: Sequence[str], *, inside: bool) -> list[Label]:
    """At most five labels at equal distances, the first among them. inside: those at the ends stay within the plot."""
    step = math.ceil(len(names) / _LABELS) if len(names) > _ALL_LABELS else 1
    last = len(names) - 1
    anchors = {0: "start", last: "end"} if inside and last else {}
    return [Label(round(places[at], 1), names[at], anchors.get(at, "middle")) for at in range(0, len(names), step)]
