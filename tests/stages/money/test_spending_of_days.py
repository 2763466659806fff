"""What is kept by day is the spending to the nano-dollar, whatever happens to its rows."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, get_args

import psycopg
import pytest
from psycopg.rows import dict_row

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.database import Database
from overnight_models.ledger.money.costs import By, costs, fold_days
from overnight_models.ledger.operators import overview
from overnight_models.ledger.retention import money
from overnight_models.ledger.retention.keep import Keep
from tests.sums import OF_DAYS

DAYS: Final = 5
BEGIN: Final = datetime(2026, 10, 20, 7, 30, tzinfo=UTC)
NAMES: Final = """
    INSERT INTO lane (name) VALUES ('a'), ('b'); INSERT INTO tenant (name) VALUES ('acme');
    INSERT INTO run (name) VALUES ('r')
"""
SHOWN: Final = ("answers", "cost_nano", "realtime_nano", "paid_twice", "unpriced", "output_tokens", "thinking_nano")


def fold_all(connection: Connection) -> int:
    """What is folded in an hour."""
    return sum(fold_days(connection, minute) for minute in range(60))


@pytest.fixture
def rows(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """Names of two lanes, a tenant and a run."""
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        for statement in NAMES.split(";"):
            connection.execute(statement.encode())
        yield connection


def bill(connection: psycopg.Connection[Any], chance: random.Random, n: int) -> None:
    """So many rows, of any day, in one COPY as collect writes them."""
    columns = "submission_id, lane_id, tenant_id, run_id, model, paid_twice, at"
    with connection.cursor().copy(f"COPY spending ({columns}, {', '.join(COUNTED)}) FROM STDIN".encode()) as copy:
        for _ in range(n):
            at = BEGIN + timedelta(days=chance.uniform(0, DAYS))
            owner = (1, chance.randint(1, 2), chance.choice([None, 1]), chance.choice([None, 1]))
            copy.write_row((*owner, chance.choice("mn"), chance.randint(0, 1), at, *(chance.randint(1, 10**9),) * 6))


COUNTED: Final = ("answers", "unpriced", "cost_nano", "realtime_nano", "output_tokens", "thinking_nano")


def added_up(rows: psycopg.Connection[dict[str, Any]], by: By, since: datetime | None) -> dict[str, dict[str, int]]:
    """What `costs` should say, row by row."""
    sums: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SHOWN, 0))
    for row in rows.execute("SELECT * FROM spending").fetchall():
        if since is not None and row["at"] < since:
            continue
        names = {
            "lane": "ab"[row["lane_id"] - 1],
            "tenant": "acme" if row["tenant_id"] else "",
            "run": "r" if row["run_id"] else "",
            "model": row["model"],
            "day": str(row["at"].astimezone(UTC).date()),
        }
        for name in SHOWN:
            sums[names[by]][name] += row[name]
    return dict(sums)


def assert_costs_are_the_rows(database: Database, rows: psycopg.Connection[dict[str, Any]]) -> None:
    midnight = datetime(2026, 10, 22, tzinfo=UTC)
    for by in get_args(By):
        for since in (None, midnight, midnight + timedelta(hours=9, microseconds=1), BEGIN - timedelta(days=9)):
            with database.transaction() as connection:
                shown = costs(connection, by, since)
            said = {part.name: {name: getattr(part, name) for name in SHOWN} for part in shown}
            assert said == added_up(rows, by, since), (by, since)


@pytest.mark.parametrize("seed", range(3))
def test_costs_are_the_rows_of_the_spending_to_the_nano_dollar(
    database: Database, rows: psycopg.Connection[dict[str, Any]], seed: int
) -> None:
    chance = random.Random(seed)
    for _ in range(6):
        bill(rows, chance, chance.randint(1, 40))
        rows.execute("UPDATE spending SET cost_nano = cost_nano + 1, at = at - interval '7 h' WHERE id % 5 = 0")
        rows.execute("UPDATE spending SET cost_nano = cost_nano + 1 WHERE id % 7 = 0")
        rows.execute("DELETE FROM spending WHERE id %% 4 = %s", [chance.randint(0, 3)])
        assert rows.execute(OF_DAYS.encode()).fetchall() == []
        assert_costs_are_the_rows(database, rows)
        with database.transaction() as connection:
            fold_all(connection)
        assert rows.execute(OF_DAYS.encode()).fetchall() == []
    assert_costs_are_the_rows(database, rows)
    with database.transaction() as connection:
        spent = {lane.lane: lane.cost_nano for lane in overview.lanes(connection)}
    assert spent == {name: sums["cost_nano"] for name, sums in added_up(rows, "lane", None).items()}


def test_what_is_folded_is_one_row_a_day_and_stays_as_it_is(
    database: Database, rows: psycopg.Connection[dict[str, Any]]
) -> None:
    for seed in range(5):
        bill(rows, random.Random(seed), 30)
    kept = "SELECT count(*) AS n, count(DISTINCT (day, lane_id, tenant_id, model)) AS sums FROM daily_spending"
    before = rows.execute(kept).fetchone()
    assert before is not None
    assert before["n"] > before["sums"]
    with database.transaction() as connection:
        assert fold_all(connection) > 0
        assert fold_all(connection) == 0
    after = rows.execute(kept).fetchone()
    assert after == {"n": before["sums"], "sums": before["sums"]}
    rows.execute("DELETE FROM spending")
    with database.transaction() as connection:
        fold_all(connection)
    assert rows.execute(kept).fetchone() == {"n": 0, "sums": 0}


def test_each_minute_today_is_folded_and_each_day_before_within_an_hour(
    database: Database, rows: psycopg.Connection[dict[str, Any]]
) -> None:
    backs = (0, 1, 2, 59, 60, 61, 119, 120, 1000)
    for _ in range(2):
        for back in backs:
            rows.execute(
                "INSERT INTO spending (submission_id, lane_id, model, answers, paid_twice, cost_nano, realtime_nano,"
                " at) VALUES (1, 1, 'm', 1, 0, 1, 1, now() - %s * interval '1 day')",
                [back],
            )
    left = "SELECT (now() AT TIME ZONE 'UTC')::date - day AS back FROM daily_spending GROUP BY day HAVING count(*) > 1"
    by_minute = {}
    for minute in range(60):
        before = {row["back"] for row in rows.execute(left).fetchall()}
        with database.transaction() as connection:
            fold_days(connection, minute)
        by_minute[minute] = before - {row["back"] for row in rows.execute(left).fetchall()}
    folded = {minute: days for minute, days in by_minute.items() if days}
    assert folded == {0: {0, 1, 60, 120}, 1: {61}, 2: {2}, 40: {1000}, 59: {59, 119}}
    assert rows.execute(OF_DAYS.encode()).fetchall() == []


def test_collectors_and_two_folds_at_once_lose_nothing(
    database_url: str, rows: psycopg.Connection[dict[str, Any]]
) -> None:
    def collect(seed: int) -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            for part in range(40):
                bill(connection, random.Random(seed * 1000 + part), 3)

    def fold(_: int) -> None:
        own = Database(database_url)
        for _ in range(2):
            for minute in range(60):
                with own.transaction() as connection:
                    fold_days(connection, minute)
        own.close()

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda work: work[0](work[1]), [(collect, 1), (collect, 2), (collect, 3), (fold, 1), (fold, 2)]))
    assert rows.execute("SELECT count(*) AS n FROM spending").fetchone() == {"n": 360}
    assert rows.execute(OF_DAYS.encode()).fetchall() == []


def test_what_retention_deletes_of_the_spending_is_gone_from_its_day_and_nothing_else(
    database: Database, rows: psycopg.Connection[dict[str, Any]]
) -> None:
    bill(rows, random.Random(1), 200)
    with database.transaction() as connection:
        fold_all(connection)
    now = BEGIN + timedelta(days=12, hours=3)
    keep = Keep(bodies=None, outcomes=None, deliveries=None, keys=None, money=10 * 86400.0)
    while True:
        with database.transaction() as connection:
            if not money.forget_money(connection, {1: keep}, now=now, limit=30):
                break
    left = rows.execute("SELECT lane_id, min(at) AS first FROM spending GROUP BY lane_id ORDER BY 1").fetchall()
    assert left[0]["first"] >= now - timedelta(days=10) > left[1]["first"], "the other lane keeps its money"
    assert rows.execute(OF_DAYS.encode()).fetchall() == []
    assert_costs_are_the_rows(database, rows)
    assert rows.execute("SELECT min(day) AS day FROM daily_spending WHERE lane_id = 2").fetchone() == {
        "day": date(2026, 10, 20)
    }
