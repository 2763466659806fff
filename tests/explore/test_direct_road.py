"""Every interleaving on the direct road keeps every promise; without a part of it, one is broken."""

from __future__ import annotations

import pytest

from tests.explore.direct_road import ENDINGS, MODEL, Bounds, Part
from tests.explore.search import search_model

MISSED = {
    Part.LET_GO: (1, "nothing brings this home"),
    Part.OURS: (1, "although somebody has ended it"),
    Part.ONCE: (2, "failed while something may still answer it"),
    Part.FORGET: (1, "nothing brings this home"),
    Part.OUTLAST: (1, "failed while something may still answer it"),
    Part.DOUBTS: (2, "SENT AGAIN"),
    Part.FALL_BACK: (1, "failed while something may still answer it"),
}
"""Part: how much has to go wrong until its absence shows, and how."""


@pytest.mark.parametrize(("faults", "max_doubts"), [(3, 0), (2, 1)])
def test_whatever_goes_wrong_what_the_api_billed_is_billed_or_said_to_be_maybe(faults: int, max_doubts: int) -> None:
    explored = search_model(MODEL, Bounds(faults=faults, max_maybe_billed=max_doubts))
    print(explored)
    assert explored.wrong is None, str(explored)
    assert explored.complete
    assert explored.states > 5_000
    assert {state for _, state in explored.reached} == {
        *("waiting", "batched", "direct", "racing"),
        *("succeeded", "failed", "canceled"),
    }


def test_every_part_is_proven() -> None:
    assert MISSED.keys() == set(Part)
    assert len({ending.name for ending in ENDINGS}) == len(ENDINGS)


@pytest.mark.parametrize("left_out", list(Part))
def test_without_a_part_a_promise_is_broken(left_out: Part) -> None:
    faults, what = MISSED[left_out]
    max_doubts = 0 if left_out is Part.DOUBTS else 1
    explored = search_model(MODEL, Bounds(faults, max_doubts, frozenset({left_out})))
    print(explored)
    assert what in str(explored.wrong), str(explored)
