"""How long answers are gathered to be recorded together: as long as that saves something."""

from __future__ import annotations

import pytest

from overnight_workers.stages.direct.direct import gathers_for_s


def test_with_most_calls_under_way_answers_are_gathered_for_twice_the_time_of_a_turn() -> None:
    assert gathers_for_s(0.03, busy=1.0) == gathers_for_s(0.03, busy=0.5) == pytest.approx(0.06)


def test_on_a_machine_where_turns_take_long_no_answer_waits_for_long() -> None:
    assert gathers_for_s(5.0, busy=1.0) == 0.15


def test_a_call_that_is_alone_waits_for_hardly_anything() -> None:
    assert gathers_for_s(0.03, busy=1 / 100) < 0.002
