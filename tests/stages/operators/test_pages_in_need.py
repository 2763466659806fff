"""The pages while something is away or of another version: each says what that means, and what to do."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.ports import free_port
from tests.servers import copy_database
from tests.stages.operators.flowers import OURS, Running, answers, start, text_of
from tests.stages.operators.planted_rows import PLANTED
from tests.waiting import wait_until

AUTH = ["--basic-auth=operator:secret"]
ROLES = '{"operator": ["operator"]}'


@dataclass(frozen=True)
class InNeed:
    without_redis: Running
    read_only: Running
    database_url: str


@pytest.fixture(scope="module")
def in_need(postgres: str, redis_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InNeed]:
    url, where = copy_database(postgres), tmp_path_factory.mktemp("in-need")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(PLANTED.encode())
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    known = {"OVERNIGHT_DATABASE_URL": url, "OVERNIGHT_ROLES": ROLES}
    flowers = _started(where, known | {"OVERNIGHT_REDIS_URL": nowhere}, known | {"OVERNIGHT_REDIS_URL": redis_server})
    try:
        for flower in flowers:
            wait_until(lambda flower=flower: answers(flower), 120)  # type: ignore[misc]
        yield InNeed(flowers[0], flowers[1], url)
    finally:
        for flower in flowers:
            flower.process.send_signal(signal.SIGTERM)
        for flower in flowers:
            assert flower.process.wait(60) == 0, flower.log.read_text()[-2000:]


def _started(where: Path, without_redis: dict[str, str], read_only: dict[str, str]) -> list[Running]:
    return [start(where, OURS, AUTH, without_redis), start(where, OURS, [*AUTH, "--read-only"], read_only)]


def test_without_redis_the_ledger_is_shown_and_the_alarm_says_what_to_do(in_need: InNeed) -> None:
    page = text_of(in_need.without_redis.page("/now"))
    assert "Overnight's own Redis:" in page
    assert "start Redis, or correct OVERNIGHT_REDIS_URL" in page
    assert "lane default, a day" in page
    lanes = text_of(in_need.without_redis.page("/lanes"))
    assert "Overnight's own Redis can't be read" in lanes
    assert "What is paused is in Postgres, and shown." in lanes
    assert "sku-1" in in_need.without_redis.page("/items")


def test_a_flower_that_only_reads_lets_nobody_act_and_says_so(in_need: InNeed) -> None:
    answer = in_need.read_only.get("/act?name=pause&lane=default")
    assert answer.status_code == 403
    assert "Flower was started with --read-only: use the command line" in text_of(answer.text)
    assert 'href="/act?' not in in_need.read_only.page("/lanes")


def test_a_schema_of_another_version_is_named_and_mended_by_a_command(in_need: InNeed) -> None:
    with psycopg.connect(in_need.database_url, autocommit=True) as connection:
        connection.execute("ALTER TABLE request RENAME COLUMN model_why TO was_named_so")
        connection.execute("ALTER TABLE lane RENAME COLUMN drained_by TO was_drained_by")
        connection.execute("ALTER TABLE budget RENAME COLUMN strict TO was_strict")
    for path in ("/items", "/items/1", "/lanes", "/money"):
        answer = in_need.read_only.get(path)
        assert answer.status_code == 503
        assert "The ledger's schema is not this version's" in text_of(answer.text)
        assert "Run overnight migrate" in text_of(answer.text)
        assert "was_" not in answer.text
    wait_until(lambda: "overnight migrate" in text_of(in_need.read_only.page("/now")))
