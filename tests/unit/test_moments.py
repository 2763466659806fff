"""Moments: what a product may say of when an answer is wanted, and what stands on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from overnight_models.errors import BadItem
from overnight_models.request.moments import moment_of, read_moment
from overnight_producers import Item
from overnight_producers.item import Moment, line_of
from tests.driving import params

NOW = datetime(2026, 11, 29, 22, 0, tzinfo=UTC)
INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    "given",
    [
        timedelta(hours=10),
        "10h",
        "9h60m",
        datetime(2026, 11, 30, 8, tzinfo=UTC),
        datetime(2026, 11, 30, 13, 30, tzinfo=INDIA),
        "2026-11-30T08:00:00Z",
        "2026-11-30T13:30+05:30",
        "2026-11-30 08:00:00.000+00:00",
    ],
)
def test_a_time_with_its_zone_and_a_duration_from_now_are_the_same_moment(given: Moment) -> None:
    assert moment_of(given, now=NOW) == datetime(2026, 11, 30, 8, tzinfo=UTC)


def test_a_duration_that_begins_as_a_year_does_is_a_duration() -> None:
    assert moment_of("3600s", now=NOW) == NOW + timedelta(hours=1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (datetime(2026, 11, 30, 8), "naive"),  # noqa: DTZ001
        ("2026-11-30T08:00:00", "no offset from UTC"),
        ("2026-11-30", "neither a duration nor a time: .*2026-11-30T08:00:00"),
        ("tomorrow", "neither a duration nor a time: .*'2h'"),
        (3600, "is no time"),
        (timedelta.max, "further away than any calendar"),
    ],
)
def test_what_may_be_any_of_24_hours_or_is_no_time_is_refused(given: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        moment_of(given, now=NOW)


@pytest.mark.parametrize(
    "text", ["2026-11-30T08:00:00", "20261130T080000Z", "2026-W48-1T08:00Z", "2h", "0000-01-01T00:00Z"]
)
def test_on_the_wire_there_is_one_form(text: str) -> None:
    with pytest.raises(ValueError, match=r"no time|no offset"):
        read_moment(text)


def test_it_travels_in_utc_and_an_item_without_one_travels_as_before() -> None:
    line, _ = line_of(Item(params=params(), deadline=datetime.now(INDIA) + timedelta(hours=1)), redis_url="")
    assert line["deadline"].endswith("+00:00")
    plain, written = line_of(Item(params=params()), redis_url="")
    assert "deadline" not in plain
    assert b"give_up_at" not in written


def faults(*, deadline: Moment | None = None, give_up_at: Moment | None = None) -> str:
    with pytest.raises(BadItem) as caught:
        line_of(Item(params=params(), deadline=deadline, give_up_at=give_up_at), redis_url="")
    return "; ".join(caught.value.faults)


def test_a_moment_that_is_over_or_more_than_a_year_away_is_refused_before_anything_is_sent() -> None:
    assert "`deadline` is over" in faults(deadline=timedelta(seconds=-1))
    assert "`deadline` is over" in faults(deadline=datetime(2020, 1, 1, tzinfo=UTC))
    assert "more than a year away" in faults(give_up_at=timedelta(days=400))


def test_an_answer_of_no_use_before_it_is_wanted_is_a_mistake() -> None:
    assert "`give_up_at` is before `deadline`" in faults(deadline="2h", give_up_at="1h")
