"""The pace: never more calls in a minute than allowed, whoever asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_workers.anthropic_api.pace import Pace


def test_a_seconds_calls_go_at_once_and_then_one_by_one() -> None:
    pace = Pace(120, now=0.0)
    assert [pace.take(0.0) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]
    # those three have their places; the next comes after them
    assert pace.take(1.0) == pytest.approx(1.0)
    assert pace.take(100.0) == 0


def test_what_is_not_used_is_not_saved_up() -> None:
    pace = Pace(600, now=0.0)
    waits = [pace.take(1_000.0) for _ in range(12)]
    assert waits[:10] == [0] * 10
    assert waits[10:] == pytest.approx([0.1, 0.2])


def test_a_pause_is_everybodys() -> None:
    pace = Pace(60, now=0.0)
    pace.take(0.0)
    pace.pause(0.0, 30.0)
    assert pace.take(0.0) == pytest.approx(31.0)
    assert pace.take(5.0) == pytest.approx(27.0)
    # a shorter one doesn't end it
    pace.pause(5.0, 1.0)
    assert pace.take(5.0) == pytest.approx(28.0)


@given(st.integers(1, 10_000), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_a_minute_never_holds_more_than_a_minutes_calls_and_a_seconds(rate: int, gaps: list[float]) -> None:
    pace, now, made = Pace(rate, now=0.0), 0.0, []
    for gap in gaps:
        now += gap
        made.append(now + pace.take(now))
    made.sort()
    for first, start in enumerate(made):
        within = [at for at in made[first:] if at < start + 60]
        assert len(within) <= rate + max(rate / 60, 1) + 1e-6
