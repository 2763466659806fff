"""A schedule runs once for every nominal local time, also in the nights when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest

from overnight_workers.catalogs.schedule_times import Times, next_moment, read_times
from overnight_workers.local_time import time_zone

DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# zone, the UTC day on which the clocks change, a local time in the change, and the instants of three days
SPRING = [
    ("Europe/Berlin", "2027-03-28", "30 2 * * *", ["2027-03-27T01:30", "2027-03-28T01:00", "2027-03-29T00:30"]),
    ("America/New_York", "2027-03-14", "30 2 * * *", ["2027-03-13T07:30", "2027-03-14T07:00", "2027-03-15T06:30"]),
    ("Australia/Lord_Howe", "2026-10-03", "15 2 * * *", ["2026-10-02T15:45", "2026-10-03T15:30", "2026-10-04T15:15"]),
    ("America/Santiago", "2027-09-05", "0 0 * * *", ["2027-09-04T04:00", "2027-09-05T04:00", "2027-09-06T03:00"]),
]
AUTUMN = [
    ("Europe/Berlin", "2026-10-25", "30 2 * * *", ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"]),
    ("America/New_York", "2026-11-01", "30 1 * * *", ["2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"]),
    ("Australia/Lord_Howe", "2027-04-03", "45 1 * * *", ["2027-04-02T14:45", "2027-04-03T14:45", "2027-04-04T15:15"]),
    ("America/Santiago", "2027-04-04", "30 23 * * *", ["2027-04-03T02:30", "2027-04-04T02:30", "2027-04-05T03:30"]),
]


@pytest.mark.parametrize(("zone", "day", "cron", "instants"), SPRING + AUTUMN)
def test_a_daily_schedule_runs_once_a_day_in_the_night_of_a_change(
    zone: str, day: str, cron: str, instants: list[str]
) -> None:
    times = read_times(cron, zone)

    dues = times.next(utc(instants[0]) - timedelta(minutes=1), 3)

    assert [due.at for due in dues] == [utc(text) for text in instants]
    assert len({due.nominal for due in dues}) == 3
    assert utc(day) - DAY <= dues[1].at < utc(day) + DAY


@pytest.mark.parametrize(("zone", "day", "cron", "instants"), SPRING + AUTUMN)
def test_whenever_it_is_asked_the_next_time_is_later_and_the_same_one(
    zone: str, day: str, cron: str, instants: list[str]
) -> None:
    times = read_times(cron, zone)
    expected = [due.at for due in times.next(utc(day) - 2 * DAY, 8)]

    asked_at = utc(day) - DAY
    while asked_at < utc(day) + 2 * DAY:
        (due,) = times.next(asked_at, 1)
        assert due.at > asked_at
        assert due.at == next(at for at in expected if at > asked_at)
        asked_at += timedelta(minutes=10)


def test_an_hourly_schedule_runs_once_for_every_hour_of_the_wall() -> None:
    times = Times("0 * * * *", "Europe/Berlin")

    spring = times.next(utc("2027-03-27T22:59"), 24)
    autumn = times.next(utc("2026-10-24T21:59"), 24)

    # 02:00 is left out in spring and 03:00 comes at the same instant: one run
    assert spring[-1].at - spring[0].at == timedelta(hours=23)
    assert len({due.at for due in spring}) == 24
    # 02:00 comes twice in autumn: one run
    assert autumn[-1].at - autumn[0].at == timedelta(hours=24)
    assert len({due.nominal for due in autumn}) == 24


def test_several_times_that_are_left_out_are_one_run() -> None:
    dues = Times("*/15 2 * * *", "Europe/Berlin").next(utc("2027-03-27T12:00"), 2)

    assert [due.at for due in dues] == [utc("2027-03-28T01:00"), utc("2027-03-29T00:00")]


def test_after_an_outage_only_the_last_time_is_due_and_the_others_are_counted() -> None:
    times = read_times("0 22 * * *", "America/Los_Angeles")
    last_ran = times.next(utc("2026-11-20T00:00"), 1)[0].at

    due, missed = times.latest(last_ran, utc("2026-11-25T12:00"))

    assert due is not None
    assert due.nominal == datetime(2026, 11, 24, 22)  # noqa: DTZ001
    assert missed == 4
    assert times.latest(due.at, utc("2026-11-25T12:00")) == (None, 0)


def test_the_zone_keeps_to_the_rules_of_the_wheel() -> None:
    # Vancouver keeps its summer time from November 2026 on; older rules say eight hours
    (due,) = read_times("0 9 * * *", "America/Vancouver").next(utc("2026-11-30T12:00"), 1)

    assert due.at == utc("2026-11-30T16:00")


def test_a_schedule_is_told_in_words() -> None:
    assert read_times("0  22 * * *", "Europe/Berlin").words() == "At 22:00 every day (Europe/Berlin)"
    assert "if it's on Monday" in read_times("0 9 */2 * 1", "UTC").words()


@pytest.mark.parametrize(
    ("cron", "zone", "why"),
    [
        ("0 22 * *", "UTC", "has 4 fields: write five"),
        ("@daily", "UTC", "has 1 fields: write five"),
        ("0 0 22 * * *", "UTC", "has 6 fields: write five"),
        ("0 25 * * *", "UTC", "is no schedule: bad hour"),
        ("0 0 30 2 *", "UTC", "is no schedule: bad day-of-month"),
        ("0 22 * * *", "Berlin", "there is no time zone 'Berlin'"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_to_write(cron: str, zone: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_times(cron, zone)


def test_the_end_of_a_night_is_the_next_morning() -> None:
    began = utc("2026-10-24T20:00")  # 22:00 in Berlin, before the hour comes twice

    assert next_moment(began, time(6), "Europe/Berlin") == utc("2026-10-25T05:00")
    assert next_moment(utc("2026-10-25T04:59"), time(6), "Europe/Berlin") == utc("2026-10-25T05:00")
    assert next_moment(utc("2026-10-25T05:00"), time(6), "Europe/Berlin") == utc("2026-10-26T05:00")
    assert time_zone("Europe/Berlin").utcoffset(datetime(2026, 10, 25, 6)) == timedelta(hours=1)  # noqa: DTZ001
