"""Flowers in processes of their own, each started in another way, and what a person reads on their pages."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2 as httpx
import psycopg

from tests.forking import Program
from tests.ports import free_port
from tests.waiting import wait_until

if TYPE_CHECKING:  # at work it needs the settings of a service, which whoever only looks at pages doesn't have
    from tests.driving import Service

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
    process: Program | subprocess.Popen[bytes]
    log: Path
    prefix: str = ""
    """Of its pages' paths."""

    def get(self, path: str, *, auth: tuple[str, str] | None = USER) -> httpx.Response:
        return httpx.get(self.url + path, auth=auth, timeout=60)

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


@contextmanager
def running_flowers(servers: Servers, where: Path) -> Iterator[Flowers]:
    """All four, with a ledger that has something of everything."""
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
        cut_off=start(
            where, OURS, [auth], {**known, "OVERNIGHT_DATABASE_URL": f"postgresql://x@127.0.0.1:{free_port()}/x"}
        ),
        other=start(where, "shop", [auth], known),
    )
    running = [started.seeded, started.empty, started.cut_off, started.other]
    try:
        for flower in running:
            wait_until(lambda flower=flower: answers(flower), 120)  # type: ignore[misc]
        with psycopg.connect(servers.database_url, autocommit=True) as connection:
            connection.execute(SEEDED.encode())  # now that they answer: ages are looked at
        wait_until(lambda: 'data-row="lretired"' in started.seeded.page("/now"))  # it looks every few seconds
        yield started
    finally:
        for flower in running:
            flower.process.send_signal(signal.SIGTERM)
        for flower in running:
            assert flower.process.wait(60) == 0, flower.log.read_text()[-2000:]


def start(where: Path, app: str, options: list[str], environment: Mapping[str, str]) -> Running:
    port = free_port()
    log = where / f"{port}.log"
    prefix = next((f"/{option.partition('=')[2]}" for option in options if option.startswith("--url-prefix=")), "")
    command = ["celery", "-A", app, "flower", "--address=127.0.0.1", f"--port={port}", *options]
    variables = {**os.environ, **environment, "OVERNIGHT_CONFIG": ""}
    return Running(f"http://127.0.0.1:{port}", _started(command, log, variables, where), log, prefix)


def _started(
    command: list[str], log: Path, variables: dict[str, str], where: Path
) -> Program | subprocess.Popen[bytes]:
    if OURS in command:
        return Program(command, log, environment=variables, directory=where)
    with log.open("wb") as out:  # another app comes first, and ours after it
        return subprocess.Popen([sys.executable, "-m", *command], cwd=where, stdout=out, stderr=out, env=variables)


def answers(flower: Running) -> bool:
    assert flower.process.poll() is None, flower.log.read_text()
    try:
        return flower.get(f"{flower.prefix}/healthcheck").status_code == 200
    except httpx.TransportError:
        return False


def text_of(page: str) -> str:
    """What a person reads: no tags, no scripts, single spaces."""
    body = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).replace("\N{EN DASH}", "-").split())


def row(page: str, name: str) -> str:
    match = re.search(rf'<tr data-row="{name}"[^>]*>.*?</tr>', page, flags=re.DOTALL)
    assert match, f"no row {name}"
    return text_of(match[0])


@contextmanager
def flower_of(service: Service, where: Path, url: str) -> Iterator[Running]:
    servers = {"OVERNIGHT_REDIS_URL": service.redis_url, "OVERNIGHT_DATABASE_URL": url}
    roles = {"OVERNIGHT_ROLES": json.dumps({"operator": [USER[0]]}), "OVERNIGHT_LANES": json.dumps({"odd": {}})}
    flower = start(where, OURS, [f"--basic-auth={':'.join(USER)}"], {**servers, **roles})
    try:
        wait_until(lambda: answers(flower), 120)
        yield flower
    finally:
        flower.process.send_signal(signal.SIGTERM)
        assert flower.process.wait(60) == 0, flower.log.read_text()[-2000:]
