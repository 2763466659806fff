"""Acts from the pages over HTTP: said first, confirmed with a token, by a role, done by the calls of the commands."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from html import unescape
from typing import Any

import httpx2 as httpx
import psycopg
import pytest

from overnight_models.ledger.database import Database
from overnight_models.ledger.money.budgets import release_held
from overnight_models.ledger.pack.reserve import OVER
from overnight_models.wire.outcome import dollars
from tests.servers import copy_database
from tests.stages.operators.flowers import OURS, Running, answers, row, start, text_of
from tests.stages.operators.planted_rows import PLANTED, SECRET
from tests.waiting import wait_until

ROLES = {"viewer": ["vera"], "operator": ["ann"], "reader_of_bodies": ["rita"]}
USERS = {name: (name, "secret") for name in ("ann", "vera", "rita")}
MANY = 2500
ROWS = f"""
INSERT INTO run (name) VALUES ('many');
INSERT INTO item (id, lane_id, headers_id, model_id, run_id, max_tokens, state, batch_id, size)
    SELECT i, 1, 1, 1, (SELECT id FROM run WHERE name = 'many'), 500, 'failed', 1, 1000
    FROM generate_series(1001, 1000 + {MANY}) i;
INSERT INTO request (item_id, receipt, key, params) SELECT i, gen_random_uuid(), 'many-' || i, '{{}}'
    FROM generate_series(1001, 1000 + {MANY}) i;
INSERT INTO outcome (item_id, submission_id, cost_nano, realtime_nano, attempts, ok, retryable, billed, via, problem)
    SELECT i, 1, 1000, 2000, 1, false, true, true, 'batch', 'expired' FROM generate_series(1001, 1000 + {MANY}) i;
SELECT setval('item_id', 10000);
"""

_PLAN = json.dumps({"send": 1200, "rows": 5000, "usd": "3.25", "reasons": {}, "left": {}})


@dataclass(frozen=True)
class Pages:
    flower: Running
    database_url: str

    def get(self, path: str, who: str = "ann") -> httpx.Response:
        return self.flower.get(path, auth=USERS[who])

    def page(self, path: str, who: str = "ann") -> str:
        answer = self.get(path, who)
        assert answer.status_code == 200, text_of(answer.text)
        return answer.text

    def post(
        self, path: str, said: Mapping[str, str], who: str = "ann", *, token: str | None = "its own"
    ) -> httpx.Response:
        """A form as a browser sends it. token: "its own": the one that its page has."""
        with httpx.Client(base_url=self.flower.url, auth=USERS[who], timeout=60) as browser:
            page = browser.get("/actions").text
            del page
            own = browser.cookies.get("_xsrf")
            assert own
            fields = dict(said) | ({} if token is None else {"_xsrf": own if token == "its own" else token})
            return browser.post(path, data=fields)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(sql.encode()).fetchall()

    def actions(self) -> list[tuple[Any, ...]]:
        return self.rows("SELECT name, actor, via, reason, items FROM action ORDER BY id")

    def noted(self, name: str) -> tuple[int, str]:
        """Of the newest action of this name: how many items, and dollars at the most."""
        of_name = f"SELECT items, most_nano FROM action WHERE name = '{name}' ORDER BY id DESC LIMIT 1"
        ((items, most_nano),) = self.rows(of_name)
        return items, dollars(most_nano)

    def form(self, path: str) -> dict[str, str]:
        """The hidden fields of a preview's form."""
        fields = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', self.page(path))
        return {unescape(name): unescape(value) for name, value in fields if name != "_xsrf"}


@pytest.fixture(scope="module")
def pages(postgres: str, redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    url = copy_database(postgres)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PLANTED.encode())
        connection.execute(ROWS.encode())
    users = ",".join(":".join(pair) for pair in USERS.values())
    environment = {
        "OVERNIGHT_REDIS_URL": redis_server,
        "OVERNIGHT_DATABASE_URL": url,
        "OVERNIGHT_ROLES": json.dumps(ROLES),
        "OVERNIGHT_LANES": json.dumps({"odd": {}}),
    }
    flower = start(tmp_path_factory.mktemp("acts"), OURS, [f"--basic-auth={users}"], environment)
    try:
        wait_until(lambda: answers(flower), 120)
        yield Pages(flower, url)
    finally:
        flower.process.send_signal(signal.SIGTERM)
        assert flower.process.wait(60) == 0, flower.log.read_text()[-2000:]


def test_an_act_needs_the_role_for_its_preview_and_for_doing_it(pages: Pages) -> None:
    for who in ("vera", "rita"):
        for answer in (
            pages.get("/act?name=pause&lane=default", who),
            pages.post("/act", {"name": "pause", "lane": "default"}, who),
            pages.post("/actions/1", {}, who),
        ):
            assert answer.status_code == 403
            assert f"{who}, who isn't named in operator of [roles]" in text_of(answer.text)
        for path in ("/now", "/items", "/items/2", "/batches/3", "/lanes", "/money", "/deliveries"):
            assert 'href="/act?' not in pages.page(path, who)
    assert pages.actions() == []


def test_a_form_without_the_token_of_its_page_does_nothing(pages: Pages) -> None:
    for token in (None, "somebody's"):
        answer = pages.post("/act", {"name": "pause", "lane": "default"}, token=token)
        assert answer.status_code == 403
    assert pages.rows("SELECT paused_at FROM lane WHERE name = 'default'") == [(None,)]
    assert pages.get("/act?name=pause&lane=default&confirm=yes").status_code == 200
    assert pages.rows("SELECT paused_at FROM lane WHERE name = 'default'") == [(None,)]


def test_a_lane_is_paused_and_goes_on_and_both_are_recorded(pages: Pages) -> None:
    assert "Nothing more is packed or submitted." in text_of(pages.page("/act?name=pause&lane=default"))
    done = pages.post("/act", {"name": "pause", "lane": "default", "reason": "prices <b>changed</b>"})
    assert "Lane default is paused." in text_of(done.text)
    assert "by ann" in text_of(pages.page("/lanes"))
    assert "prices &lt;b&gt;changed&lt;/b&gt;" in pages.page("/lanes")
    assert re.search(r'href="/act\?name=resume&amp;lane=default"', pages.page("/now"))
    assert "Lane default goes on." in text_of(pages.post("/act", {"name": "resume", "lane": "default"}).text)
    assert pages.actions()[-2:] == [
        ("pause", "ann", "flower", "prices <b>changed</b>", 0),
        ("resume", "ann", "flower", None, 2),
    ]
    assert pages.post("/act", {"name": "pause", "lane": "nobody's"}).status_code == 400


def test_a_drain_says_its_items_and_dollars_first_and_records_the_same(pages: Pages) -> None:
    waiting = "state = 'waiting' AND lane_id = (SELECT id FROM lane WHERE name = 'default')"
    pages.rows(
        "INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, size, waiting_since)"
        " SELECT i, 1, 1, 1, 500, 'waiting', 1000, now() FROM generate_series(5001, 5003) i RETURNING id"
    )
    ((items,),) = pages.rows(f"SELECT count(*) FROM item WHERE {waiting}")
    preview = text_of(pages.page("/act?name=drain&lane=default"))
    said = re.search(rf"{items:,} items wait in it, for \$([\d.]+) at the most", preview)
    assert said, preview
    each = text_of(pages.page("/act?name=cancel&ids=5001"))
    of_one = re.search(r"that saves \$([\d.]+) at the most", each)
    assert of_one
    assert Decimal(said[1]) == items * Decimal(of_one[1]), "items of one size cost the same"
    assert f"{items:,} items wait in it." in text_of(pages.page("/act?name=pause&lane=default"))
    done = text_of(pages.post("/act", {"name": "drain", "lane": "default"}).text)
    assert f"Lane default drains: {items:,} items that wait are packed at once" in done
    assert pages.noted("drain") == (items, said[1])
    page = text_of(pages.page("/actions"))
    assert re.search(rf"drain lane default {items:,} \${said[1][:6]}", page), page
    pages.rows("UPDATE lane SET drain_until = NULL, drained_by = NULL RETURNING id")
    pages.rows("DELETE FROM item WHERE id BETWEEN 5001 AND 5003 RETURNING id")


def test_a_whole_filter_is_tried_again_in_the_background_after_its_count_and_dollars_were_said(pages: Pages) -> None:
    said = pages.form("/act?name=redo&run=many&problem=any")
    assert said == {"name": "redo", "run": "many", "problem": "any"}
    preview = text_of(pages.page("/act?name=redo&run=many&problem=any"))
    most = re.search(
        rf"{MANY:,} items: their last tries were billed \$0.0025; another costs \$([\d.]+) at the most", preview
    )
    assert most, preview
    answer = pages.post("/act", said | {"reason": "a bad night"})
    assert answer.status_code == 303
    page = answer.headers["location"]
    wait_until(lambda: "Done" in text_of(pages.page(page)))
    states = "SELECT state, count(*) FROM item JOIN run ON run.id = run_id WHERE name = 'many' GROUP BY 1 ORDER BY 1"
    assert pages.rows(states) == [("redone", MANY), ("waiting", MANY)]
    assert pages.actions()[-1] == ("redo", "ann", "flower", "a bad night", MANY)
    assert pages.noted("redo") == (MANY, most[1])
    waits = text_of(pages.page("/act?name=cancel&run=many"))
    assert f"{MANY:,} items not sent yet: canceled and never billed; that saves ${most[1]} at the most" in waits
    assert f"{MANY:,} items done" in text_of(pages.page(page))


def test_a_selection_is_canceled_and_no_other_item(pages: Pages) -> None:
    preview = text_of(pages.page("/act?name=cancel&ids=8&ids=9"))
    saved = re.search(r"that saves \$([\d.]+) at the most", preview)
    assert saved, preview
    assert "Cancel: 2 selected" in preview
    assert "2 items not sent yet: canceled and never billed" in preview
    said = pages.form("/act?name=cancel&ids=8&ids=9")
    answer = pages.post("/act", said)
    wait_until(lambda: "Done" in text_of(pages.page(answer.headers["location"])))
    assert pages.rows("SELECT id FROM item WHERE state = 'canceled' ORDER BY id") == [(8,), (9,)]
    assert pages.noted("cancel") == (2, saved[1])


def test_everything_has_to_be_said(pages: Pages) -> None:
    assert 'name="everything"' in pages.page("/act?name=redo")
    assert 'name="everything"' not in pages.page("/act?name=redo&lane=default")
    answer = pages.post("/act", {"name": "redo"})
    assert answer.status_code == 400
    assert "tick that all of them are meant" in text_of(answer.text)


def test_dead_deliveries_are_sent_again(pages: Pages) -> None:
    assert "1 dead delivery; nothing is paid again" in text_of(pages.page("/act?name=replay&ids=1"))
    answer = pages.post("/act", {"name": "replay", "ids": "1"})
    wait_until(lambda: "Done" in text_of(pages.page(answer.headers["location"])))
    assert pages.rows("SELECT state, generation FROM every_delivery WHERE item_id = 1") == [("due", 1)]
    assert pages.get("/act?name=replay&tenant=acme").status_code == 400


def test_a_cap_is_raised_in_dollars(pages: Pages) -> None:
    link = next(
        link for link in map(unescape, re.findall(r'href="(/act[^"]*)"', pages.page("/money"))) if "cap" in link
    )
    said = pages.form(link)
    assert "may spend $12.5 a day" in text_of(pages.post("/act", said | {"cap": "12.50"}).text)
    assert pages.rows("SELECT cap_nano FROM budget") == [(12_500_000_000,)]
    assert pages.post("/act", said | {"cap": "much"}).status_code == 400
    assert pages.actions()[-1][:3] == ("budget", "ann", "flower")


def test_an_unclear_batch_is_declared_never_created(pages: Pages) -> None:
    page = pages.page("/batches/3")
    assert "It was never created" in text_of(page)
    preview = text_of(pages.page("/act?name=never_created&batch=3"))
    assert "is sent again" in preview
    said = re.search(r"It has 1 unfinished item: \$([\d.]+) at the most", preview)
    assert said, preview
    assert "It has 1 unfinished item" in text_of(pages.page("/act?name=adopt&batch=3"))
    assert "batch 3 is sent again" in text_of(pages.post("/act", {"name": "never_created", "batch": "3"}).text).lower()
    assert pages.rows("SELECT state FROM batch WHERE id = 3") == [("packed",)]
    assert pages.noted("decide") == (1, said[1]), "what was said before is what is recorded"
    cancel = text_of(pages.page("/act?name=cancel&batch=3"))
    assert f"1 item not sent yet: canceled and never billed; that saves ${said[1]} at the most" in cancel
    again = pages.post("/act", {"name": "never_created", "batch": "3"})
    assert again.status_code == 400
    assert "isn't unclear" in text_of(again.text)


def test_a_body_is_shown_to_its_readers_only_and_each_look_is_recorded(pages: Pages) -> None:
    before = len(pages.actions())
    for who in ("ann", "vera"):
        answer = pages.post("/items/1/body", {}, who)
        assert answer.status_code == 403
        assert SECRET not in answer.text
        assert "Show body" not in pages.page("/items/1", who)
    assert pages.get("/items/1/body", "rita").status_code == 302, "no link shows it"
    assert len(pages.actions()) == before
    assert "Show body" in pages.page("/items/1", "rita")
    assert SECRET not in pages.page("/items/1", "rita")
    shown = pages.post("/items/1/body", {}, "rita")
    assert shown.text.count(SECRET) == 3, "request, prefix and answer"
    assert shown.headers["cache-control"] == "no-store"
    assert pages.actions()[-1] == ("show body", "rita", "flower", None, 1)
    assert "show body item 1" in text_of(pages.page("/actions", "vera"))
    assert SECRET not in pages.page("/actions", "vera")
    pages.rows("UPDATE request SET params = 'null' WHERE item_id = 5 RETURNING 1")
    assert "It isn't kept any more" in text_of(pages.post("/items/5/body", {}, "rita").text)


def test_what_is_under_way_can_be_aborted_and_what_is_over_stays_as_it_is(pages: Pages) -> None:
    (number,) = pages.rows(
        "INSERT INTO action (name, actor, via, wish, items, until_item)"
        " VALUES ('redo', 'bob', 'command', '{\"lane\": \"nobody''s\"}', 7, 5) RETURNING id"
    )[0]
    page = pages.page(f"/actions/{number}")
    assert "Abort it" in page
    assert 'http-equiv="refresh"' in page
    assert f'data-from="/actions/{number}?part=now" data-while="progress"' in page
    part = pages.page(f"/actions/{number}?part=now")
    assert "<progress" in part
    assert "Abort it" in part
    assert "<html" not in part
    assert pages.post(f"/actions/{number}", {}).status_code == 303
    assert "Aborted by ann" in text_of(pages.page(f"/actions/{number}"))
    assert pages.post(f"/actions/{number}", {}).status_code == 409
    over = pages.page(f"/actions/{number}")
    assert "data-from" not in over
    assert 'http-equiv="refresh"' not in over
    assert pages.get("/actions/99999").status_code == 404


def test_a_run_that_asks_is_approved_or_stopped_from_its_page(pages: Pages) -> None:
    pages.rows(f"UPDATE catalog_run SET plan = '{_PLAN}' RETURNING id")
    assert 'href="/act?name=approve_run&amp;run=shop-1"' in pages.page("/runs")
    assert 'href="/act?' not in pages.page("/runs", "vera"), "a viewer has no buttons"
    assert "If it is approved now, done by" in text_of(row(pages.page("/runs"), "rshop-1")), "when it will be done"
    preview = text_of(pages.page("/act?name=approve_run&run=shop-1"))
    assert "It sends 1,200 of 5,000 rows for about $3.25." in preview
    assert "Run shop-1 goes on" in text_of(pages.post("/act", {"name": "approve_run", "run": "shop-1"}).text)
    assert "approved by ann" in text_of(pages.page("/runs"))
    assert pages.post("/act", {"name": "approve_run", "run": "shop-1"}).status_code == 400, "it asks no more"
    assert "being stopped" in text_of(pages.post("/act", {"name": "stop_run", "run": "shop-1"}).text)
    acts = [(name, actor, via) for name, actor, via, _reason, _items in pages.actions()]
    assert acts[-2:] == [("approve run", "ann", "flower"), ("stop run", "ann", "flower")]


def test_a_schedule_is_paused_skipped_and_resumed_from_its_page(pages: Pages) -> None:
    assert 'href="/act?name=pause_schedule&amp;catalog=shop"' in pages.page("/runs")
    assert "left out" in text_of(pages.post("/act", {"name": "skip_schedule", "catalog": "shop"}).text)
    for path in ("/runs", "/now"):
        assert "is left out" in text_of(pages.page(path)), f"{path} says which time doesn't come"
    assert 'href="/act?name=unskip_schedule&amp;catalog=shop"' in pages.page("/runs")
    said = {"name": "pause_schedule", "catalog": "shop", "reason": "new prices"}
    assert "is paused" in text_of(pages.post("/act", said).text)
    page = pages.page("/runs")
    assert "new prices" in text_of(page)
    assert 'href="/act?name=resume_schedule&amp;catalog=shop"' in page
    resumed = text_of(pages.post("/act", {"name": "resume_schedule", "catalog": "shop"}).text)
    assert "Catalog shop goes on" in resumed
    assert "is left out; it runs next on" in resumed, "a pause takes no skip back"
    after_all = text_of(pages.post("/act", {"name": "unskip_schedule", "catalog": "shop"}).text)
    assert "Catalog shop: it runs next on" in after_all
    assert "is left out" not in text_of(pages.page("/runs"))
    assert pages.post("/act", {"name": "pause_schedule", "catalog": "nobody's"}).status_code == 400


def test_what_can_not_be_done_has_no_button_and_says_why(pages: Pages) -> None:
    for act, why in {
        "resume&lane=default": "Lane default isn't paused.",
        "drain&lane=odd": "Lane odd is paused by Overnight",
        "pause&lane=odd": "Lane odd is paused by Overnight",
        "release": "No workspace is held",
        "adopt&batch=1": "Batch 1 isn't unclear",
        "never_created&batch=2": "Batch 2 isn't unclear",
        "gone&batch=1": "Batch 1 isn't at the API",
        "stop_run&run=shop-1": "",
    }.items():
        page = pages.page(f"/act?name={act}")
        assert why in text_of(page)
        assert ('method="post"' in page) == (not why), act
    refused = pages.post("/act", {"name": "resume", "lane": "nobody's"})
    assert "That can't be done" in text_of(refused.text), "what was asked for is there, and can't be done"


def test_the_preview_of_a_cap_says_what_it_is_now_and_what_it_holds(pages: Pages) -> None:
    page = pages.page("/act?name=cap&of=lane&of_name=default&period=day")
    ((cap_nano,),) = pages.rows("SELECT cap_nano FROM budget WHERE lane_id = 1 AND period = 'day'")
    assert "are spent and $0.00 reserved. It holds nothing." in text_of(page)
    assert f'name="cap" value="{dollars(cap_nano)}"' in page


def test_the_cap_that_has_room_for_all_that_is_held_lets_just_that_go(pages: Pages) -> None:
    ((budget, cap_nano),) = pages.rows("SELECT id, cap_nano FROM budget WHERE lane_id = 1 AND period = 'day'")
    pages.rows(
        "INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, size, held_by, held_since,"
        f" held_reason, reserved_nano) SELECT i, 1, 1, 1, 500, 'held', 1000, {budget}, now(), '{OVER}', 10000000007"
        " FROM generate_series(6001, 6003) i"
        " RETURNING id"
    )
    link = "/act?name=cap&of=lane&of_name=default&period=day"
    preview = text_of(pages.page(link))
    assert "$30.000000021 at the most" in preview
    cap = re.search(r"A cap of \$([\d.]+) has room for all of them", preview)
    assert cap, preview
    said = pages.form(link)
    ledger = Database(pages.database_url)
    for given, goes in ((Decimal(cap[1]) - Decimal("0.000000001"), 2), (Decimal(cap[1]), 1)):
        assert pages.post("/act", said | {"cap": f"{given:f}"}).status_code == 200
        with ledger.transaction() as connection:
            assert release_held(connection, []) == goes, "the sweep lets go what there is room for"
    ledger.close()
    assert "It holds nothing" in text_of(pages.page(link))
    pages.rows("DELETE FROM item WHERE id BETWEEN 6001 AND 6003 RETURNING id")
    pages.rows(f"UPDATE budget SET cap_nano = {cap_nano} WHERE id = {budget} RETURNING id")


def test_actions_are_found_by_who_what_and_target_and_older_ones_keep_the_filter(pages: Pages) -> None:
    with psycopg.connect(pages.database_url, autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO action (name, actor, via, wish, ended_at)
            SELECT 'pause', CASE WHEN i % 2 = 0 THEN 'mia' ELSE 'noa' END, 'flower', '{"lane": "odd"}', now()
            FROM generate_series(1, 120) i
            """
        )
    page = pages.page("/actions?who=mia&act=pause&target=odd&since=1h")
    assert page.count("data-row") == 50
    assert "noa" not in text_of(page)
    (older,) = re.findall(r'rel="next" href="([^"]*)"', page)
    assert unescape(older).startswith("/actions?who=mia&act=pause&target=odd&since=20")
    last = pages.page(unescape(older))
    assert last.count("data-row") == 10
    assert 'rel="next"' not in last
    assert "No such action" in text_of(pages.page("/actions?who=mia&target=default"))
    answer = pages.get("/actions?act=explode&since=soon")
    assert answer.status_code == 400
    assert "nobody does 'explode'" in text_of(answer.text)
