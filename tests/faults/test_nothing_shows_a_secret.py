"""Secrets are planted in every place that has some; no command, log, page, event, file or error shows one."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx2
import orjson
import psycopg
import pytest
import redis
from celery import Celery
from psycopg import sql

from overnight_models import routes
from overnight_models.wire.message import CallbackLine
from overnight_models.wire.redis_place import read_redis_url
from overnight_producers import Overnight, webhook
from overnight_workers.sandbox.process import running
from tests import finding
from tests.faults.bad_input import misdirected, write_files
from tests.faults.redis_servers import Server
from tests.faults.telling import events, pages, printed
from tests.faults.tried_commands import commands
from tests.forking import Program
from tests.planted import MARK, Named, assert_shows_none, found_in, free_text, in_base64, in_url, params, secret
from tests.ports import free_port
from tests.servers import copy_database
from tests.waiting import wait_until

pytestmark = [pytest.mark.whole, pytest.mark.timeout(900)]

TOML = """
[workspaces.default]
api_key_env = "PLANTED_KEY"
base_url = "{api}"
[lanes.default]
max_wait = "0s"
max_deliveries = 2
encrypt = "main"
[encryption.main]
keys = "env:PLANTED_ENCRYPTION_KEYS"
[webhooks.shop]
url = "https://127.0.0.1:1/hook"
secrets = ["env:PLANTED_WEBHOOK_SECRET"]
[alarms]
command = ["sh", "-c", "cat >> {home}/alarms.log"]
[links]
url = "https://links.example"
secrets = "env:PLANTED_LINK_SECRET"
[relays.shop]
database_url = "postgresql://{user}:{inbox}@127.0.0.1:1/shop"
[relays.other]
database_url = "env:PLANTED_RELAY_URL"
[timing]
poll_every = "300ms"
sweep_every = "300ms"
[brokers.crm]
url = "redis://{user}:{broker}@127.0.0.1:{port}/3"
[brokers.watched]
url = "sentinel://{user}:{sentinel}@127.0.0.1:{watcher};sentinel://{user}:{sentinel}@127.0.0.1:{watcher}/4"
master_name = "mine"
[brokers.rabbit]
url = "amqp://{user}:{rabbit}@127.0.0.1:1//"
[brokers.odd]
url = "sqs://{user}:{nosuch}@"
"""
USER = "operator"
PREFIXES = routes.PREFIX_KEY.format("")
KEYS = {
    "PLANTED_ENCRYPTION_KEYS": in_base64("encryption"),
    "PLANTED_WEBHOOK_SECRET": f"whsec_{in_base64('webhook')}",
    "PLANTED_LINK_SECRET": f"whsec_{in_base64('link')}",
    "PLANTED_RELAY_URL": f"postgresql://me:{in_url('relay')}@127.0.0.1:1/other",
    "PLANTED_KEY": f"sk-sandbox-default-{MARK}-key",
    "ANTHROPIC_API_KEY": f"sk-sandbox-default-{MARK}-key",
}


@dataclass
class Planted:
    """A whole installation with secrets everywhere, that has worked and failed."""

    home: Path
    environment: dict[str, str]
    redis_url: str
    flower_url: str
    api_url: str
    processes: list[Program] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    left_in_redis: set[str] = field(default_factory=set)
    """Keys that hold a secret when all is delivered and the product has taken it; prefixes stay for a week."""


@pytest.fixture(scope="module")
def database_url_planted(postgres: str) -> tuple[str, str]:
    """Two roles with planted passwords on one database; its URL as each."""
    url = copy_database(postgres)
    places = []
    with psycopg.connect(url, autocommit=True) as connection:
        for of in ("database", "presence"):
            role = sql.Identifier(f"{of}_planted")
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(role))
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(role, sql.Literal(secret(of)))
            )
            place = urlsplit(url)
            places.append(f"postgresql://{of}_planted:{in_url(of)}@{place.hostname}:{place.port}{place.path}")
    return places[0], places[1]


@pytest.fixture(scope="module")
def redis_planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """A Redis whose users have planted passwords, and a Sentinel that watches it."""
    place = tmp_path_factory.mktemp("redis")
    server = Server(place / "server").start().wait()
    with server.client() as client:
        client.acl_setuser(
            USER,
            enabled=True,
            passwords=[f"+{secret(of)}" for of in ("redis", "broker", "sentinel")],
            commands=["+@all"],
            keys=["*"],
            channels=["*"],
        )
    watched = {"sentinel monitor mine": f"127.0.0.1 {server.port} 1"}
    watcher = Server(place / "watcher", watched, sentinel=True).start().wait()
    yield server, watcher
    watcher.stop()
    server.stop()


def variables(home: Path, database_urls: tuple[str, str], redis_url: str) -> dict[str, str]:
    """The environment of its processes."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OVERNIGHT_", "ANTHROPIC_"))}
    return clean | {
        "OVERNIGHT_DATABASE_URL": database_urls[0],
        "OVERNIGHT_PRESENCE_URL": database_urls[1],
        "OVERNIGHT_REDIS_URL": redis_url,
        "OVERNIGHT_CONFIG": str(home / "overnight.toml"),
        "OVERNIGHT_DATA_DIR": str(home / "data"),
        "OVERNIGHT_LOG_LEVEL": "DEBUG",
        "TMPDIR": str(home / "temporary"),
        "FLOWER_UNAUTHENTICATED_API": "true",
        **KEYS,
    }


@pytest.fixture(scope="module")
def planted(
    tmp_path_factory: pytest.TempPathFactory,
    database_url_planted: tuple[str, str],
    redis_planted: tuple[Server, Server],
) -> Iterator[Planted]:
    """It has worked, and each of its stages has failed over something with a secret in it."""
    home = tmp_path_factory.mktemp("planted")
    (home / "temporary").mkdir()
    server, watcher = redis_planted
    with running(home / "sandbox", "--turnaround", "500ms") as api:
        (home / "overnight.toml").write_text(
            TOML.format(
                **{of: in_url(of) for of in ("broker", "sentinel", "rabbit", "nosuch", "inbox")},
                user=USER,
                port=server.port,
                watcher=watcher.port,
                api=api.url,
                home=home,
            )
        )
        redis_url = f"redis://{USER}:{in_url('redis')}@127.0.0.1:{server.port}/1"
        environment = variables(home, database_url_planted, redis_url)
        flower = free_port()
        system = Planted(home, environment, redis_url, f"http://127.0.0.1:{flower}", api.url)
        everything = ",".join(routes.QUEUES)
        celery = {
            "worker": ["worker", "-Q", everything, "-c", "2", "-E", "-l", "DEBUG"],
            "beat": ["beat", "-s", str(home / "schedule"), "-l", "DEBUG"],
            "flower": ["flower", "--address=127.0.0.1", f"--port={flower}"],
        }
        try:
            for name, words in celery.items():
                argv = ["celery", "-A", "overnight_workers.app", *words]
                log = home / f"{name}.log"
                system.processes.append(Program(argv, log, environment=environment, directory=home))
            use_it(system, database_url_planted[0])
            yield system
        finally:
            for process in system.processes:
                process.terminate()
            for process in system.processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(60)
                process.kill()


def use_it(planted: Planted, database_url: str) -> None:
    """Everything once, well and badly."""
    with Celery(set_as_current=False) as watcher:
        watcher.conf.update(read_redis_url(planted.redis_url).celery())
        with events(watcher) as seen:
            wait_until(lambda: answers(planted), 300)
            work_well(planted, database_url)
            planted.left_in_redis = left_in_redis(planted)
            fail(planted, database_url)
        planted.events = list(seen)


def answers(planted: Planted) -> bool:
    for process in planted.processes:
        assert process.poll() is None, [path.read_text()[-2000:] for path in planted.home.glob("*.log")]
    try:
        return httpx2.get(f"{planted.flower_url}/healthcheck", timeout=60).status_code == 200
    except httpx2.HTTPError:
        return False


def work_well(planted: Planted, database_url: str) -> None:
    overnight = Overnight(planted.redis_url)
    for number, broker in enumerate(("", "crm", "watched", "rabbit", "odd")):
        callback = {
            "task": "shop.save",
            "queue": f"shop-{broker or 'own'}",
            "args": [secret("callback")],
            "kwargs": {"sku": secret("callback")},
            **({"broker": broker} if broker else {}),
        }
        receipt = overnight.enqueue(
            params(free_text("prompt")),
            key=f"item-{number}",
            callback=cast("CallbackLine", callback),
            output=Named if number == 1 else None,
        )
        overnight.confirm(receipt, timeout=180)
    overnight.confirm(overnight.enqueue(params(free_text("prompt")), key="hook", callback=webhook("shop")), timeout=180)
    with psycopg.connect(database_url, autocommit=True) as connection:
        wait_until(
            lambda: len(connection.execute("SELECT FROM every_delivery WHERE state = 'delivered'").fetchall()) >= 3,
            180,
            what=lambda: connection.execute("SELECT state, error FROM every_delivery").fetchall(),
        )
        say_something_in_common(planted, overnight, connection)
    overnight.close()


def say_something_in_common(planted: Planted, overnight: Overnight, connection: psycopg.Connection[Any]) -> None:
    """Requests that begin alike, and a batch of one that the API turns down in words of the request."""
    contract = free_text("prompt") * 100
    for number in range(3):
        asked = params(free_text("prompt"), system=contract)
        overnight.confirm(overnight.enqueue(asked, key=f"contract-{number}"), timeout=180)
    assert connection.execute("SELECT FROM prefix").fetchall(), "requests that begin alike have a prefix"
    rule = {"at": "create", "do": "status", "status": 400, "message": free_text("prompt"), "count": 1}
    httpx2.post(f"{planted.api_url}/sandbox/faults", json=[rule]).raise_for_status()
    overnight.confirm(overnight.enqueue(params(free_text("prompt")), key="turned down"), timeout=180)
    failed = "SELECT FROM batch WHERE state = 'failed'"
    wait_until(lambda: connection.execute(failed).fetchall(), 180)


def left_in_redis(planted: Planted) -> set[str]:
    """Where in Overnight's own Redis a secret is left, once the product has taken what is its own."""
    with redis.Redis.from_url(planted.redis_url) as client:
        assert "shop-own" in finding.in_redis(planted.redis_url, MARK), "it is looked for in the right way"
        client.delete("shop-own")

    def left() -> set[str]:
        return {key for key in finding.in_redis(planted.redis_url, MARK) if not key.startswith(PREFIXES)}

    with contextlib.suppress(AssertionError):  # what is on its way, or expires, has some time
        wait_until(lambda: not left(), 90)
    return left()


def fail(planted: Planted, database_url: str) -> None:
    """Messages that nobody can read, and a database that refuses what it is given."""
    body = orjson.dumps([[free_text("prompt")], {"items": free_text("prompt")}, {}]).decode()
    with redis.Redis.from_url(planted.redis_url) as client:
        for message in misdirected(body):
            client.lpush(routes.ACCEPT, message)
    with Celery(set_as_current=False) as other:
        # another language's client, or a script: it doesn't say what to show
        other.conf.update(read_redis_url(planted.redis_url).celery())
        line = orjson.dumps({"id": str(uuid4()), "key": "by-celery", "params": params(free_text("prompt"))}).decode()
        wish = {"v": 1, "message_id": str(uuid4()), "lane": "default", "items": line}
        other.send_task(routes.ACCEPT, kwargs=wish, queue=routes.ACCEPT)
        other.send_task(routes.ACCEPT, args=[secret("prompt")], kwargs={"more": secret("prompt")}, queue=routes.ACCEPT)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE outcome ADD CONSTRAINT none_more CHECK (item_id < 0) NOT VALID")
        overnight = Overnight(planted.redis_url)
        overnight.confirm(overnight.enqueue(params(free_text("prompt")), key="not recorded"), timeout=180)
        wait_until(lambda: "none_more" in (planted.home / "worker.log").read_text(), 180)
        connection.execute("ALTER TABLE request ADD CONSTRAINT none_more CHECK (item_id < 0) NOT VALID")
        overnight.enqueue(params(free_text("prompt")), key="not accepted")
        before = (planted.home / "worker.log").read_text().count("none_more")
        wait_until(lambda: (planted.home / "worker.log").read_text().count("none_more") > before + 1, 180)
        connection.execute("ALTER TABLE request DROP CONSTRAINT none_more")  # a redo writes there, too
        overnight.close()


def test_the_logs_of_every_process(planted: Planted) -> None:
    logs = {path.name: path.read_text() for path in planted.home.rglob("*.log")}
    assert {"worker.log", "beat.log", "flower.log", "sandbox.log", "alarms.log"} <= set(logs)
    assert_shows_none(logs)


def test_redis_after_delivery(planted: Planted) -> None:
    assert planted.left_in_redis == set()


def test_tables_of_a_lane_that_encrypts(planted: Planted) -> None:
    """What was turned down unread is none of a lane's."""
    columns = finding.in_tables(planted.environment["OVERNIGHT_DATABASE_URL"], MARK)
    assert columns - {"inbox.verdict"} == set()


def test_temporary_files_and_the_data_directory(planted: Planted) -> None:
    for directory in ("temporary", "data"):
        assert finding.in_files(planted.home / directory, MARK) == set()


def test_celerys_events(planted: Planted) -> None:
    kinds = {event["type"] for event in planted.events}
    assert {"task-received", "task-failed", "task-succeeded"} <= kinds
    shown = {f"{event['type']} {event.get('name')}": json.dumps(event, default=str) for event in planted.events}
    assert_shows_none(shown)


def test_flowers_pages_and_metrics(planted: Planted) -> None:
    tasks = httpx2.get(f"{planted.flower_url}/api/tasks", timeout=60).json()
    failed = [task for task, about in tasks.items() if about["state"] == "FAILURE"]
    workers = {event["hostname"] for event in planted.events if event["type"].startswith("worker-")}
    assert failed
    assert workers
    begin = [
        *("/now", "/items", "/problems", "/deliveries", "/money", "/runs", "/lanes", "/actions"),
        *("/batches", "/tasks", "/workers", "/broker", "/metrics", "/api/batches", "/api/tasks", "/api/queues/length"),
        *(f"/worker/{quote(name)}" for name in workers),
        *(f"/task/{task}" for task in [*failed, *tasks][:20]),
    ]
    assert_shows_none(pages(planted.flower_url, begin))


def test_what_a_worker_says_of_itself(planted: Planted) -> None:
    with Celery(set_as_current=False) as app:
        app.conf.update(read_redis_url(planted.redis_url).celery())
        names = [f"celery@{socket.gethostname()}"]
        asked = app.control.inspect(names, timeout=30, limit=1)
        shown = {
            question: json.dumps(getattr(asked, question)(), default=str)
            for question in ("active", "reserved", "conf", "stats", "report", "query_task", "registered")
        }
    assert_shows_none(shown)


def test_what_the_sandbox_was_sent_is_its_owners_alone(planted: Planted) -> None:
    held = [path for path in (planted.home / "sandbox").rglob("*") if path.is_file()]
    assert any(path.parent.name == "bodies" and found_in(path.read_bytes()) for path in held)
    assert [path for path in held if path.suffix != ".log" and stat.S_IMODE(path.stat().st_mode) & 0o077] == []


AWAY: dict[str, dict[str, str]] = {
    "all well": {},
    "no database": {"OVERNIGHT_DATABASE_URL": f"postgresql://me:{in_url('database')}@127.0.0.1:1/x"},
    "no Redis": {"OVERNIGHT_REDIS_URL": f"redis://me:{in_url('redis')}@127.0.0.1:1/0"},
}


@pytest.mark.parametrize("changed", AWAY.values(), ids=AWAY)
def test_every_command(planted: Planted, tmp_path: Path, changed: dict[str, str]) -> None:
    write_files(tmp_path)
    wanted = commands() if not changed else [words for words in commands() if "--help" not in words]
    shown = printed(wanted, planted.environment | changed, tmp_path)
    assert not [words for words, text in shown.items() if "TRACEBACK" in text], shown
    assert_shows_none(shown)
