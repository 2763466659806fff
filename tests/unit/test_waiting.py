"""The one wait of all tests: what it says when its time is over."""

from __future__ import annotations

import psycopg
import pytest

from tests.waiting import wait_until


def test_a_condition_that_comes_true_ends_the_wait() -> None:
    looks = iter([0, 0, 1])
    wait_until(lambda: next(looks), 5)


def test_a_condition_that_stays_false_fails_with_its_source_and_what_the_test_adds() -> None:
    came: list[str] = []
    with pytest.raises(AssertionError) as raised:
        wait_until(lambda: len(came) == 3, 0.02, what=lambda: f"came: {came}")
    assert str(raised.value).splitlines() == [
        'not true within 0.02 s: wait_until(lambda: len(came) == 3, 0.02, what=lambda: f"came: {came}")',
        "came: []",
    ]


def test_a_server_that_gives_no_answer_is_looked_at_again_and_named_when_the_time_is_over() -> None:
    def is_up() -> bool:
        raise psycopg.OperationalError("connection refused")

    with pytest.raises(AssertionError, match=r"the last look got no answer: OperationalError.*connection refused"):
        wait_until(is_up, 0.02)


def test_an_error_in_the_condition_itself_is_raised_at_once() -> None:
    looks: list[int] = []
    with pytest.raises(IndexError):
        wait_until(lambda: looks[0], 5)
