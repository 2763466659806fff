"""Where each alarm of *Now* leads: to the act that ends it, or to the page that says more and has that act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from overnight_workers.operators.alarm_kinds import Alarm
from overnight_workers.operators.workers import MISSING
from overnight_workers.settings import Settings

LEADS: Final[Mapping[str, tuple[str, str, dict[str, str]]]] = {
    "deadlines at risk": ("Look at late items", "items", {"late": "yes"}),
    "waiting overdue": ("Look at waiting items", "items", {"state": "waiting"}),
    "bodies unreadable": ("Look at held items", "items", {"state": "held"}),
    "queue full": ("Look at unfinished batches", "batches", {"state": "unfinished"}),
    "list unread": ("Look at unfinished batches", "batches", {"state": "unfinished"}),
    "workspace held": ("Look at the lanes", "lanes", {}),
    "lane paused": ("Look at the lanes", "lanes", {}),
    "other policy": ("Look at the lanes", "lanes", {}),
    "lane unknown": ("Look at the lanes", "lanes", {}),
    "over budget": ("Look at the budgets", "money", {}),
    "budget stuck": ("Look at the budgets", "money", {}),
    "catalog neglected": ("Look at its runs", "runs", {}),
    "run waiting": ("Look at its runs", "runs", {}),
    "run late": ("Look at its runs", "runs", {}),
    "deliveries dead": ("Look at dead deliveries", "deliveries", {}),
    "product full": ("Look at deliveries", "deliveries", {}),
    "broker away": ("Look at deliveries", "deliveries", {}),
    "webhook away": ("Look at deliveries", "deliveries", {}),
    "webhook gone": ("Look at deliveries", "deliveries", {}),
    "queue unread": ("Look at deliveries", "deliveries", {}),
    "paid twice": ("Look at the money", "money", {}),
    "caching given up": ("Look at the money", "money", {"by": "model"}),
    "rate limited for long": ("Look at what is in real time", "items", {"state": "direct"}),
    MISSING: ("Look at the workers", "workers", {}),
    "stage silent": ("Look at the workers", "workers", {}),
    "sweep missing": ("Look at the workers", "workers", {}),
}
"""Where an alarm leads: the button's text, the page (of ours, or of Flower's own), and its filter."""
_OF_RELAYS: Final = ("relay behind", "messages put aside")
"""Alarms that lead to the relays, further down on the same page."""
ACTS_OF_NAMES: Final[Mapping[str, tuple[str, str, str]]] = {
    "webhook away": ("Try it now…", "resume_webhook", "webhook"),
    "webhook gone": ("Try it now…", "resume_webhook", "webhook"),
    "messages put aside": ("Take them on again…", "retry_put_aside", "relay"),
}
"""Of alarms about a webhook or a relay, for operators: the button's text, its act, and the word that names it."""


@dataclass(frozen=True)
class Lead:
    """The button of an alarm."""

    text: str
    route: str
    """The page's, ours or of Flower's own."""
    parts: tuple[object, ...] = ()
    """What stands in its path."""
    query: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    """Further down on it, as `#name`."""


def lead_of(alarm: Alarm, settings: Settings, *, may_act: bool) -> Lead | None:
    """Where an alarm leads; None where no page says more: what to do stands in the alarm.

    may_act: whoever looks is an operator, and gets the act itself where there is one.
    """
    if may_act and (act := _act_of(alarm, settings)) is not None:
        return act
    if alarm.batch_id is not None:
        return Lead(f"Look at batch {alarm.batch_id}", "batch", (alarm.batch_id,))
    if alarm.kind in _OF_RELAYS:
        return Lead("Look at the relays", "now", place="#relays")
    if alarm.kind not in LEADS:
        return None
    text, route, query = LEADS[alarm.kind]
    of_lane = {"lane": alarm.lane} if route == "items" and alarm.lane is not None else {}
    return Lead(text, route, query=query | of_lane)


def _act_of(alarm: Alarm, settings: Settings) -> Lead | None:
    if alarm.lane is not None and alarm.kind == "lane paused":
        return Lead("Resume…", "act", query={"name": "resume", "lane": alarm.lane})
    if alarm.kind in ("workspace held", "copy"):
        return Lead("Release…", "act", query={"name": "release"})
    if alarm.name is not None:
        text, act, word = ACTS_OF_NAMES[alarm.kind]
        if alarm.name in (settings.webhooks if word == "webhook" else settings.relays):
            return Lead(text, "act", query={"name": act, word: alarm.name})
    return None
