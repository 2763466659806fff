"""Which deaths are spared because another is the same: none that an effect, a step or a doubt stands between."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.chaos.life import Doom, Fate, Lived, Same
from tests.chaos.same_deaths import covered_by_the_last, same_deaths

BEFORE, AFTER, NEXT = "pack.pack:1 before commit", "pack.pack:1 after commit", "pack.pack:2 before ring"
WAY = (BEFORE, AFTER, NEXT)
QUIET = ("COMMIT", "", "LPUSH")
"""What comes behind each point of the way."""


def lived(*points: str, steps: Sequence[int] = ()) -> Lived:
    return Lived(points, tuple(steps) or (0,) * len(points), 0, False, len(points))


def events(points: Sequence[str], effects: Sequence[str]) -> list[str]:
    """As a server sees them."""
    marked = [
        word
        for point, effect in zip(points, effects, strict=True)
        for word in (f"a point: SELECT 'point {point}", effect)
    ]
    return [word for word in (*marked, "a point: ECHO point of the end") if word]


def test_behind_a_commit_and_before_the_next_effect_it_is_the_same_death() -> None:
    assert same_deaths(lived(*WAY), events(WAY, QUIET)) == {(AFTER, NEXT)}


@pytest.mark.parametrize(
    ("points", "steps", "effects"),
    [
        (WAY, (0, 0, 0), ("COMMIT", "COMMIT", "LPUSH")),
        (WAY, (0, 0, 1), QUIET),
        ((*WAY, AFTER, NEXT), (0,) * 5, (*QUIET, "COMMIT", "")),
        (("direct.send:1 after message", NEXT), (0, 0), ("", "")),
        (("submit.send:1 after last bytes", NEXT), (0, 0), ("", "")),
        ((NEXT, BEFORE), (0, 0), ("", "")),
    ],
    ids=["an effect", "a step", "an effect at another time", "several at once", "an answer is under way", "not over"],
)
def test_it_is_another_death_with(points: Sequence[str], steps: Sequence[int], effects: Sequence[str]) -> None:
    assert same_deaths(lived(*points, steps=steps), events(points, effects)) == set()


def test_an_effect_that_one_of_the_servers_has_seen_is_enough() -> None:
    silent = events(WAY, ("", "", ""))
    assert same_deaths(lived(*WAY), silent, events(WAY, ("", "LPUSH", ""))) == set()


def test_who_has_seen_the_points_in_another_order_proves_nothing() -> None:
    assert same_deaths(lived(*WAY), events((AFTER, BEFORE, NEXT), ("", "", ""))) == set()


def ends_at(points: Sequence[str], same: Same, spared: Sequence[str] = ()) -> str | None:
    """Where such a life ends."""
    fate = Fate(Doom(spared=frozenset(spared), same=same))
    return next((point for point in points if fate.strikes(0, point)), None)


def test_a_life_ends_at_the_second_of_two_points_which_counts_for_both() -> None:
    same = frozenset({(AFTER, NEXT)})
    assert ends_at(WAY, same, [BEFORE]) == NEXT
    assert covered_by_the_last(lived(*WAY), same) == {AFTER}
    # and again behind a point at which nobody died, though somebody died at the second
    assert ends_at(WAY, same, [BEFORE, NEXT]) == NEXT
    assert ends_at(WAY, same, WAY) is None


def test_where_another_point_follows_nobody_died_at_the_first() -> None:
    same, other = frozenset({(AFTER, NEXT)}), "pack.pack:3 before reply"
    assert ends_at((AFTER, other), same, [other]) is None
    assert covered_by_the_last(lived(AFTER, other), same) == set()
    assert covered_by_the_last(lived(AFTER, NEXT, steps=(0, 1)), same) == set()
