"""Deaths that are the same: at a point, and at the next one, when nothing outside has changed in between.

`after commit` is most often followed by `before …` of the next effect. What the process had in mind goes with it either
way; what the servers hold is the same; and the same step is taken again. So it is killed at the second of them only.
`make chaos` kills it at each.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from tests.chaos.life import Lived, Same

MARK: Final = "a point"
"""How the mark of a point begins among the events of a server."""

_MARKED: Final = re.compile(r".*?(?:'point|ECHO point) ")

_SEVERAL_AT_ONCE: Final = frozenset({"direct", "webhooks"})
"""Stages with requests under way while they reach their points."""


def same_deaths(lived: Lived, *witnesses: Sequence[str]) -> Same:
    """The pairs of an undisturbed run.

    witnesses: the events of each server, with the marks of the points between them. One that has seen the points in
    another order, as with threads, proves nothing.
    """
    seen = [_effects_behind(events) for events in witnesses]
    if any([name for name, _ in points][:-1] != list(lived.points) for points in seen):
        return frozenset()
    pairs, others = set(), set()
    for number, point in enumerate(lived.points):
        is_last = number + 1 in (lived.steps_end_at, len(lived.points))
        follower = "" if is_last else lived.points[number + 1]
        quiet = not any(points[number][1] for points in seen)
        if quiet and follower and lived.steps[number] == lived.steps[number + 1] and _is_over(point):
            pairs.add((point, follower))
        else:
            others.add(point)
    return frozenset(pair for pair in pairs if pair[0] not in others)


def covered_by_the_last(lived: Lived, same: Same) -> set[str]:
    """The points right before the one at which this life ended at which it would have been the same death."""
    covered: set[str] = set()
    for number in range(len(lived.points) - 1, 0, -1):
        pair = lived.points[number - 1], lived.points[number]
        if pair not in same or lived.steps[number - 1] != lived.steps[number]:
            break
        covered.add(pair[0])
    return covered


def _effects_behind(events: Sequence[str]) -> list[tuple[str, int]]:
    """Each mark's point, and how many effects come between it and the next mark."""
    points: list[tuple[str, int]] = []
    for event in events:
        if event.startswith(MARK):
            points.append((_MARKED.sub("", event), 0))
        elif points:
            points[-1] = points[-1][0], points[-1][1] + 1
    return points


def _is_over(point: str) -> bool:
    """Whether that point stands behind a call that has returned, so that nothing of it is under way."""
    stage = re.split(r"[ .]", point, maxsplit=1)[0]
    return (
        re.search(r":\d+ after ", point) is not None
        and not point.endswith("after last bytes")
        and stage not in _SEVERAL_AT_ONCE
    )
