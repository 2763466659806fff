"""Now: what is stuck, why, since when, what it costs, and what to do; alarms first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import schedules
from overnight_models.ledger.catalogs.schedules import Schedule
from overnight_models.ledger.money import costs
from overnight_models.ledger.money.costs import Costs
from overnight_models.states import ITEM
from overnight_workers.catalogs.steering import coming, moment
from overnight_workers.flower_tab import leads
from overnight_workers.flower_tab.page import Page
from overnight_workers.flower_tab.people import OPERATOR
from overnight_workers.local_time import time_zone
from overnight_workers.operators import lane_waits, limits_used
from overnight_workers.operators.alarm_kinds import Alarm
from overnight_workers.operators.alarms import SILENT_S
from overnight_workers.operators.snapshot import Snapshot
from overnight_workers.settings import Settings, settings

_MOST_SCHEDULES: Final = 5
_MOST_OF_A_KIND: Final = 3
"""So many alarms of a kind are all shown; of more only the first, and the others when somebody asks."""


@dataclass(frozen=True)
class ShownAlarm:
    """An alarm as the page shows it."""

    alarm: Alarm
    lead: tuple[str, str] | None
    """Its button: the text and the address."""


@dataclass(frozen=True)
class AlarmGroup:
    """Alarms of one kind."""

    first: Sequence[ShownAlarm]
    others: Sequence[ShownAlarm]
    """Hidden until somebody asks for them."""


@dataclass(frozen=True)
class Today:
    """What the overview doesn't say."""

    spent: Sequence[Costs]
    """Since midnight in UTC, by lane."""
    schedules: Sequence[Schedule]
    """The next ones first; paused ones last."""


class NowPage(Page):
    """`/now`, and with `?part=now` only what changes on it, which the page asks for every few seconds."""

    tab = "now"

    async def answer(self, *parts: str) -> None:
        """What the ledger and Redis say now. What can't be read stays as it was, and that is said."""
        del parts
        look = await self.application.reader.look()
        today = None if look.fault else await self.ask(_today)
        current = settings()
        seen = look.snapshot
        self.show(
            "now_part.html" if self.get_argument("part") == "now" else "now.html",
            look=look,
            seen=seen,
            today=today,
            settings=current,
            alarms=[] if seen is None else grouped([self._with_lead(alarm) for alarm in seen.alarms(current)]),
            limits=[] if seen is None else [view for view in limits_used.limits(seen) if view.is_at_work],
            late={} if seen is None else _late(seen),
            silent_s=SILENT_S,
            never_ran=[] if seen is None else _never_ran(seen, current),
            comes=comes,
            lane_waits=lane_waits,
            ITEM=ITEM,
        )

    def _with_lead(self, alarm: Alarm) -> ShownAlarm:
        lead = leads.lead_of(alarm, settings(), may_act=self.person.may(OPERATOR))
        if lead is None:
            return ShownAlarm(alarm, None)
        return ShownAlarm(alarm, (lead.text, self.link(lead.route, *lead.parts, **lead.query) + lead.place))


def grouped(alarms: Sequence[ShownAlarm]) -> list[AlarmGroup]:
    """The alarms by kind, in their order: a hundred of one kind hide none of another."""
    kinds: dict[str, list[ShownAlarm]] = {}
    for alarm in alarms:
        kinds.setdefault(alarm.alarm.kind, []).append(alarm)
    return [
        AlarmGroup(alike, ()) if len(alike) <= _MOST_OF_A_KIND else AlarmGroup(alike[:1], alike[1:])
        for alike in kinds.values()
    ]


def _today(connection: Connection) -> Today:
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    kept = sorted(schedules.schedules(connection), key=lambda kept: (kept.paused_at is not None, kept.next_at))
    return Today(costs.costs(connection, "lane", midnight), kept[:_MOST_SCHEDULES])


def _late(seen: Snapshot) -> dict[str, int]:
    """Items of each lane whose deadlines are over, or will be before an answer comes; a thousand of a kind at most."""
    late: dict[str, int] = {}
    for part in seen.troubles.late:
        late[part.lane] = late.get(part.lane, 0) + part.items
    return late


def _never_ran(seen: Snapshot, current: Settings) -> list[str]:
    """Relays of the configuration that have never said anything."""
    return sorted(current.relays.keys() - {relay.name for relay in seen.troubles.relays})


@dataclass(frozen=True)
class Comes:
    """When a schedule runs next, as a page shows it."""

    at: datetime
    by_its_clock: str
    left_out: str | None
    """The time before that a person has left out."""


def comes(schedule: Schedule) -> Comes:
    """When a schedule runs next; where its line or its zone can't be read here, in UTC."""
    try:
        at, left_out = coming(schedule)
        zone = time_zone(schedule.zone)
    except (PermanentError, ValueError):
        return Comes(schedule.next_at, f"{schedule.next_at:%a %H:%M} UTC", None)
    return Comes(at, f"{at.astimezone(zone):%a %H:%M} {schedule.zone}", None if left_out is None else moment(left_out))
