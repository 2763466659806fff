"""What operators read of a batch, and of money."""

from __future__ import annotations

import pytest

from overnight_models.ledger.operators.overview import BatchView, TurnaroundView
from overnight_models.states import BATCH
from overnight_workers.operators import words


def batch_in(state: str, **known: float | None) -> BatchView:
    durations = {"changed_s": 5.0, "resumes_s": None, "open_s": None, "took_s": None, "expires_s": None, **known}
    return BatchView(
        id=1, lane="a", workspace="default", state=state, reason=None, items=1, size=1, age_s=5.0, api_id=None,
        submissions=1, cost_nano=0, realtime_nano=0, packed_at=None, **durations,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("state", BATCH.unfinished)
def test_every_unfinished_state_says_what_is_expected(state: str) -> None:
    assert words.expectation(batch_in(state), None).text


def test_a_batch_that_is_open_past_its_end_does_not_expire_in_no_time() -> None:
    expired = words.expectation(batch_in("open", open_s=90000.0, expires_s=-3600.0), None)
    assert (expired.text, expired.tone) == ("expired 1 h ago, and Anthropic hasn't ended it", words.ALARMING)


def test_expectations_come_from_history_once_there_is_some() -> None:
    hours = 3600.0
    running = batch_in("open", open_s=2 * hours, expires_s=22 * hours)
    history = TurnaroundView("a", 50, 0.5 * hours, 1 * hours)
    assert words.expectation(running, None) == words.Word("most end within 1 h, all within 24 h")
    assert words.expectation(running, history) == words.Word(
        "longer than usual: half end within 30 min, 9 of 10 within 1 h", "notable"
    )
    forgotten = batch_in("packed", changed_s=600.0)
    assert words.expectation(forgotten, None).text == "to be sent for 10 min: does a worker run this stage?"
    paused = batch_in("packed", resumes_s=40.0)
    assert words.expectation(paused, None) == words.Word("sent again in 40 s", "notable")


@pytest.mark.parametrize(
    ("nano", "said"),
    [
        (0, "$0.00"),
        (1_234_567_890_000, "$1,234.57"),
        (5_400_000, "$0.0054"),
        (42_000, "$0.000042"),
        (-2 * 10**9, "-$2.00"),
    ],
)
def test_money_has_as_many_digits_as_it_needs(nano: int, said: str) -> None:
    assert words.dollars(nano) == said
