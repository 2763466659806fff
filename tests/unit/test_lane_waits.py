"""What a page says of what a lane's items wait for: the same as its alarms."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from overnight_models.ledger.operators.overview import LaneView
from overnight_workers.configuration.submit_window import read_window
from overnight_workers.operators import words
from overnight_workers.settings import Lane

LANE = LaneView("night", None, {"waiting": 7}, {}, {}, 9000.0, 0, 0, 0)


def window(hours_from_now: int) -> str:
    opens = datetime.now(UTC) + timedelta(hours=hours_from_now)
    return f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M} UTC"


def test_a_lane_that_waits_for_its_hours_says_so_and_is_not_overdue() -> None:
    closed = words.waiting(LANE, Lane(submit_window=read_window(window(3))))
    assert closed is not None
    assert closed.text.startswith("packed in its hours, ")
    assert closed.text.endswith((" UTC: in 3 h", " UTC: in 2 h 59 min"))
    assert closed.tone == words.CALM
    opened = words.waiting(LANE, Lane(submit_window=read_window(window(0))))
    assert opened is not None
    assert opened.text.startswith("packed at ")


def test_a_lane_in_real_time_and_one_that_waits_for_more_items_are_not_overdue() -> None:
    direct = words.waiting(LANE, Lane(road="direct"))
    assert direct == words.Word("sent in real time, as fast as the limits allow")
    more = words.waiting(LANE, Lane(min_items=1000, max_wait=60.0))
    assert more is not None
    assert more.text.endswith("and 1 min after 1,000 items are there")


def test_a_lane_whose_max_wait_is_over_is_overdue() -> None:
    overdue = words.waiting(LANE, Lane(max_wait=300.0))
    assert overdue == words.Word("overdue: packed after 5 min at the latest", words.NOTABLE)
    assert words.waiting(replace(LANE, paused_reason="for a while"), Lane(max_wait=300.0)) is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("deadline", 600.0, "deadline = 10 min"),
        ("deadline_confidence", 0.95, "deadline_confidence = 0.95"),
        ("max_cost_per_trace", 500_000_000, "max_cost_per_trace = $0.5000"),
        ("prime", True, "prime = true"),
        ("max_attempts", 1, "max_attempts = 1"),
    ],
)
def test_options_are_said_with_their_units(name: str, value: object, said: str) -> None:
    assert words.option(name, value) == said
