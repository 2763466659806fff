"""Flower with our pages, by the ordinary command, on real servers: what an operator sees, and what nobody may."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from uuid import uuid4

import psycopg
import pytest
import redis
from celery import Celery

from overnight_models import routes
from overnight_models.ledger import schema
from overnight_models.ledger.database import Database
from overnight_workers.operators.alarm_kinds import KINDS
from tests.servers import copy_database
from tests.stages.operators.flowers import HELD, Flowers, Servers, row, running_flowers, text_of
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def servers(postgres: str, redis_server: str) -> Servers:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE not_migrated")
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return Servers(copy_database(postgres), f"{postgres.rpartition('/')[0]}/not_migrated", redis_server)


@pytest.fixture(scope="module")
def flowers(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flowers]:
    with running_flowers(servers, tmp_path_factory.mktemp("flowers")) as flowers:
        yield flowers


def test_nobody_gets_in_without_the_password(flowers: Flowers) -> None:
    for path in ("/now", "/now?part=now", "/batches", "/batches/1", "/items", "/items/2020", "/api/batches"):
        assert flowers.seeded.get(path, auth=None).status_code == 401
        assert flowers.seeded.get(path, auth=("operator", "wrong")).status_code == 401
        assert flowers.seeded.get(path).status_code == 200


def test_the_tab_is_the_first_on_every_page_and_the_landing_page(flowers: Flowers) -> None:
    for path in ("/now", "/items", "/workers", "/tasks", "/broker", "/no-such-page"):
        tabs = re.findall(r'class="nav-link[^"]*"\s+href="([^"]+)"', flowers.seeded.get(path).text)
        assert tabs[:4] == ["/now", "/workers", "/tasks", "/broker"]
    landing = flowers.seeded.get("/")
    assert (landing.status_code, landing.headers["location"]) == (302, "/now")


def test_unfinished_batches_show_age_against_what_is_expected(flowers: Flowers) -> None:
    page = flowers.seeded.page("/batches")
    young = row(page, "b15")
    assert re.match(r"15 default open 100,000 184\.0 MB 3\d min ", young), young
    assert young.endswith(" half end within 30 min, 9 of 10 within 50 min 48 s - - msgbatch_young")
    assert re.search(r"expires in (1 h|5\d min)", row(page, "b16"))
    assert "looked up at Anthropic before anything is sent again no answer to the create" in row(page, "b18")
    assert "sent when that is over: its workspace is held" in row(page, "b17")


def test_batches_are_listed_from_the_newest_back(flowers: Flowers) -> None:
    page = flowers.seeded.page("/batches")
    assert re.findall(r'data-row="b(\d+)"', page) == [str(number) for number in range(18, 0, -1)]
    assert "14 default collected 1,000 900.0 kB 1 d 18 h ago 56 min" in row(page, "b14")
    collected = flowers.seeded.page("/batches?state=collected&before=10")
    assert re.findall(r'data-row="b(\d+)"', collected) == [str(number) for number in range(9, 0, -1)]


def test_lanes_show_items_by_state_deliveries_and_money(flowers: Flowers) -> None:
    page = flowers.seeded.page("/now")
    default = row(page, "ldefault")
    assert "packed at 100,000 items, 200.0 MB or 5 min" in default
    assert re.search(r"1,017 \d+ min \d+ s - 60 - - - 18 3 \$61.25", default), default
    assert re.search(r"paused by Overnight for [^:]+: prompt <i>under</i> review", row(page, "lnightly"))
    assert "not in the configuration" in row(page, "lretired")


def test_alarms_come_first_the_worst_on_top(flowers: Flowers) -> None:
    alerts = re.findall(
        r'<li data-row="[^"]+" class="(\w+)"><span class="said">(.*?)<span class="do">.+?</span>',
        flowers.seeded.page("/now?part=now"),
    )
    assert [(tone, unescape(text).split(":")[0].partition(" by ")[0]) for tone, text in alerts] == [
        ("alarming", "No worker shows that it lives."),
        ("alarming", "Workspace tight is held for 1 h 5 min"),
        ("alarming", "Lane retired has unfinished items, and the configuration doesn't have it."),
        ("alarming", "3 deliveries were given up and can be replayed. The newest, for queue shop"),
        ("notable", "Lane nightly is paused"),
    ]


def test_what_to_do_about_an_alarm_is_text_that_everybody_sees(flowers: Flowers) -> None:
    page = text_of(flowers.seeded.page("/now"))
    for kind in ("workspace held", "lane unknown", "deliveries dead", "lane paused"):
        assert " ".join(KINDS[kind].do.replace("`", " ").split()) in page.replace(" ;", ";")


def test_the_broker_tab_shows_every_queue_though_no_worker_runs(flowers: Flowers, servers: Servers) -> None:
    with redis.Redis.from_url(servers.redis_url) as client:
        client.rpush(routes.PACK, b"{}")
        page = flowers.seeded.page("/broker")
        lengths = flowers.seeded.get("/api/queues/length").json()["active_queues"]
        client.delete(routes.PACK)
    assert [queue for queue in routes.QUEUES if queue not in page] == []
    assert "<th>Messages</th>" in page, "on narrow screens too"
    assert re.search(rf"<td>{routes.PACK}</td>\s*<td>1</td>", page), page
    assert {"name": routes.PACK, "messages": 1} in lengths


def test_counts_lead_to_their_items_with_problem_and_delivery(flowers: Flowers) -> None:
    links = {html.unescape(link) for link in re.findall(r'href="(/items[^"]*)"', flowers.seeded.page("/now"))}
    assert {"/items?lane=default&state=waiting", "/items?lane=default&delivery=dead", "/items?delivery=dead"} <= links
    for link in links:
        assert flowers.seeded.get(link).status_code == 200, link
    dead = text_of(flowers.seeded.page("/items?lane=default&delivery=dead"))
    assert "3 items" in dead
    assert "dead after 12 tries, queue shop: " in dead
    assert "sku-2021 <b>" in dead
    assert "acme" in dead
    assert "No such items." in text_of(flowers.seeded.page("/items?lane=nightly"))
    assert "sku-2021 <b>" in text_of(flowers.seeded.page("/items/2021"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("state=nope", "there is no state of an item 'nope': waiting, "),
        ("delivery=nope", "there is no state of a delivery 'nope': due, "),
        ("problem=nope", "there is no problem 'nope': refused, "),
        ("lane=nope", "there is no lane 'nope': there are default, nightly, retired"),
        ("run=nope", "there is no run 'nope'"),
        ("batch=99", "there is no batch 99"),
        ("batch=x", "a batch is a number, and not 'x'"),
    ],
)
def test_a_filter_that_names_what_is_not_there_is_an_error_that_says_what_is(
    flowers: Flowers, query: str, said: str
) -> None:
    answer = flowers.seeded.get(f"/items?{query}")
    assert answer.status_code == 400
    assert said in text_of(answer.text)


def test_nothing_that_others_wrote_becomes_markup(flowers: Flowers) -> None:
    page = flowers.seeded.page("/now")
    for written, shown in (("<i>under</i>", "&lt;i&gt;under&lt;/i&gt;"), ("<b>now</b>", "&lt;…&gt;")):
        assert written not in page
        assert shown in page
    for path in ("/now", "/batches", "/batches/17", "/items?delivery=dead", "/items/2020"):
        for written in ("<script>alert(1)</script>", "<img src=x>", "sku-2020 <b>"):
            assert written not in flowers.seeded.page(path)


def test_the_changing_part_alone_is_a_fragment_and_not_cached(flowers: Flowers) -> None:
    answer = flowers.seeded.get("/now?part=now")
    assert "<html" not in answer.text
    assert "1,017" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_the_api_says_the_same_as_json(flowers: Flowers) -> None:
    document = flowers.seeded.get("/api/batches").json()
    lane = document["lanes"][0]
    assert (lane["lane"], lane["items"]["waiting"], lane["deliveries"]["dead"]) == ("default", 1017, 3)
    money = {"cost_usd": "61.251", "realtime_cost_usd": "122.502", "saved_usd": "61.251", "unpriced": 0}
    assert document["money"] == money
    batch = next(batch for batch in document["batches"] if batch["id"] == 15)
    assert (batch["state"], batch["api_id"], batch["items"]) == ("open", "msgbatch_young", 100_000)
    assert 1790 < batch["open_s"] < 3600
    assert [alarm["alarm"] for alarm in document["alarms"] if not alarm["urgent"]] == ["lane paused"]
    assert document["workspaces"][1]["held_reason"] == "Your credit balance is too low <…>"
    assert document["fault"] is None


def test_prometheus_finds_the_metrics_beside_flowers_own(flowers: Flowers) -> None:
    def told() -> str:
        return flowers.seeded.page("/metrics")

    wait_until(lambda: "overnight_ledger_up 1.0" in told())
    gauges = told()
    assert 'overnight_items{lane="default",state="waiting"} 1017.0' in gauges
    assert 'overnight_items{lane="default",state="held"} 0.0' in gauges
    assert 'overnight_batches{lane="default",state="open"} 2.0' in gauges
    assert 'overnight_deliveries{lane="default",state="dead"} 3.0' in gauges
    assert 'overnight_cost_dollars_total{lane="default"} 61.251' in gauges
    assert 'overnight_realtime_cost_dollars_total{lane="default"} 122.502' in gauges
    assert 'overnight_unpriced_answers_total{lane="default"} 0.0' in gauges
    assert 'overnight_unmeasured_items{lane="default"} 0.0' in gauges
    assert 'overnight_lane_paused{lane="nightly"} 1.0' in gauges
    assert 'overnight_workspace_held{workspace="tight"} 1.0' in gauges
    assert 'overnight_alarms{alarm="workspace held",urgent="true"} 1.0' in gauges
    assert 'overnight_alarms{alarm="batch overdue",urgent="true"} 0.0' in gauges
    oldest = re.search(r'overnight_oldest_waiting_seconds{lane="default"} ([\d.]+)', gauges)
    assert oldest
    assert 90 <= float(oldest[1]) < 600


def test_an_unreachable_database_is_a_sentence_and_not_a_traceback(flowers: Flowers) -> None:
    page = text_of(flowers.cut_off.page("/now"))
    assert "The ledger can't be read Postgres at 127.0.0.1:" in page
    assert "Start Postgres, or correct OVERNIGHT_DATABASE_URL" in page
    for path in ("/batches", "/items", "/items/1", "/batches/1"):
        answer = flowers.cut_off.get(path)
        assert answer.status_code == 503
        assert "Postgres can't be reached" in text_of(answer.text)
        assert "Nothing is lost." in text_of(answer.text)
        assert "Traceback" not in answer.text
    assert flowers.cut_off.get("/api/batches").status_code == 503
    assert "overnight_ledger_up 0.0" in flowers.cut_off.page("/metrics")
    assert flowers.cut_off.get("/workers").status_code == 200


def test_an_empty_database_says_what_to_do_and_then_what_to_expect(flowers: Flowers, servers: Servers) -> None:
    for path in ("now", "batches", "items"):
        assert "overnight migrate" in text_of(flowers.empty.get(f"/mon/{path}").text)
    database = Database(servers.empty_url)
    schema.migrate(database)
    database.close()
    wait_until(lambda: "Nothing waits." in flowers.empty.page("/mon/now"))
    page = text_of(flowers.empty.page("/mon/now"))
    assert "No lane has had an item yet." in page
    assert "No budget is set" in page
    assert "The next one appears when items have been enqueued and packed." in text_of(
        flowers.empty.page("/mon/batches")
    )
    assert "No item was ever accepted." in text_of(flowers.empty.page("/mon/items"))


def test_held_items_are_no_empty_page(flowers: Flowers, servers: Servers) -> None:
    """After the test before it, which has migrated that database."""
    with psycopg.connect(servers.empty_url, autocommit=True) as connection:
        connection.execute(HELD.encode())
        wait_until(lambda: "848 held" in flowers.empty.page("/mon/now"))
        page = text_of(flowers.empty.page("/mon/now"))
        assert 'href="/mon/items?state=held"' in flowers.empty.page("/mon/now")
    assert "None waits to be packed. 848 held" in page
    assert "Nothing waits" not in page


def test_a_url_prefix_is_in_every_link(flowers: Flowers) -> None:
    page = flowers.empty.page("/mon/now")
    for name in ("now", "batches", "items", "overnight/style.css"):
        assert f'href="/mon/{name}"' in page
    assert flowers.empty.get("/mon/overnight/style.css").status_code == 200
    assert 'data-from="/mon/now?part=now"' in page
    assert flowers.empty.get("/mon/").headers["location"] == "/mon/now"
    assert flowers.empty.get("/mon/api/batches", auth=None).status_code in (200, 503)
    assert flowers.empty.get("/batches").status_code == 404


def test_our_defaults_give_way_to_what_the_user_says(flowers: Flowers) -> None:
    def columns(page: str) -> list[str]:
        return re.findall(r'data-column="(\w+)"', page)

    assert columns(flowers.seeded.page("/tasks")) == [
        "name",
        "state",
        "args",
        "result",
        "received",
        "runtime",
        "worker",
    ]
    assert columns(flowers.empty.page("/mon/tasks")) == ["name", "state"]


def test_another_apps_flower_is_the_stock_one(flowers: Flowers) -> None:
    assert "Overnight" not in flowers.other.page("/workers")
    assert flowers.other.get("/now").status_code == 404
    assert "overnight_" not in flowers.other.page("/metrics")
    assert flowers.other.get("/").status_code == 200


def test_a_task_shows_its_short_text_and_never_an_items_body(flowers: Flowers, servers: Servers) -> None:
    task_id = str(uuid4())
    producer = Celery("stranger", broker=servers.redis_url)
    with producer.connection() as connection, producer.events.default_dispatcher(hostname="w@x") as dispatcher:
        del connection
        # what Celery's own send_task would show of an accept message
        dispatcher.send(
            "task-received",
            uuid=task_id,
            name=routes.ACCEPT,
            args="('default, 500 items',)",
            kwargs="{'items': 'the secret prompt'}",
        )
    wait_until(lambda: flowers.seeded.get(f"/task/{task_id}").status_code == 200)
    page = flowers.seeded.page(f"/task/{task_id}")
    assert "500 items" in page
    assert "secret prompt" not in page
    listed = flowers.seeded.page(
        "/tasks/datatable?draw=1&start=0&length=10&search[value]=&order[0][column]=0&order[0][dir]=asc&columns[0][data]=name"
    )
    assert task_id in listed
    assert "secret prompt" not in listed


def test_a_worker_starts_without_flower() -> None:
    look = "import sys, overnight_workers.app; print([m for m in sys.modules if m.startswith(('flower', 'tornado'))])"
    environment = {**os.environ, "OVERNIGHT_REDIS_URL": "redis://x", "OVERNIGHT_DATABASE_URL": "postgresql://x/x"}
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip() == "[]"
