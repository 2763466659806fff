"""The submit window: local hours in a named zone, on both nights of a clock change, by the rules of a wheel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from overnight_workers.configuration.submit_window import read_window

NIGHT = read_window("22:00-06:00 America/Los_Angeles")
HOUR = 3600.0


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def openings(window_text: str, start: str, end: str) -> list[tuple[str, float]]:
    """When a window opens between two moments, in UTC, and for how many hours."""
    window, now, times = read_window(window_text), at(start).astimezone(UTC), list[tuple[str, float]]()
    was_open = window.opens_in_s(now) == 0
    opened = now
    while now < at(end):
        now += timedelta(minutes=1)
        is_open = window.opens_in_s(now) == 0
        if is_open and not was_open:
            opened = now
        if was_open and not is_open:
            times.append((f"{opened:%m-%d %H:%M}", (now - opened).total_seconds() / HOUR))
        was_open = is_open
    return times


def test_over_midnight_it_is_open_from_the_evening_to_the_morning() -> None:
    assert NIGHT.opens_in_s(at("2026-11-29T21:00:00-08:00")) == HOUR
    assert NIGHT.opens_in_s(at("2026-11-29T22:00:00-08:00")) == 0
    assert NIGHT.opens_in_s(at("2026-11-30T05:59:59-08:00")) == 0
    assert NIGHT.opens_in_s(at("2026-11-30T06:00:00-08:00")) == 16 * HOUR


def test_within_a_day_it_is_open_between_its_hours() -> None:
    day = read_window("09:00-17:30 Asia/Kolkata")
    assert day.opens_in_s(at("2026-11-30T08:30:00+05:30")) == HOUR / 2
    assert day.opens_in_s(at("2026-11-30T17:29:00+05:30")) == 0
    assert day.opens_in_s(at("2026-11-30T17:30:00+05:30")) == 15.5 * HOUR


def test_on_the_night_that_is_an_hour_shorter_it_is_open_once_for_an_hour_less() -> None:
    # America/Los_Angeles, 2026-03-08: 02:00 PST is 03:00 PDT
    times = openings("22:00-06:00 America/Los_Angeles", "2026-03-07T12:00:00-08:00", "2026-03-09T12:00:00-07:00")
    assert times == [("03-08 06:00", 7.0), ("03-09 05:00", 8.0)]


def test_on_the_night_that_is_an_hour_longer_it_is_open_once_for_an_hour_more() -> None:
    # 2026-11-01: 02:00 PDT is 01:00 PST
    times = openings("22:00-06:00 America/Los_Angeles", "2026-10-31T12:00:00-07:00", "2026-11-02T12:00:00-08:00")
    assert times == [("11-01 05:00", 9.0), ("11-02 06:00", 8.0)]


def test_a_time_that_a_night_leaves_out_is_the_moment_of_the_change() -> None:
    # 02:30 doesn't exist on 2026-03-08: it opens at 10:00 UTC, when 02:00 becomes 03:00
    times = openings("02:30-05:00 America/Los_Angeles", "2026-03-07T20:00:00-08:00", "2026-03-09T12:00:00-07:00")
    assert times == [("03-08 10:00", 2.0), ("03-09 09:30", 2.5)]


def test_a_time_that_a_night_has_twice_opens_and_closes_it_once() -> None:
    # 01:30 is there twice on 2026-11-01: the first counts
    opens = openings("01:30-05:00 America/Los_Angeles", "2026-10-31T20:00:00-07:00", "2026-11-01T12:00:00-08:00")
    assert opens == [("11-01 08:30", 4.5)]
    closes = openings("22:00-01:30 America/Los_Angeles", "2026-10-31T20:00:00-07:00", "2026-11-01T12:00:00-08:00")
    assert closes == [("11-01 05:00", 3.5)]


def test_the_zones_are_those_of_the_wheel_and_not_of_the_machine() -> None:
    # from 2026-11-01 on British Columbia stays on its summer time; older rules of a machine say UTC-8
    assert read_window("22:00-06:00 America/Vancouver").opens_in_s(at("2026-12-01T04:59:00+00:00")) == 60


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("22:00-06:00", "two times and a time zone"),
        ("22-06 UTC", "two times and a time zone"),
        ("25:00-06:00 UTC", "hour must be in"),
        ("22:00-22:00 UTC", "all day or never"),
        ("22:00-06:00 Mars/Olympus", "there is no time zone 'Mars/Olympus'"),
        ("22:00-06:00 ../../etc/passwd", "there is no time zone"),
        ("22:00-06:00 America", "there is no time zone"),
        (22, "two times and a time zone"),
    ],
)
def test_what_is_no_window_is_refused_with_what_to_write(text: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_window(text)
