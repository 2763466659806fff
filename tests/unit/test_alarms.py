"""Alarms: each is on when it should be, and not a moment earlier."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from overnight_models import routes
from overnight_models.ledger.bodies.damaged import Damaged
from overnight_models.ledger.bodies.requests import UnreadableRequests
from overnight_models.ledger.catalogs.late_runs import LateRun
from overnight_models.ledger.catalogs.runs import Waiting
from overnight_models.ledger.catalogs.schedules import Neglected
from overnight_models.ledger.collect.caching import GivenUp
from overnight_models.ledger.deliver.obstacles import Obstacle
from overnight_models.ledger.deliver.unread_queues import UnreadQueue
from overnight_models.ledger.deployment import Deployment
from overnight_models.ledger.money.budgets import BudgetView
from overnight_models.ledger.operators.failures import Failing
from overnight_models.ledger.operators.overview import DeadDelivery, LaneView
from overnight_models.ledger.operators.pulse import Pulse
from overnight_models.ledger.operators.troubles import Overdue, Troubles, UnclearView, Unread
from overnight_models.ledger.relays.seen import RelayView
from overnight_models.ledger.roads.kept import Late, Limited
from overnight_models.ledger.workspaces import WorkspaceState
from overnight_models.wire.policy import LanePolicy, Policy, Published
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.operators import redis_health
from overnight_workers.operators.alarm_kinds import KINDS, Alarm
from overnight_workers.operators.alarms import alarms
from overnight_workers.operators.redis_health import RedisHealth
from overnight_workers.operators.workers import Sign
from overnight_workers.settings import Lane, Settings

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = 86400.0
HOME = Deployment(UUID(int=1), None, None, False)
IN_FORCE = Policy({"default": LanePolicy(), "copy": LanePolicy()}, (), (), Published("one", None, "2026-11-01"))
CALM = Troubles(HOME, (), (), (), ())
MOVED = replace(HOME, moved_at=NOON, moved_why="it was restored")
LANE = LaneView("default", None, {}, {}, {}, None, 0, 0, 0)
WORKSPACE = WorkspaceState("default", "wrkspc_1", None, None)
UNCLEAR = UnclearView(7, 9, "default", 100, "ReadTimeout", "the list doesn't go back far enough", NOON, NOON, 0.0, ())
AWAY = Obstacle("shop", "", NOON, 119.0, 7, "broker 'shop': TimeoutError")
ENDPOINT = replace(AWAY, broker="webhook:shop", why="webhook 'shop' at https://shop.example: HTTP 500")
FULL = Obstacle("shop", "shop", NOON, 899.0, 7, "queue 'shop' has 100,000 messages; max_queue is 100,000")
BUDGET = BudgetView(1, "lane", "copy", "day", True, 10**9, 0, 10**9, {}, 3600.0, "lane copy, a day")
EVERYWHERE = Sign("all@one", "one", routes.QUEUES)
RELAY = RelayView("shop", 1.0, 0, 0.0, 0, None, 0)
WAITING = Waiting("shop-3", "waits: the sink's table shop: canceling statement due to lock timeout", 0.0, False)
UNREAD = Unread(7, "msgbatch_1", 60.0, 28 * DAY, 1, None)


def on(
    lane: LaneView = LANE,
    workspace: WorkspaceState = WORKSPACE,
    troubles: Troubles = CALM,
    dead: tuple[DeadDelivery, ...] = (),
    redis: RedisHealth | None = None,
    signs: tuple[Sign, ...] | None = None,
    policy: Policy | None = None,
) -> list[Alarm]:
    settings_ = Settings(lanes={"default": Lane()})
    return alarms(
        lanes=[lane],
        workspaces=[workspace],
        troubles=troubles,
        dead=dead,
        settings=settings_,
        redis=redis,
        signs=signs,
        policy=policy,
    )


def test_a_beat_that_was_never_started_is_an_alarm_as_soon_as_something_waits_for_it() -> None:
    waits = replace(LANE, items={"waiting": 1}, oldest_waiting_s=56.0)
    accepted = (Pulse("overnight.accept", 91.0, None),)
    assert [alarm.kind for alarm in on(waits, troubles=replace(CALM, pulses=accepted))] == ["sweep missing"]
    swept = (*accepted, Pulse("overnight.rescue", 1.0, None))
    assert on(waits, troubles=replace(CALM, pulses=swept)) == []
    assert on(replace(waits, oldest_waiting_s=54.0), troubles=replace(CALM, pulses=accepted)) == []


CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "redis away": (
        {"redis": redis_health.failed(ConnectionRefusedError("nobody listens"))},
        {"redis": redis_health.judged({})},
    ),
    "redis refuses writes": (
        {"redis": redis_health.failed(ValueError("MISCONF Redis is configured to save RDB snapshots"))},
        {"redis": redis_health.judged({"used_memory": 90, "maxmemory": 100, "maxmemory_policy": "noeviction"})},
    ),
    "worker missing": (
        {"signs": (replace(EVERYWHERE, queues=EVERYWHERE.queues[1:]),)},
        {"signs": (EVERYWHERE,)},
    ),
    "ledger read-only": ({"troubles": replace(CALM, read_only="it is a standby")}, {}),
    "deadlines at risk": (
        {"troubles": replace(CALM, late=(Late("default", 3, 10.0, "in a batch"),))},
        {"troubles": replace(CALM, late=())},
    ),
    "rate limited for long": (
        {"troubles": replace(CALM, limited=(Limited("default", "claude-haiku-5-5", 901.0, "requests"),))},
        {"troubles": replace(CALM, limited=(Limited("default", "claude-haiku-5-5", 899.0, "requests"),))},
    ),
    "sweep missing": (
        {"troubles": replace(CALM, pulses=(Pulse("overnight.rescue", 56.0, None),))},
        {
            "troubles": replace(
                CALM, pulses=(Pulse("overnight.rescue", 54.0, None), Pulse("overnight.poll", 89.0, None))
            )
        },
    ),
    "stage silent": (
        {"troubles": replace(CALM, pulses=(Pulse("overnight.collect", None, 91.0),))},
        {
            "troubles": replace(
                CALM, pulses=(Pulse("overnight.collect", 9000.0, 89.0), Pulse("overnight.pack", 5.0, 9000.0))
            )
        },
    ),
    "ledger moved": (
        {"troubles": replace(CALM, deployment=MOVED, unlooked=("default",))},
        {"troubles": replace(CALM, deployment=MOVED)},
    ),
    "copy": (
        {"troubles": replace(CALM, deployment=replace(MOVED, word_wanted=True))},
        {"troubles": replace(CALM, deployment=MOVED)},
    ),
    "workspace held": ({"workspace": replace(WORKSPACE, held_for_s=5.0, held_reason="402")}, {}),
    "list unread": (
        {"workspace": replace(WORKSPACE, unread_for_s=121.0, unread_why="list of batches: it repeats its page")},
        {"workspace": replace(WORKSPACE, unread_for_s=119.0, unread_why="list of batches: 503")},
    ),
    "batch unclear": (
        {"troubles": replace(CALM, unclear=(replace(UNCLEAR, quiet_s=-26 * 3600.0),))},
        {"troubles": replace(CALM, unclear=(replace(UNCLEAR, quiet_s=-24 * 3600.0),))},
    ),
    "batch overdue": ({"troubles": replace(CALM, overdue=(Overdue(7, "msgbatch_1", 26 * 3600.0),))}, {}),
    "stage failing": (
        {"troubles": replace(CALM, failures=(Failing("overnight.submit", "batch 7", 5.0, "OSError: no room"),))},
        {"troubles": replace(CALM, pulses=(Pulse("overnight.submit", 1.0, None),))},
    ),
    "results unread": (
        {"troubles": replace(CALM, unread=(replace(UNREAD, ended_s=1000.0),))},
        {"troubles": replace(CALM, unread=(UNREAD,))},
    ),
    "results aging": (
        {"troubles": replace(CALM, unread=(replace(UNREAD, kept_s=4.9 * DAY),))},
        {"troubles": replace(CALM, unread=(replace(UNREAD, kept_s=5.1 * DAY),))},
    ),
    "deliveries dead": (
        {"lane": replace(LANE, deliveries={"dead": 2}), "dead": (DeadDelivery("default", "", "shop", 12, "refused"),)},
        {"lane": replace(LANE, deliveries={"due": 2})},
    ),
    "broker away": (
        {"troubles": replace(CALM, obstacles=(replace(AWAY, lasted_s=121.0),))},
        {"troubles": replace(CALM, obstacles=(AWAY,))},
    ),
    "webhook away": (
        {"troubles": replace(CALM, obstacles=(replace(ENDPOINT, lasted_s=121.0),))},
        {"troubles": replace(CALM, obstacles=(ENDPOINT,))},
    ),
    "webhook gone": (
        {"troubles": replace(CALM, obstacles=(replace(ENDPOINT, paused_for_s=99 * 365 * DAY),))},
        {"troubles": replace(CALM, obstacles=(replace(ENDPOINT, paused_for_s=DAY),))},
    ),
    "product full": (
        {"troubles": replace(CALM, obstacles=(replace(FULL, lasted_s=901.0),))},
        {"troubles": replace(CALM, obstacles=(FULL,))},
    ),
    "queue unread": (
        {"troubles": replace(CALM, unread_queues=(UnreadQueue("", "shop", 5, 601.0),))},
        {"troubles": replace(CALM, unread_queues=(UnreadQueue("", "shop", 5, 599.0),))},
    ),
    "over budget": (
        {"troubles": replace(CALM, holding=(replace(BUDGET, held={"over budget": 5}),))},
        {"troubles": replace(CALM, holding=(BUDGET,))},
    ),
    "bodies unreadable": (
        {"troubles": replace(CALM, unreadable=(UnreadableRequests("default", "its request can't be read", 5),))},
        {},
    ),
    "budget stuck": (
        {"troubles": replace(CALM, holding=(replace(BUDGET, held={"no price": 5}),))},
        {"troubles": replace(CALM, holding=(BUDGET,))},
    ),
    "lane unknown": (
        {"lane": replace(LANE, lane="retired", items={"waiting": 1})},
        {"lane": replace(LANE, lane="retired", items={"succeeded": 1})},
    ),
    "other policy": (
        {"lane": replace(LANE, lane="copy", items={"waiting": 1}), "policy": IN_FORCE},
        {"lane": replace(LANE, lane="copy", items={"succeeded": 1}), "policy": IN_FORCE},
    ),
    "waiting overdue": (
        {"lane": replace(LANE, oldest_waiting_s=421.0)},
        {"lane": replace(LANE, oldest_waiting_s=419.0)},
    ),
    "queue full": (
        {"workspace": replace(WORKSPACE, queued=150_000, smallest_packed=60_000)},
        {"workspace": replace(WORKSPACE, queued=150_000, smallest_packed=50_000)},
    ),
    "answers damaged": (
        {"troubles": replace(CALM, damaged=(Damaged("answer_group", 7, NOON, "it is cut"),))},
        {},
    ),
    "caching given up": (
        {"troubles": replace(CALM, given_up=(GivenUp("default", "claude-haiku-5-5", "cached", 1, "too few hits"),))},
        {},
    ),
    "lane paused": ({"lane": replace(LANE, paused_reason="prompt under review", oldest_waiting_s=9999.0)}, {}),
    "paid twice": ({"lane": replace(LANE, paid_twice=3)}, {}),
    "relay behind": (
        {"troubles": replace(CALM, relays=(replace(RELAY, waiting=7, oldest_s=61.0),))},
        {"troubles": replace(CALM, relays=(replace(RELAY, waiting=7, oldest_s=59.0),))},
    ),
    "catalog neglected": (
        {"troubles": replace(CALM, neglected=(Neglected("shop", "2026-11-29T22:00", 3, "asking", is_unusable=False),))},
        {"troubles": CALM},
    ),
    "run waiting": (
        {"troubles": replace(CALM, waiting_runs=(WAITING._replace(waits_s=901.0),))},
        {"troubles": replace(CALM, waiting_runs=(WAITING._replace(waits_s=899.0),))},
    ),
    "run late": (
        {"troubles": replace(CALM, late_runs=(LateRun("shop-3", "will likely not be done", is_asking=False),))},
        {"troubles": CALM},
    ),
    "messages put aside": ({"troubles": replace(CALM, relays=(replace(RELAY, aside=1, aside_why="no lane"),))}, {}),
}


@pytest.mark.parametrize(
    ("so", "not_yet"),
    [
        (
            replace(RELAY, failing_s=61.0, failing_why="no table"),
            replace(RELAY, failing_s=59.0, failing_why="no table"),
        ),
        (replace(RELAY, silent_s=91.0, waiting=1), replace(RELAY, silent_s=89.0, waiting=1)),
        # one that was taken out of the configuration, and left nothing behind
        (replace(RELAY, silent_s=91.0, waiting=1), replace(RELAY, silent_s=9999.0)),
    ],
    ids=["it can't reach its database", "it says nothing", "it is gone for good"],
)
def test_a_relay_is_behind_when(so: RelayView, not_yet: RelayView) -> None:
    assert [alarm.kind for alarm in on(troubles=replace(CALM, relays=(so,)))] == ["relay behind"]
    assert on(troubles=replace(CALM, relays=(not_yet,))) == []


def test_a_relay_of_the_configuration_that_never_ran_is_behind() -> None:
    relays = {"shop": RelaySettings(database_url="postgresql://shop")}
    settings_ = Settings(lanes={"default": Lane()}, relays=relays)
    never = alarms(lanes=[], workspaces=[], troubles=CALM, dead=[], settings=settings_)
    silent = alarms(
        lanes=[],
        workspaces=[],
        troubles=replace(CALM, relays=(replace(RELAY, silent_s=91.0),)),
        dead=[],
        settings=settings_,
    )
    assert [alarm.kind for alarm in (*never, *silent)] == ["relay behind"] * 2


def test_prompts_that_are_still_counted_explain_a_wait() -> None:
    (alarm,) = on(lane=replace(LANE, oldest_waiting_s=421.0, unmeasured=1_200))
    assert alarm.text.endswith("1,200 prompts are still to be counted.")


def test_each_kind_is_tried() -> None:
    assert set(CASES) == set(KINDS)


@pytest.mark.parametrize("kind", CASES)
def test_an_alarm_is_on_when_it_should_be_and_not_a_moment_earlier(kind: str) -> None:
    so, not_yet = CASES[kind]
    assert [alarm.kind for alarm in on(**so)] == [kind]
    assert [alarm.kind for alarm in on(**not_yet)] == []


def test_a_run_that_waits_says_for_what_and_one_that_asks_has_an_hour() -> None:
    (waits,) = on(troubles=replace(CALM, waiting_runs=(WAITING._replace(waits_s=1200.0),)))
    assert waits.text == (
        "Run shop-3 can't go on for 20 min: the sink's table shop: canceling statement due to lock timeout"
    )
    asks = WAITING._replace(why="42% of the rows would be sent", is_asking=True, waits_s=3599.0)
    assert on(troubles=replace(CALM, waiting_runs=(asks,))) == []
    (asking,) = on(troubles=replace(CALM, waiting_runs=(asks._replace(waits_s=3601.0),)))
    assert asking.text == "Run shop-3 asks and has no answer for 1 h: 42% of the rows would be sent"


def test_a_late_run_that_asks_is_to_be_approved() -> None:
    late = LateRun("shop-3", "will likely not be done by its finish_by, 2026-12-01 05:00 UTC", is_asking=True)
    (alarm,) = on(troubles=replace(CALM, late_runs=(late,)))
    assert alarm.text == "Run shop-3 will likely not be done by its finish_by, 2026-12-01 05:00 UTC."
    assert alarm.do.startswith("`overnight runs approve shop-3`")


def test_the_urgent_ones_come_first() -> None:
    lane = replace(LANE, paused_reason="for a while", deliveries={"dead": 1})
    assert [alarm.urgent for alarm in on(lane=lane)] == [True, False]


def test_every_alarm_says_since_when_or_why() -> None:
    (held,) = on(workspace=replace(WORKSPACE, held_for_s=3600.0, held_reason="402 credit balance is too low"))
    assert held.text == "Workspace default is held for 1 h: 402 credit balance is too low"
    assert "overnight resume" in held.do
    (held,) = on(workspace=replace(WORKSPACE, held_for_s=3600.0, held_reason="400 human review", until_resumed=True))
    assert held.text.endswith("400 human review. It isn't tried again before `overnight resume --all`")


def test_a_paused_lane_says_by_whom_and_since_when() -> None:
    (paused,) = on(lane=replace(LANE, paused_reason="a new prompt", paused_by="bob", paused_for_s=7800.0))
    assert paused.text == "Lane default is paused by bob for 2 h 10 min: a new prompt"
    (paused,) = on(lane=replace(LANE, paused_reason="everything is rejected alike", paused_for_s=60.0))
    assert paused.text == "Lane default is paused by Overnight for 1 min: everything is rejected alike"


def test_a_lane_that_a_person_paused_goes_on_by_that_persons_word_and_one_of_overnights_is_mended_first() -> None:
    (by_ann,) = on(replace(LANE, paused_by="ann", paused_reason="prices change"))
    (by_itself,) = on(replace(LANE, paused_reason="everything is rejected alike"))
    assert by_ann.do == "when that is over, `overnight resume default`"
    assert by_itself.do == KINDS["lane paused"].do


def test_a_stage_that_fails_at_a_batch_leads_to_it() -> None:
    failures = (Failing("overnight.collect", "batch 7", 60.0, "OSError: no"), Failing("overnight.pack", "", 6.0, "no"))
    assert [alarm.batch_id for alarm in on(troubles=replace(CALM, failures=failures))] == [7, None]
