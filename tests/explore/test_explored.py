"""Every interleaving within bounds keeps every promise; without a rule, one is broken."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from overnight_models.states import BATCH, ITEM, SUBMISSION
from overnight_workers.stages.protocol import Rule
from tests.explore.model import steps
from tests.explore.promises import broken
from tests.explore.proofs import MISSED, NOT_MISSED
from tests.explore.rules import Bounds, Fault, Part
from tests.explore.search import search
from tests.explore.world import first

FAULTS = int(os.environ.get("EXPLORE_FAULTS", "1"))
"""2 takes many minutes."""

BEYOND_ONE = ("failed",)
BEYOND = {
    # stopping at Anthropic, and results past their 29 days; two rejections
    "batch": {"canceling", "gone", *BEYOND_ONE},
    "submission": set[str](),
    # budgets; the direct road, which has a model of its own; what products ask of an item that is final or on its way
    "item": {"held", "direct", "racing", "redone", "following"},
}


def test_whatever_goes_wrong_once_nothing_is_paid_twice_and_everything_comes_home() -> None:
    explored = search(Bounds(faults=FAULTS))
    print(explored)
    assert explored.wrong is None, str(explored)
    assert explored.complete
    assert explored.states > 25_000
    assert explored.depth > 40
    for life in (BATCH, SUBMISSION, ITEM):
        assert {state for noun, state in explored.reached if noun == life.noun} == set(life.states) - BEYOND[life.noun]


def test_batches_rejected_down_to_the_culprit_and_emptied_by_people_come_home() -> None:
    explored = search(Bounds(faults=2, kinds=frozenset({Fault.REFUSED, Fault.CANCEL})))
    print(explored)
    assert explored.wrong is None, str(explored)
    assert {("batch", state) for state in BEYOND_ONE} <= explored.reached


def test_nothing_that_goes_wrong_twice_shows_early() -> None:
    explored = search(Bounds(faults=2), depth=9)
    print(explored)
    assert explored.wrong is None, str(explored)
    assert explored.states > 3_000


def test_every_part_of_a_rule_is_proven_or_explained() -> None:
    assert {*MISSED, *NOT_MISSED} == set(Part)


def test_every_rule_has_parts_but_the_one_about_people() -> None:
    assert {part.rule for part in Part if part is not Part.PRESENCE} == set(Rule) - {Rule.R10}


@pytest.mark.parametrize("left_out", list(MISSED))
def test_without_a_part_of_a_rule_a_promise_is_broken(left_out: Part) -> None:
    bounds, what = MISSED[left_out]
    explored = search(bounds._replace(without=frozenset({left_out})))
    print(explored)
    assert what in str(explored.wrong), str(explored)


@pytest.mark.parametrize("left_out", list(NOT_MISSED))
def test_without_these_nothing_is_less_safe(left_out: Part) -> None:
    bounds, why = NOT_MISSED[left_out]
    explored = search(bounds._replace(without=frozenset({left_out})))
    assert explored.wrong is None, f"{why}\n{explored}"


class Walk(RuleBasedStateMachine):
    """One long way, with far more going wrong than a search has time for."""

    bounds = Bounds(faults=8, submissions=6, wire=1, horizon=20)

    def __init__(self) -> None:
        super().__init__()
        self.world = first(self.bounds)
        self.way: list[str] = []

    @rule(choice=st.integers(0, 9999))
    def step(self, choice: int) -> None:
        possible = list(steps(self.world, self.bounds))
        if not possible:
            return
        step = possible[choice % len(possible)]
        self.way.append(step.what)
        wrong = next(broken(self.world, step.world), None)
        assert wrong is None, "\n".join([wrong or "", *self.way])
        self.world = step.world

    def teardown(self) -> None:
        """Nothing more goes wrong: it comes home, or the search is stopped before."""
        calm = self.world._replace(faults=0)
        explored = search(self.bounds, start=calm, most_states=800)
        assert explored.wrong is None, "\n".join([*self.way, "and then", str(explored)])


TestWalk = Walk.TestCase
TestWalk.settings = settings(
    max_examples=25, stateful_step_count=60, deadline=None, suppress_health_check=list(HealthCheck)
)
