"""The one table of states and moves holds together; everything else is made from it."""

from __future__ import annotations

import re

import pytest

from overnight_models.states import BATCH, CATALOG_RUN, DELIVERY, ITEM, LIVES, SUBMISSION, Life, Move

MOVES = [pytest.param(life, move, id=f"{life.noun}-{move.name}") for life in LIVES for move in life]
BY_NOUN = [pytest.param(life, id=life.noun) for life in LIVES]
# Who may leave a final state: an operator's word, or a fact that arrives late.
OUT_OF_FINAL = {
    "item": {"invalidate": {"succeeded"}, "revive": {"failed"}, "redo": {"failed", "canceled"}},
    "batch": {},
    "submission": {"open": {"lost", "void"}, "finish": {"lost", "void"}},
    "delivery": {"replay": {"dead", "delivered"}, "acknowledge": {"dead"}},
    "catalog_run": {},
}


@pytest.mark.parametrize(("life", "move"), MOVES)
def test_a_move_goes_between_states_that_exist(life: Life, move: Move) -> None:
    assert move.before
    assert set(move.before) | {move.after} <= set(life.states)
    assert move.after not in move.before, "a move that stays where it is can't be guarded"
    assert move.why


@pytest.mark.parametrize("life", BY_NOUN)
def test_every_unfinished_state_has_a_way_out(life: Life) -> None:
    assert {state for move in life for state in move.before} >= set(life.unfinished)


@pytest.mark.parametrize("life", BY_NOUN)
def test_a_final_state_is_left_only_by_a_word_or_a_late_fact(life: Life) -> None:
    leaving = {move.name: states for move in life if (states := set(move.before) & life.final)}
    assert leaving == OUT_OF_FINAL[life.noun]


@pytest.mark.parametrize("life", BY_NOUN)
def test_a_final_state_can_be_reached_from_every_unfinished_one(life: Life) -> None:
    home = set(life.final)
    while states := {state for move in life if move.after in home for state in move.before} - home:
        home |= states
    assert home == set(life.states)


@pytest.mark.parametrize("life", BY_NOUN)
def test_every_state_can_be_reached(life: Life) -> None:
    reached = {next(iter(life.states)), *life.also_begins}
    while states := {move.after for move in life if reached & set(move.before)} - reached:
        reached |= states
    assert reached == set(life.states)


@pytest.mark.parametrize("life", BY_NOUN)
def test_a_move_is_found_by_its_only_name(life: Life) -> None:
    names = [move.name for move in life]
    assert len(set(names)) == len(names)
    assert all(getattr(life, name).name == name for name in names)


@pytest.mark.parametrize(("life", "move"), MOVES)
def test_the_guard_names_exactly_the_states_before(life: Life, move: Move) -> None:
    assert re.fullmatch(r"state IN \('\w+'(, '\w+')*\)", move.where)
    assert re.findall(r"'(\w+)'", move.where) == list(move.before)
    assert move.set == f"state = '{move.after}'"


@pytest.mark.parametrize("life", BY_NOUN)
def test_the_check_names_every_state(life: Life) -> None:
    assert re.findall(r"'(\w+)'", life.check) == list(life.states)


def test_each_noun_has_one_life() -> None:
    assert [life.noun for life in LIVES] == ["item", "batch", "submission", "delivery", "catalog_run"]
    assert (ITEM, BATCH, SUBMISSION, DELIVERY, CATALOG_RUN) == LIVES
