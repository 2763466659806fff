"""Flower with the Batches tab, by the ordinary command, on real servers: what an operator sees, and what nobody may."""

from __future__ import annotations

import html
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from uuid import uuid4

import httpx2 as httpx
import psycopg
import pytest
import redis
from celery import Celery

from overnight_models import routes
from overnight_models.ledger import schema
from overnight_models.ledger.database import Database
from overnight_models.ledger.operators.overview import BatchView, TurnaroundView
from overnight_models.states import BATCH
from overnight_workers.one_machine.embedded import EmbeddedPostgres, EmbeddedRedis
from overnight_workers.one_machine.supervisor import Supervisor
from overnight_workers.operators import words
from overnight_workers.operators.alarm_kinds import KINDS
from tests.waiting import wait_until

USER = ("operator", "secret")
OURS = "overnight_workers.app"
SEEDED = """
INSERT INTO workspace (name, held_at, held_reason) VALUES
    ('default', NULL, NULL), ('tight', now() - interval '65 min', 'Your credit balance is too low <b>now</b>');
INSERT INTO lane (name, paused_at, paused_reason) VALUES
    ('default', NULL, NULL), ('nightly', now(), 'prompt <i>under</i> review'), ('retired', NULL, NULL);
INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '2026-10-21'), ('tight', '', '2026-10-21');
INSERT INTO batch (lane_id, headers_id, state, items, size, packed_at, changed_at, reason)
    SELECT 1, 1, 'collected', 1000, 900000, now() - i * interval '3 h', now() - i * interval '2 h', NULL
    FROM generate_series(1, 14) i;
INSERT INTO submission (batch_id, token, state, api_id, api_created_at, ended_at, api_expires_at, send_by)
    SELECT id, 't' || id, 'done', 'msgbatch_done' || id, packed_at, packed_at + id * interval '4 min',
           packed_at + interval '1 d', packed_at FROM batch;
INSERT INTO batch (lane_id, headers_id, state, items, size, packed_at, changed_at, reason) VALUES
    (1, 1, 'open', 100000, 184000000, now() - interval '31 min', now() - interval '30 min', NULL),
    (1, 1, 'open', 42000, 77000000, now() - interval '23 h', now() - interval '23 h', NULL),
    (2, 2, 'packed', 1204, 2200000, now() - interval '10 min', now() - interval '10 min',
     'the workspace is held <script>alert(1)</script>'),
    (1, 1, 'unclear', 500, 910000, now() - interval '2 min', now() - interval '1 min', 'no answer to the create');
INSERT INTO submission (batch_id, token, state, api_id, api_created_at, api_expires_at, send_by) VALUES
    (15, 'a', 'open', 'msgbatch_young', now() - interval '30 min', now() + interval '23 h 30 min', now()),
    (16, 'b', 'open', 'msgbatch_old', now() - interval '23 h', now() + interval '1 h', now()),
    (18, 'c', 'unclear', NULL, NULL, NULL, now());
INSERT INTO model (name) VALUES ('claude-haiku-5-5');
INSERT INTO target (broker, queue) VALUES ('', 'shop');
INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, batch_id, size)
    SELECT i, 1, 1, 1, 500, 'batched', 15, 1800 FROM generate_series(1, 60) i;
INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, size, waiting_since)
    SELECT i, 1, 1, 1, 500, 'waiting', 1800, now() - interval '90 s' FROM generate_series(61, 1077) i;
INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, batch_id, size)
    SELECT i, 1, 1, 1, 500, 'succeeded', 1, 1800 FROM generate_series(2001, 4345) i;
INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, size, waiting_since)
    SELECT i, 3, 1, 1, 500, 'waiting', 1800, now() FROM generate_series(5001, 5003) i;
INSERT INTO delivery (item_id, lane_id, target_id, state, tries, error)
    SELECT i, 1, 1, CASE WHEN i < 2019 THEN 'due' WHEN i < 2022 THEN 'dead' ELSE 'delivered' END, 12,
           CASE WHEN i BETWEEN 2019 AND 2021 THEN 'broker "shop": <img src=x> refused' END
    FROM generate_series(2001, 4345) i;
INSERT INTO request (item_id, receipt, key, tenant, params)
    SELECT i, gen_random_uuid(), 'sku-' || i || ' <b>', 'acme', '{}' FROM generate_series(2001, 2030) i;
INSERT INTO spending (submission_id, lane_id, answers, paid_twice, cost_nano, realtime_nano) VALUES
    (1, 1, 2000, 0, 61250000000, 122500000000), (2, 1, 345, 0, 1000000, 2000000);
"""
HELD = """
INSERT INTO lane (name) VALUES ('night');
INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '2026-10-21');
INSERT INTO model (name) VALUES ('claude-haiku-5-5');
INSERT INTO budget (lane_id, period, cap_nano, strict) SELECT id, 'day', 0, true FROM lane;
INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, size, waiting_since, held_by, held_since,
                  held_reason)
    SELECT i, 1, 1, 1, 500, 'held', 1800, NULL, 1, now(), 'over budget' FROM generate_series(1, 848) i;
"""
OTHER_APP = """
from celery import Celery
app = Celery("shop", broker={redis!r})
import overnight_workers.app
"""


@dataclass(frozen=True)
class Running:
    """A Flower of its own process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, *, auth: tuple[str, str] | None = USER) -> httpx.Response:
        return httpx.get(self.url + path, auth=auth, timeout=30)

    def page(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return answer.text


@dataclass(frozen=True)
class Flowers:
    """One Flower for each way of starting it; started together, because each takes seconds."""

    seeded: Running
    """A ledger with everything in it, basic auth."""
    empty: Running
    """An empty database, a URL prefix, an open API, options of the user's own."""
    cut_off: Running
    """No database at all."""
    other: Running
    """Another Celery app on the same machine, which has even imported ours."""


@dataclass(frozen=True)
class Servers:
    database_url: str
    empty_url: str
    redis_url: str


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    data_dir = tmp_path_factory.mktemp("flower")
    with Supervisor(data_dir) as supervisor:
        postgres = EmbeddedPostgres(data_dir / "postgres", durable=False)
        redis = EmbeddedRedis(data_dir / "redis", durable=False)
        supervisor.start(postgres.process(), redis.process())
        database = Database(postgres.url)
        schema.migrate(database)
        database.close()
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE empty")
        yield Servers(postgres.url, postgres.url.removesuffix("overnight") + "empty", redis.url)


@pytest.fixture(scope="module")
def flowers(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flowers]:
    where = tmp_path_factory.mktemp("flowers")
    (where / "shop.py").write_text(OTHER_APP.format(redis=servers.redis_url))
    known = {"OVERNIGHT_REDIS_URL": servers.redis_url, "OVERNIGHT_DATABASE_URL": servers.database_url}
    auth = f"--basic-auth={':'.join(USER)}"
    started = Flowers(
        seeded=start(where, OURS, [auth], known),
        empty=start(
            where,
            OURS,
            ["--url-prefix=mon", "--tasks-columns=name,state"],
            {**known, "OVERNIGHT_DATABASE_URL": servers.empty_url, "FLOWER_UNAUTHENTICATED_API": "true"},
        ),
        cut_off=start(where, OURS, [auth], {**known, "OVERNIGHT_DATABASE_URL": f"postgresql://x@127.0.0.1:{free()}/x"}),
        other=start(where, "shop", [auth], known),
    )
    running = [started.seeded, started.empty, started.cut_off, started.other]
    try:
        for flower in running:
            wait_until(lambda flower=flower: answers(flower), 120)  # type: ignore[misc]
        with psycopg.connect(servers.database_url, autocommit=True) as connection:
            connection.execute(SEEDED.encode())  # now that they answer: ages are looked at
        wait_until(lambda: 'data-row="f14"' in started.seeded.page("/batches"), 60)  # it looks every few seconds
        yield started
    finally:
        for flower in running:
            flower.process.send_signal(signal.SIGTERM)
        for flower in running:
            assert flower.process.wait(30) == 0, flower.log.read_text()[-2000:]


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start(where: Path, app: str, options: list[str], environment: Mapping[str, str]) -> Running:
    port = free()
    log = where / f"{port}.log"
    command = [sys.executable, "-m", "celery", "-A", app, "flower", "--address=127.0.0.1", f"--port={port}", *options]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=where, stdout=out, stderr=out, env={**os.environ, **environment, "OVERNIGHT_CONFIG": ""}
        )
    return Running(f"http://127.0.0.1:{port}", process, log)


def answers(flower: Running) -> bool:
    assert flower.process.poll() is None, flower.log.read_text()
    prefix = "/mon" if "mon" in str(flower.process.args) else ""
    try:
        return flower.get(f"{prefix}/healthcheck").status_code == 200
    except httpx.TransportError:
        return False


def text_of(page: str) -> str:
    """What a person reads: no tags, no scripts, single spaces."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).replace("\N{EN DASH}", "-").split())


def row(page: str, name: str) -> str:
    found = re.search(rf'<tr data-row="{name}">.*?</tr>', page, flags=re.DOTALL)
    assert found, f"no row {name}"
    return text_of(found[0])


def test_nobody_gets_in_without_the_password(flowers: Flowers) -> None:
    for path in ("/batches", "/batches?part=now", "/api/batches"):
        assert flowers.seeded.get(path, auth=None).status_code == 401
        assert flowers.seeded.get(path, auth=("operator", "wrong")).status_code == 401
        assert flowers.seeded.get(path).status_code == 200


def test_the_tab_is_the_first_on_every_page_and_the_landing_page(flowers: Flowers) -> None:
    for path in ("/batches", "/workers", "/tasks", "/broker", "/no-such-page"):
        tabs = re.findall(r'class="nav-link[^"]*"\s+href="([^"]+)"', flowers.seeded.get(path).text)
        assert tabs[:4] == ["/batches", "/workers", "/tasks", "/broker"]
    landing = flowers.seeded.get("/")
    assert (landing.status_code, landing.headers["location"]) == (302, "/batches")


def test_unfinished_batches_show_age_against_what_is_expected(flowers: Flowers) -> None:
    page = flowers.seeded.page("/batches")
    young = row(page, "u15")
    assert young.startswith("15 default open 100,000 184.0 MB 30 min ")
    assert young.endswith(" half end within 30 min, 9 of 10 within 50 min 48 s - default msgbatch_young")
    assert re.search(r"expires in (1 h|59 min)", row(page, "u16"))
    assert "looked up at Anthropic before anything is sent again no answer to the create" in row(page, "u18")
    assert "sent when that is over: its workspace is held" in row(page, "u17")


def test_finished_batches_are_the_newest_few(flowers: Flowers) -> None:
    page = flowers.seeded.page("/batches")
    finished = re.findall(r'data-row="f(\d+)"', page)
    assert finished == [str(number) for number in range(14, 2, -1)]
    assert "14 default collected 1,000 56 min 1 d 4 h ago" in row(page, "f14")


def test_lanes_show_items_by_state_deliveries_and_money(flowers: Flowers) -> None:
    page = flowers.seeded.page("/batches")
    default = row(page, "ldefault")
    assert "packed at 100,000 items, 200.0 MB or 5 min" in default
    assert re.search(r"1,017 1 min \d+ s - 60 2,345 - 18 3 \$61.25 \$122.50 \$61.25", default), default
    assert "paused: prompt <i>under</i> review" in row(page, "lnightly")
    assert "not in the configuration" in row(page, "lretired")


def test_alarms_come_first_the_worst_on_top(flowers: Flowers) -> None:
    alerts = re.findall(
        r'<li class="(\w+)">(.*?)<span class="do">[^<]+</span></li>', flowers.seeded.page("/batches?part=now")
    )
    assert [(tone, unescape(text).split(":")[0]) for tone, text in alerts] == [
        ("alarming", "Workspace tight is held for 1 h 5 min"),
        ("alarming", "Lane retired has unfinished items, and the configuration doesn't have it."),
        ("alarming", "3 deliveries were given up and can be replayed. The newest, for queue shop"),
        ("notable", "Lane nightly is paused"),
    ]


def test_what_to_do_about_an_alarm_is_text_that_everybody_sees(flowers: Flowers) -> None:
    page = text_of(flowers.seeded.page("/batches"))
    for kind in ("workspace held", "lane unknown", "deliveries dead", "lane paused"):
        assert " ".join(KINDS[kind].do.split()) in page


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
    links = {html.unescape(link) for link in re.findall(r'href="(/items[^"]*)"', flowers.seeded.page("/batches"))}
    assert {"/items?lane=default&state=succeeded", "/items?lane=default&delivery=dead", "/items?batch=15"} <= links
    for link in links:
        assert flowers.seeded.get(link).status_code == 200, link
    dead = text_of(flowers.seeded.page("/items?lane=default&delivery=dead"))
    assert "3 items" in dead
    assert "dead after 12 tries, queue shop: " in dead
    assert "sku-2021 <b>" in dead
    assert "acme" in dead
    assert "No such items." in text_of(flowers.seeded.page("/items?lane=nightly"))


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
    page = flowers.seeded.page("/batches")
    for written in ("<script>alert(1)</script>", "<img src=x>", "<i>under</i>", "<b>now</b>"):
        assert written not in page
        assert written.replace("<", "&lt;").replace(">", "&gt;") in page


def test_the_changing_part_alone_is_a_fragment_and_not_cached(flowers: Flowers) -> None:
    answer = flowers.seeded.get("/batches?part=now")
    assert "<html" not in answer.text
    assert "msgbatch_young" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_the_api_says_the_same_as_json(flowers: Flowers) -> None:
    found = flowers.seeded.get("/api/batches").json()
    lane = found["lanes"][0]
    assert (lane["lane"], lane["items"]["waiting"], lane["deliveries"]["dead"]) == ("default", 1017, 3)
    money = {"cost_usd": "61.251", "realtime_cost_usd": "122.502", "saved_usd": "61.251", "unpriced": 0}
    assert found["money"] == money
    batch = next(batch for batch in found["batches"] if batch["id"] == 15)
    assert (batch["state"], batch["api_id"], batch["items"]) == ("open", "msgbatch_young", 100_000)
    assert 1790 < batch["open_s"] < 3600
    assert [alarm["alarm"] for alarm in found["alarms"] if not alarm["urgent"]] == ["lane paused"]
    assert found["workspaces"][1]["held_reason"] == "Your credit balance is too low <b>now</b>"
    assert found["fault"] is None


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
    page = flowers.cut_off.page("/batches")
    assert "The ledger can&#x27;t be read: Postgres at 127.0.0.1:" in page
    assert "Traceback" not in page
    assert flowers.cut_off.get("/api/batches").status_code == 503
    assert "overnight_ledger_up 0.0" in flowers.cut_off.page("/metrics")
    assert flowers.cut_off.get("/workers").status_code == 200


def test_an_empty_database_says_what_to_do_and_then_what_to_expect(flowers: Flowers, servers: Servers) -> None:
    assert "overnight migrate" in text_of(flowers.empty.page("/mon/batches"))
    database = Database(servers.empty_url)
    schema.migrate(database)
    database.close()
    wait_until(lambda: "Nothing waits." in flowers.empty.page("/mon/batches"))
    page = text_of(flowers.empty.page("/mon/batches"))
    assert "No batch is under way. The next one appears when items have been enqueued and packed." in page
    assert "No lane has had an item yet." in page
    assert "No batch has finished yet." in page


def test_held_items_are_no_empty_page(flowers: Flowers, servers: Servers) -> None:
    """After the test before it, which has migrated that database."""
    with psycopg.connect(servers.empty_url, autocommit=True) as connection:
        connection.execute(HELD.encode())
        wait_until(lambda: "848 held" in flowers.empty.page("/mon/batches"))
        page = text_of(flowers.empty.page("/mon/batches"))
        assert 'href="/mon/items?state=held"' in flowers.empty.page("/mon/batches")
    assert "None waits to be packed. 848 held" in page
    assert "848 items are held: the alarms above say why, and what ends it." in page
    assert "Nothing waits" not in page


def test_a_url_prefix_is_in_every_link(flowers: Flowers) -> None:
    page = flowers.empty.page("/mon/batches")
    assert 'href="/mon/batches"' in page
    assert 'data-from="/mon/batches?part=now"' in page
    assert flowers.empty.get("/mon/").headers["location"] == "/mon/batches"
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
    assert "Batches" not in flowers.other.page("/workers")
    assert flowers.other.get("/batches").status_code == 404
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


def batch_in(state: str, **known: float | None) -> BatchView:
    durations = {"changed_s": 5.0, "resumes_s": None, "open_s": None, "took_s": None, "expires_s": None, **known}
    return BatchView(
        id=1, lane="a", workspace="default", state=state, reason=None, items=1, size=1, age_s=5.0, api_id=None,
        submissions=1, cost_nano=0, realtime_nano=0, packed_at=None, **durations,  # type: ignore[arg-type]
    )  # fmt: skip


@pytest.mark.parametrize("state", BATCH.unfinished)
def test_every_unfinished_state_says_what_is_expected(state: str) -> None:
    assert words.expectation(batch_in(state), None).text


def test_expectations_come_from_history_once_there_is_some() -> None:
    hours = 3600.0
    running = batch_in("open", open_s=2 * hours, expires_s=22 * hours)
    history = TurnaroundView("a", 50, 0.5 * hours, 1 * hours)
    assert words.expectation(running, None) == words.Word("most end within 1 h, all within 24 h")
    assert words.expectation(running, history) == words.Word(
        "longer than usual: half end within 30 min, 9 of 10 within 1 h", "notable"
    )
    forgotten = batch_in("packed", changed_s=600.0)
    assert words.expectation(forgotten, None).text == "to be sent for 10 min: does a worker run this stage?"
    paused = batch_in("packed", resumes_s=40.0)
    assert words.expectation(paused, None) == words.Word("sent again in 40 s", "notable")


@pytest.mark.parametrize(
    ("nano", "said"),
    [
        (0, "$0.00"),
        (1_234_567_890_000, "$1,234.57"),
        (5_400_000, "$0.0054"),
        (42_000, "$0.000042"),
        (-2 * 10**9, "-$2.00"),
    ],
)
def test_money_has_as_many_digits_as_it_needs(nano: int, said: str) -> None:
    assert words.dollars(nano) == said
