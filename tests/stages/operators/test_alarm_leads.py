"""Each alarm of *Now* leads to the button that ends it, or to the page that says more; every kind is followed."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any, Final

import psycopg
import pytest

from overnight_workers.configuration.webhook_settings import Webhook
from overnight_workers.flower_tab.leads import Lead, lead_of
from overnight_workers.operators.alarm_kinds import KINDS, Alarm
from overnight_workers.settings import Settings
from tests.servers import copy_database
from tests.stages.operators.flowers import OURS, USER, Running, answers, start, text_of
from tests.stages.operators.planted_rows import PLANTED, TROUBLED
from tests.unit.test_alarms import CASES, on
from tests.waiting import wait_until

WEBHOOK = {"url": "https://shop.example/outcomes", "secrets": ["env:SHOP_SECRET"]}
ABOUT: Final[dict[str, dict[str, Any]]] = {
    "lane paused": {"lane": "odd"},
    "batch unclear": {"batch_id": 3},
    "batch overdue": {"batch_id": 2},
    "results unread": {"batch_id": 5},
    "results aging": {"batch_id": 5},
    "stage failing": {"batch_id": 5},
}
"""What of the planted rows an alarm is about."""
BUTTON: Final = {
    "lane paused": "Resume it</button>",
    "workspace held": "Release</button>",
    "copy": "Release</button>",
    "webhook away": "Try it now</button>",
    "webhook gone": "Try it now</button>",
    "over budget": "/act?name=cap&",
    "budget stuck": "/act?name=cap&",
    "batch unclear": "/act?name=never_created&",
    "batch overdue": "/act?name=gone&",
    "results unread": "/act?name=gone&",
    "results aging": "/act?name=gone&",
    "stage failing": "/act?name=gone&",
    "deliveries dead": "/act?name=replay&",
    "catalog neglected": "/act?name=approve_run&",
    "run waiting": "/act?name=stop_run&",
    "run late": "/act?name=stop_run&",
    "waiting overdue": "/act?name=cancel&lane=default&state=waiting",
    "deadlines at risk": "/act?name=cancel&lane=default&late=yes",
    "lane unknown": "/act?name=pause&",
    "other policy": "/act?name=pause&",
}
"""What stands there for whoever may act: the act's own button, or the link to it."""
NO_PAGE: Final = {
    *("redis away", "redis refuses writes", "ledger read-only", "answers damaged"),  # a server or its disk
    "ledger moved",  # it goes on by itself
}


@pytest.fixture(scope="module")
def flower(postgres: str, redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    url = copy_database(postgres)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((PLANTED + TROUBLED).encode())
    environment = {
        "OVERNIGHT_REDIS_URL": redis_server,
        "OVERNIGHT_DATABASE_URL": url,
        "OVERNIGHT_ROLES": json.dumps({"operator": [USER[0]]}),
        "OVERNIGHT_LANES": json.dumps({"odd": {}}),
        "OVERNIGHT_WEBHOOKS": json.dumps({"shop": WEBHOOK}),
    }
    started = start(tmp_path_factory.mktemp("leads"), OURS, [f"--basic-auth={':'.join(USER)}"], environment)
    try:
        wait_until(lambda: answers(started), 120)
        yield started
    finally:
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(60) == 0, started.log.read_text()[-2000:]


def alarm_of(kind: str) -> Alarm:
    """One that is on, as the ledger's troubles make it, about what is planted."""
    (alarm,) = on(**CASES[kind][0])
    return replace(alarm, **ABOUT.get(kind, {}))


def lead(kind: str, *, may_act: bool = True) -> Lead | None:
    settings = Settings(webhooks={"shop": Webhook(url=str(WEBHOOK["url"]), secrets=("env:SHOP_SECRET",))})
    return lead_of(alarm_of(kind), settings, may_act=may_act)


def address(lead: Lead) -> str:
    path = "/".join(["", {"batch": "batches"}.get(lead.route, lead.route), *map(str, lead.parts)])
    return path + "?" + "&".join(f"{word}={value}" for word, value in lead.query.items())


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in NO_PAGE])
def test_an_alarm_leads_to_its_button(flower: Running, kind: str) -> None:
    to = lead(kind)
    assert to is not None
    page = unescape(flower.page(address(to)))
    assert BUTTON.get(kind, "</html>") in page, text_of(page)


def test_an_alarm_that_leads_nowhere_is_about_a_server_or_ends_by_itself() -> None:
    assert {kind for kind in KINDS if lead(kind) is None} == NO_PAGE


def test_whoever_may_not_act_is_led_to_where_it_is_said(flower: Running) -> None:
    for kind in KINDS:
        to = lead(kind, may_act=False)
        assert to is None or to.route != "act", kind
    assert lead("lane paused", may_act=False) is not None
    assert lead("webhook gone", may_act=False) is not None


def test_every_button_of_an_alarm_that_is_on_leads_to_a_page(flower: Running) -> None:
    wait_until(lambda: 'aria-label="Alarms"' in flower.page("/now"))
    alarms = re.findall(r'<li data-row="([^"]+) \d+".*?</li>', flower.page("/now"), re.DOTALL)
    links = set(map(unescape, re.findall(r'<a class="button" href="([^"]*)"', flower.page("/now"))))
    assert len(alarms) > 10
    assert len(links) > 7
    for link in links:
        assert flower.get(link.partition("#")[0]).status_code == 200, link
