"""The operator's pages over HTTP, in one real Flower on a real ledger: what each shows, and what nobody sees."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

import httpx2 as httpx
import psycopg
import pytest

from overnight_workers.flower_tab.server import ROUTES
from tests.servers import copy_database
from tests.stages.operators.flowers import OURS, Running, answers, row, start, text_of
from tests.stages.operators.planted_rows import PLANTED, SECRET, TROUBLED
from tests.waiting import wait_until

ROLES = {"viewer": ["vera"], "operator": ["operator"], "reader_of_bodies": ["rita"]}
LISTS = ("/now", "/batches", "/items", "/problems", "/deliveries", "/money", "/runs", "/lanes", "/actions")
USERS = {name: (name, "secret") for name in ("operator", "vera", "rita", "nobody")}


@dataclass(frozen=True)
class Planted:
    flower: Running
    database_url: str

    def get(self, path: str, who: str = "vera") -> httpx.Response:
        return self.flower.get(path, auth=USERS[who])

    def page(self, path: str, who: str = "vera") -> str:
        answer = self.get(path, who)
        assert answer.status_code == 200, (path, answer.text)
        return answer.text


@pytest.fixture(scope="module")
def planted(postgres: str, redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    url = copy_database(postgres)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute((PLANTED + TROUBLED).encode())
    users = ",".join(":".join(pair) for pair in USERS.values())
    environment = {
        "OVERNIGHT_REDIS_URL": redis_server,
        "OVERNIGHT_DATABASE_URL": url,
        "OVERNIGHT_ROLES": json.dumps(ROLES),
        "OVERNIGHT_RELAYS": json.dumps({"bills": {"database_url": "postgresql://bills@127.0.0.1:1/bills"}}),
    }
    flower = start(tmp_path_factory.mktemp("pages"), OURS, [f"--basic-auth={users}"], environment)
    try:
        wait_until(lambda: answers(flower), 120)
        yield Planted(flower, url)
    finally:
        flower.process.send_signal(signal.SIGTERM)
        assert flower.process.wait(60) == 0, flower.log.read_text()[-2000:]


def paths() -> list[str]:
    """Every route of ours, with each number that the ledger has; a new route is covered by being there."""
    pages = []
    for route in ROUTES:
        pattern = route.regex.pattern.rstrip("$")
        if "style" in pattern:
            pages += ["/overnight/style.css", "/overnight/refresh.js"]
        elif "(" in pattern:
            pages += [re.sub(r"\(.*\)", str(number), pattern) for number in range(1, 10)]
        else:
            pages.append(pattern)
    return pages


@pytest.mark.parametrize("who", ["vera", "operator", "rita"])
def test_nobody_finds_anything_of_a_request_or_an_answer_on_any_route(planted: Planted, who: str) -> None:
    """A viewer, an operator, and a reader of bodies who presses no button."""
    seen = 0
    more = ["/items?problem=any", "/items?delivery=dead", "/items?batch=1", "/now?part=now", "/money?by=run&days=30"]
    more += ["/act?name=redo&run=spring", "/act?name=cancel&lane=default", "/act?name=adopt&batch=3"]
    more += ["/problems?lane=default&problem=errored&since=9h", "/problems?run=spring&before=9"]
    more += ["/act?name=release", "/runs?prefix=shop", "/runs?before=9", "/batches?state=unclear", "/items?late=yes"]
    more += [f"/act?name={name}&run=shop-1" for name in ("approve_run", "stop_run")]
    more += [f"/act?name={name}_schedule&catalog=shop" for name in ("pause", "resume", "skip", "unskip")]
    flowers_own = ["/workers", "/tasks", "/broker", "/metrics", "/api/workers", "/api/tasks"]
    for path in [*paths(), *more, *flowers_own]:
        answer = planted.get(path, who)
        assert answer.status_code in (200, 302, 400, 401, 403, 404), (path, answer.status_code, answer.text[-2000:])
        assert SECRET not in unescape(answer.text), path
        seen += answer.status_code == 200
    assert seen > 30
    assert SECRET not in planted.flower.log.read_text()


def test_every_alarm_says_what_it_is_about_without_what_others_quoted(planted: Planted) -> None:
    page = re.sub(r"\b1 h(?: \d+ min)?", "1 h", text_of(planted.page("/now")))
    for said in (
        "Broker gone is away for 1 h: broker 'gone': ResponseError: messages.0: … is no good",
        "Webhook shop takes nothing for 1 h: HTTP 500: messages.0: … is no good",
        "Nothing was taken by queue shop for 1 h: refused: messages.0: … is no good",
        "Workspace poor is held for 1 h: 403 permission_error: messages.0: … is no good",
        "Workspace poor isn't read for 1 h: messages.0: … is no good",
        "overnight.collect has failed for 1 h, last: batch 1: DataError: messages.0: … is no good",
        "claude-haiku-5-5 of workspace default waits for its limit for 1 h: 429 messages.0: … is no good",
        "Relay orders has taken nothing on for 1 h: messages.0: … is no good",
        "Relay orders: 3 messages were put aside, the last: no such field: messages.0: … is no good",
    ):
        assert said in page, said


def test_each_relay_says_how_far_it_is_behind_and_its_alarms_lead_there(planted: Planted) -> None:
    page = planted.page("/now")
    relay = re.sub(r"\b1 h(?: \d+ min)?", "1 h", row(page, "rorders"))
    aside = "the last that was put aside: no such field: messages.0: … is no good"
    for said in ("ago 5 1 h 3 9 it has taken nothing on for 1 h: messages.0: … is no good", aside):
        assert said in relay, relay
    assert row(page, "rbills") == (
        "bills never - - - - it is in the configuration and has never run: overnight relay bills"
    )
    with psycopg.connect(planted.database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE before AS SELECT * FROM relay")
        connection.execute("UPDATE relay SET said_at = now() - interval '2 h', failing_since = NULL")
        wait_until(lambda: "it says nothing: is overnight relay orders running" in row(planted.page("/now"), "rorders"))
        connection.execute("DELETE FROM relay")
        connection.execute("INSERT INTO relay SELECT * FROM before")
    alarms = re.findall(r"<li data-row=.*?</li>", page, re.DOTALL)
    of_relays = [alarm for alarm in alarms if "Relay " in alarm]
    assert len(of_relays) == 3
    assert all('href="/now#relays">Look at the relays</a>' in alarm for alarm in of_relays)
    assert 'id="relays"' in page


def test_a_page_that_fails_by_a_fault_of_ours_says_so_and_the_others_go_on(planted: Planted) -> None:
    with psycopg.connect(planted.database_url, autocommit=True) as connection:
        connection.execute("UPDATE catalog_run SET plan = '[]' WHERE state = 'asking'")
        answer = planted.get("/runs")
        others = [planted.get(path).status_code for path in ("/now", "/items")]
        connection.execute("UPDATE catalog_run SET plan = NULL")
    assert answer.status_code == 500
    page = text_of(answer.text)
    assert "This page can't be shown" in page
    assert "Flower's log says what failed" in page
    assert "TypeError" not in page
    assert others == [200, 200]


def test_who_is_named_nowhere_sees_nothing_and_is_told_why(planted: Planted) -> None:
    for path in ("/now", "/items", "/items/1", "/batches/1", "/money"):
        answer = planted.get(path, "nobody")
        assert answer.status_code == 403
        assert "nobody, who isn't named in viewer of [roles]" in text_of(answer.text)
        assert "sku-1" not in answer.text


def test_now_says_money_against_its_cap_and_the_next_schedule_by_its_clock(planted: Planted) -> None:
    page = text_of(planted.page("/now"))
    assert "lane default, a day" in page
    assert re.search(r"shop \w{3} \d\d:\d\d Europe/Berlin in (5 h|4 h 5\d min)", page), page
    assert re.search(r"odd paused by Overnight for [^:]+: everything is rejected alike: 400 messages.0: … is no", page)


def test_a_batch_has_its_timeline_problems_submissions_and_money(planted: Planted) -> None:
    page = text_of(planted.page("/batches/1"))
    assert "packed, with 4 items" in page
    assert "+1 min claimed by a submitter" in page
    assert "accepted: Anthropic created msgbatch_a" in page
    assert "refused cyber 2 item 4" in page
    assert "errored invalid_request_error: messages.#: … is no good, …, see … 1 item 2" in page
    assert "1 succeeded 2 errored" in page
    assert "Billed $0.0100" in page


def test_a_running_batch_shows_its_expected_end_with_an_interval(planted: Planted) -> None:
    page = text_of(planted.page("/batches/2"))
    assert re.search(r"Expected end \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC \(in .*\): as likely earlier as later", page)
    assert "Nine of ten such batches end between" in page
    assert "so no bar is shown" in page


def test_an_unclear_batch_says_why_and_what_happens(planted: Planted) -> None:
    page = text_of(planted.page("/batches/3"))
    assert "Nobody knows whether it was created no usable answer: messages.0: … is no good" in page
    assert "sends nothing of it again" in page


def test_an_items_life_leads_from_its_enqueuing_to_its_delivery(planted: Planted) -> None:
    page = text_of(planted.page("/items/1"))
    steps = [
        "accepted, and confirmed",
        "packed into batch 1",
        "Anthropic created msgbatch_a",
        "succeeded, by batch; billed $0.0010",
        "delivery to queue shop: dead after 12 tries",
    ]
    places = [page.find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)
    again = text_of(planted.page("/items/4"))
    assert "took the place of the try before it: somebody wanted another try" in again
    assert "refused: cyber" in again


def test_lists_go_on_by_keyset_and_keep_their_filter(planted: Planted) -> None:
    page = planted.page("/items?run=spring&before=4")
    assert re.findall(r'data-row="(\d+)"', page) == ["3", "2", "1"]
    assert 'href="/items?run=spring"' in page


def test_money_is_by_what_was_asked_with_a_bar_for_each_day(planted: Planted) -> None:
    page = planted.page("/money?by=tenant&days=7")
    assert len(re.findall(r'class="bar"', page)) == 7
    text = text_of(page)
    assert "acme $0.0100 $0.0200 $0.0100 33" in text
    assert re.search(r"spring default, 4 items, .* ago \$0.0011 \$0.000900 and \$0.0013", text)
    for query in ("by=nobody", "days=8"):
        assert planted.get(f"/money?{query}").status_code == 400


def test_deliveries_are_by_target_and_dead_ones_by_what_was_said(planted: Planted) -> None:
    text = text_of(planted.page("/deliveries"))
    said = "default OperationalError: messages.#: … is no good, …, see … 1"
    assert f"shop Overnight's own Redis {said} item 1" in text
    assert f"shop-2 gone {said} item 3" in text
    assert "broker 'gone': ResponseError: messages.0: … is no good" in text, "a name that stands there is no secret"
    assert re.findall(r'data-row="(\d+)"', planted.page("/items?delivery=dead&queue=shop-2")) == ["3"]
    preview = text_of(planted.page("/act?name=replay&lane=default&queue=shop-2&delivery=dead", "operator"))
    assert "1 dead delivery; nothing is paid again." in preview
    said = text_of(planted.get("/items?queue=shops").text)
    assert "no outcome goes to a queue or webhook 'shops': some go to shop, shop-2" in said
    assert "refused: messages.0: …" in text


def test_problems_are_by_what_they_say_and_each_leads_to_its_items(planted: Planted) -> None:
    page = planted.page("/problems")
    assert "2 items of all 3 outcomes that aren't ok" in text_of(page)
    assert "So far, with what was tried again or isn't kept any more: refused 2, errored 1." in text_of(page)
    said = {problem: row_of(page, problem) for problem in ("errored", "refused")}
    assert "invalid_request_error: messages.#: … is no good, …, see … default 1 " in text_of(said["errored"])
    assert "cyber default 1" in text_of(said["refused"])
    link = next(link for link in map(unescape, re.findall(r'href="(/items[^"]*)"', said["errored"])) if "ids" in link)
    assert re.findall(r'<a href="/items/(\d+)"', planted.page(link)) == ["2"]
    assert planted.page("/problems?lane=default&problem=refused&since=9h").count("data-row") == 1
    assert "None of them fits" in text_of(planted.page("/problems?problem=expired"))
    assert "None of the older ones fits: all were looked at" in text_of(planted.page("/problems?before=2"))
    for wrong in ("lane=nowhere", "problem=odd", "since=soon", "since=99999999999d", "run=nothing", "before=x"):
        assert planted.get(f"/problems?{wrong}").status_code in (400, 404), wrong
    assert "/problems?lane=default&amp;problem=refused" in planted.page("/items?lane=default&problem=refused")


def test_problems_of_a_window_say_of_how_many_they_are_and_lead_to_older_ones(planted: Planted) -> None:
    shown, said, address = [], [], "/problems?lane=default&look_at=1"
    while address:
        page = planted.page(address)
        shown += re.findall(r'data-row="default (\w+)"', page)
        said.append(re.findall(r"\d items? of (.*?) outcomes that aren't ok", text_of(page)))
        address = next(map(unescape, re.findall(r'rel="next" href="([^"]*)"', page)), "")
        assert "lane=default" in address or not address, "the filter is kept"
    assert len(set(shown)) == len(shown) == 2, "each once"
    assert said == [["the newest 1 of 3"], ["1 older of 3"], ["1 older of 3"], ["0 older of 3"]]
    (more,) = re.findall(r'href="([^"]*)">Look at 100,000 at once', planted.page("/problems?lane=default&look_at=1"))
    assert "2 items of all 3 outcomes that aren't ok" in text_of(planted.page(unescape(more)))


def row_of(page: str, problem: str) -> str:
    """The row of a problem."""
    lines: list[str] = re.findall(r"<tr data-row.*?</tr>", page, re.DOTALL)
    return next(line for line in lines if f">{problem}</th>" in line)


def test_runs_show_their_items_and_schedules_their_times(planted: Planted) -> None:
    text = text_of(planted.page("/runs"))
    assert "spring" in text
    assert "2 failed" in text
    assert re.search(r"\d+ \d+ \* \* \* Europe/Berlin", text), text
    assert "2026-11-28T22:00: no run: its file: messages.0: … is no good" in text
    assert "shop-1 asking overnight runs approve shop or stop prompt changed:" in text
    assert re.findall(r'href="/items\?run=([\w-]+)"', planted.page("/runs?prefix=shop")) != []


def test_what_waits_says_what_for_and_counts_lead_to_as_many_items(planted: Planted) -> None:
    now = planted.page("/now")
    assert "1 batch is unclear" in text_of(now)
    assert 'href="/batches?state=unclear"' in now
    assert 'href="/items?state=held&amp;lane=default"' not in now
    assert re.search(r"odd paused by Overnight for [^:]+: everything is rejected alike", text_of(now))
    assert "Packed at 100,000 items" in text_of(planted.page("/items/8"))


def test_what_is_not_there_says_so(planted: Planted) -> None:
    for path in ("/items/999", "/batches/999"):
        answer = planted.get(path)
        assert answer.status_code == 404
        assert "There is no" in text_of(answer.text)
    assert planted.get("/items?before=-1").status_code == 400
    assert planted.get("/runs?before=99999999999999").status_code == 200


def test_every_page_is_reached_from_every_page_and_says_where_it_is(planted: Planted) -> None:
    for path in LISTS:
        page = planted.page(path)
        nav = re.search(r'<nav class="ours".*?</nav>', page, re.DOTALL)
        assert nav
        assert set(re.findall(r'href="(/\w+)"', nav[0])) >= set(LISTS)
        assert re.search(rf'href="{path}" aria-current="page"', nav[0])
        assert "<script>" not in page
    assert row(planted.page("/items"), "1").startswith("sku-1 default run spring succeeded batch 1")
