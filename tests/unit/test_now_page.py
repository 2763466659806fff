"""The alarms of *Now*: many of one kind hide none of another."""

from __future__ import annotations

from overnight_workers.flower_tab.acts import ACTS
from overnight_workers.flower_tab.leads import ACTS_OF_NAMES, LEADS
from overnight_workers.flower_tab.now_page import ShownAlarm, grouped
from overnight_workers.operators.alarm_kinds import KINDS, Alarm

OF_A_BATCH = {"batch unclear", "batch overdue", "results unread", "results aging"}
OUTSIDE = {
    *("redis away", "redis refuses writes", "ledger read-only", "answers damaged"),  # a server or its disk
    *("relay behind", "messages put aside", "stage failing", "ledger moved", "copy"),  # a command, or patience
}
"""Alarms that no page says more about: what to do stands there."""


def on(kind: str, number: int) -> list[ShownAlarm]:
    return [ShownAlarm(Alarm(kind, f"{kind} {place}"), None) for place in range(number)]


def texts(alarms: list[ShownAlarm]) -> list[tuple[list[str], int]]:
    return [([line.alarm.text for line in group.first], len(group.others)) for group in grouped(alarms)]


def test_of_many_alarms_of_a_kind_the_first_is_shown_and_the_others_are_counted() -> None:
    assert texts([*on("batch overdue", 40), *on("paid twice", 1)]) == [(["batch overdue 0"], 39), (["paid twice 0"], 0)]


def test_a_few_alarms_of_a_kind_are_all_shown_together_where_the_first_stands() -> None:
    alarms = [*on("lane paused", 1), *on("over budget", 1), *on("lane paused", 2)]
    assert texts(alarms) == [(["lane paused 0", "lane paused 0", "lane paused 1"], 0), (["over budget 0"], 0)]


def test_every_alarm_leads_on_where_a_page_says_more() -> None:
    assert set(KINDS) == {*LEADS, *OF_A_BATCH, *OUTSIDE}


def test_alarms_of_a_name_lead_to_acts_that_there_are() -> None:
    assert set(ACTS_OF_NAMES) <= set(KINDS)
    assert {act for _, act, _ in ACTS_OF_NAMES.values()} <= set(ACTS)
