"""Why an item takes its road: in a few words, with what it costs or saves, and by how much it was late."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from overnight_workers.roads.why import Told, why

NOW = datetime(2026, 11, 29, 22, tzinfo=UTC)
TEN = datetime(2026, 11, 30, 10, tzinfo=UTC)
WAITS = Told("waiting", TEN, 98, False, False, None, None, None, 4_100_000, None)


def test_a_batch_says_how_likely_it_is_in_time_and_what_it_saves() -> None:
    assert why(WAITS, NOW) == "batch: 98% likely by 2026-11-30 10:00 UTC, saves $0.004100"
    assert why(replace(WAITS, batch_chance=100, half_nano=None), NOW).startswith("batch: more than 99% likely by")
    assert why(replace(WAITS, deadline=None, batch_chance=None), NOW) == "batch: saves $0.004100"


def test_real_time_says_why_no_batch_and_what_that_costs_more() -> None:
    direct = replace(WAITS, batch_chance=14, to_be_sent=True)
    assert why(direct, NOW) == "real time: a batch is 14% likely by 2026-11-30 10:00 UTC, costs $0.004100 more"
    assert why(replace(direct, deadline=None, batch_chance=None), NOW).startswith("real time: so its lane says")


def test_a_rescued_item_says_that_its_batch_is_too_slow() -> None:
    racing = replace(WAITS, state="racing", in_batch=True, took_s=3600.0)
    assert why(racing, NOW) == "real time: its batch is too slow for 2026-11-30 10:00 UTC, costs $0.004100 more"


def test_a_missed_deadline_says_by_how_much_and_why() -> None:
    late = replace(
        WAITS, state="succeeded", via="batch", in_batch=True, took_s=21_780.0, finished_at=TEN + timedelta(minutes=12)
    )
    assert why(late, NOW).endswith("; missed by 12 min: its batch took 6 h 3 min")
    assert why(replace(WAITS, state="held", held="over budget"), TEN + timedelta(hours=1)).endswith(
        "; late by 1 h: over budget"
    )
    assert "missed" not in why(replace(late, finished_at=TEN), NOW)


def test_what_was_not_bought_says_so() -> None:
    gone = replace(WAITS, state="failed", problem="too_late", via="batch", finished_at=TEN - timedelta(hours=1))
    assert why(gone, NOW) == "not sent, and nothing paid"
