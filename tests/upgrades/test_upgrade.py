"""A ledger of an earlier version is migrated: nothing is lost, the stages go on, and older workers may still run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from psycopg.rows import dict_row
from typer.testing import CliRunner

from overnight_models import tables
from overnight_models.ledger.database import Database
from overnight_models.ledger.partitions import PARTITIONED, take_turns
from overnight_models.ledger.retention import bodies
from overnight_models.ledger.schema import compared, migrate, revisions
from overnight_models.states import LIVES
from overnight_workers.cli import app
from overnight_workers.sandbox.process import Running
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.rescue import sweep
from tests.driving import Service
from tests.sums import OF_DAYS, assert_sums_are_right
from tests.upgrades.earlier import HERE, OF_0_1_0, WORKSPACE_OF_0_1_0, database_at, explainable, fill_as_0_1_0
from tests.waiting import wait_until

VERSIONS = Path(tables.__file__).parents[1] / "migrations" / "versions"
EARLIER = sorted(HERE.glob("statements_at_*.sql"))
_COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable = 'YES' OR column_default IS NOT NULL
           OR is_identity = 'YES' AS may_be_left_out
    FROM information_schema.columns WHERE table_schema = current_schema() AND table_name !~ '_from_|version'
"""

_WAITS_LONG = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'
    AND clock_timestamp() - query_start > interval '300 ms'
"""


@pytest.fixture
def of_0_1_0(postgres: str) -> Iterator[str]:
    """The URL of a ledger of version 0.1.0 with rows in every state."""
    with database_at(postgres, OF_0_1_0) as url:
        fill_as_0_1_0(url)
        yield url


def rows(url: str, statement: str) -> list[dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode()).fetchall()


def bring_up_to_date(url: str) -> None:
    database = Database(url)
    migrate(database)
    with database.transaction() as connection:
        current, newest = revisions(connection)
    database.close()
    assert current == newest


def columns(url: str) -> dict[tuple[str, str], tuple[str, bool]]:
    """By table and column: its type, and whether a writer who doesn't know it may leave it out."""
    return {(r["table_name"], r["column_name"]): (r["data_type"], r["may_be_left_out"]) for r in rows(url, _COLUMNS)}


def contents(url: str, known: dict[tuple[str, str], Any]) -> dict[str, Counter[str]]:
    """The rows of each table, with the known columns only."""
    rows_of_tables = {}
    for table in {table for table, _ in known}:
        names = ", ".join(f'"{column}"' for of, column in sorted(known) if of == table)
        listed = rows(url, f"SELECT to_jsonb(known)::text AS one FROM (SELECT {names} FROM {table}) AS known")
        rows_of_tables[table] = Counter(row["one"] for row in listed)
    return rows_of_tables


def test_the_kept_ledger_has_something_in_every_state_that_its_version_had(of_0_1_0: str) -> None:
    missing = {"item": {"direct", "racing", "following", "redone"}, "batch": {"rejected", "canceled", "gone"}}
    for life in LIVES[:3]:
        states = {row["state"] for row in rows(of_0_1_0, f"SELECT DISTINCT state FROM {life.noun}")}
        assert set(life.states) - states == missing.get(life.noun, set())


def test_every_row_is_there_after_the_migration_and_the_sums_are_right(of_0_1_0: str) -> None:
    known = columns(of_0_1_0)
    before = contents(of_0_1_0, known)
    assert sum(before["item"].values()) == 23
    bring_up_to_date(of_0_1_0)
    after = contents(of_0_1_0, known)
    lost = {table: before[table] - after[table] for table in before}
    assert {table: gone for table, gone in lost.items() if gone} == {}
    more = {table for table in before if after[table] - before[table]}
    assert more == {"tally"}, "outcomes are counted by problem now"
    assert_sums_are_right(lambda statement: rows(of_0_1_0, statement))
    assert rows(of_0_1_0, "SELECT conname FROM pg_constraint WHERE NOT convalidated") == []
    assert rows(of_0_1_0, "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid") == []


def test_the_schema_is_the_one_of_a_new_installation(of_0_1_0: str) -> None:
    bring_up_to_date(of_0_1_0)
    database = Database(of_0_1_0)
    with database.transaction() as connection:
        context = MigrationContext.configure(connection, opts={"include_object": compared, "compare_type": True})
        assert compare_metadata(context, tables.Table.metadata) == []
    database.close()


def test_what_older_workers_can_not_read_is_not_written_before_the_second_migration(of_0_1_0: str) -> None:
    begun = []
    for _ in range(2):
        bring_up_to_date(of_0_1_0)
        begun += rows(
            of_0_1_0,
            "SELECT bodies_in_groups, short_rows, deliveries_without_rows, columns_by_width, short_outcomes"
            " FROM deployment",
        )
    assert [set(row.values()) for row in begun] == [{False}, {True}]


def test_outcomes_may_be_short_in_each_partition_also_in_those_that_were_made_alone(postgres: str) -> None:
    """What was there, and is written in full by workers of the version before, reads as ever."""
    written = """
        INSERT INTO outcome (item_id, thinking_tokens, attempts, ok, retryable, via, model)
        SELECT first + {number}, {tokens}, 1, true, false, {via}, {model}
        FROM unnest(ARRAY[0, 5000000]) AS first
    """
    with database_at(postgres, "0040") as url, psycopg.connect(url, autocommit=True) as session:
        session.execute("CREATE TABLE outcome_from_5000000 (LIKE outcome INCLUDING ALL)")
        session.execute(
            "ALTER TABLE outcome ATTACH PARTITION outcome_from_5000000 FOR VALUES FROM (5000000) TO (10000000)"
        )
        session.execute("INSERT INTO model (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'claude')")
        full = {"tokens": 3, "via": "'direct'", "model": "'claude'"}
        session.execute(written.format(number=1, **full).encode())
        bring_up_to_date(url)
        session.execute(written.format(number=2, **full).encode())
        short = written.format(number=3, tokens="NULL", via="NULL", model="7").replace("via, model)", "via, model_id)")
        session.execute(short.encode())
        read = "SELECT item_id % 5000000 AS number, via, model, thinking_tokens FROM whole_outcome ORDER BY item_id"
        in_full = [{"number": number, "via": "direct", "model": "claude", "thinking_tokens": 3} for number in (1, 2)]
        shortened = {"number": 3, "via": "batch", "model": "claude", "thinking_tokens": 0}
        assert rows(url, read) == [*in_full, shortened] * 2


def test_items_of_runs_are_in_their_blocks_also_those_that_a_worker_of_the_version_before_writes(postgres: str) -> None:
    written = """
        INSERT INTO item (id, lane_id, headers_id, run_id, model_id, state, waiting_since, size, max_tokens)
        SELECT id, 1, 1, 7, 1, 'waiting', now(), 10, 10 FROM generate_series({}, {}) AS id
    """
    with database_at(postgres, "0031") as url, psycopg.connect(url, autocommit=True) as older:
        older.execute(written.format(1, 600).encode())
        bring_up_to_date(url)
        older.execute(written.format(601, 800).encode())
        assert_sums_are_right(lambda statement: rows(url, statement))
        assert [row["block"] for row in rows(url, "SELECT block FROM run_block ORDER BY block")] == [0, 1, 2, 3]


def test_unfinished_items_are_added_up_also_those_of_a_worker_of_the_version_before(postgres: str) -> None:
    written = """
        INSERT INTO item (id, lane_id, headers_id, model_id, state, waiting_since, direct_at, size, max_tokens)
        SELECT id, id % 2 + 1, 1, 1, 'waiting', now(), CASE WHEN id % 3 = 0 THEN now() END, id * 1000, 10
        FROM generate_series({}, {}) AS id
    """
    packed = "UPDATE item SET state = 'batched', batch_id = id % 3, waiting_since = NULL WHERE id % {} = 0"
    ended = "UPDATE item SET state = 'succeeded', direct_at = NULL WHERE state = 'batched' AND id % 7 = 0"
    with database_at(postgres, "0040") as url, psycopg.connect(url, autocommit=True) as older:
        for statement in (written.format(1, 300), packed.format(5), ended):
            older.execute(statement.encode())
        bring_up_to_date(url)
        for statement in (written.format(301, 400), packed.format(4), ended):
            older.execute(statement.encode())
        assert_sums_are_right(lambda statement: rows(url, statement))
        (row,) = rows(url, "SELECT sum(n)::int AS n FROM unfinished_sum")
        ((there,),) = older.execute("SELECT count(*) FROM item WHERE state <> 'succeeded'").fetchall()
        assert row["n"] == there < 400


def test_what_was_spent_by_day_is_the_spending_also_of_a_worker_of_the_version_before(postgres: str) -> None:
    written = """
        INSERT INTO spending (submission_id, lane_id, tenant_id, model, answers, paid_twice, cost_nano, realtime_nano,
                              at)
        SELECT n, n % 2 + 1, nullif(n % 3, 0), 'm', 5, n % 2, 7 * n, 14 * n,
               timestamptz '2026-10-30' + n * interval '5 h'
        FROM generate_series({}, {}) AS n
    """
    with database_at(postgres, "0039") as url, psycopg.connect(url, autocommit=True) as older:
        older.execute(written.format(1, 60).encode())
        bring_up_to_date(url)
        assert rows(url, OF_DAYS) == []
        older.execute(written.format(61, 90).encode())
        assert rows(url, OF_DAYS) == []
        (row,) = rows(url, "SELECT sum(cost_nano)::bigint AS nano, sum(answers)::bigint AS n FROM daily_spending")
        assert row == {"nano": 7 * 90 * 91 // 2, "n": 450}


def test_copies_that_retention_was_making_are_begun_anew_with_the_new_columns(postgres: str) -> None:
    with database_at(postgres, "0030") as url:
        database = Database(url)
        with database.transaction() as connection:
            connection.exec_driver_sql("INSERT INTO kept (first_item, looked_at) VALUES (0, now())")
            bodies.begin(connection, 0, datetime.now(UTC))
        bring_up_to_date(url)
        with database.transaction() as connection:
            assert bodies.copying(connection) is None
            bodies.begin(connection, 0, datetime.now(UTC))
            while (view := bodies.copying(connection)) is not None:
                bodies.go_on(connection, view, datetime.now(UTC))
        database.close()


def test_a_migration_may_take_longer_than_a_statement_of_a_stage(fresh_database: Database) -> None:
    url = fresh_database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    impatient = Database(url, statement_timeout_s=0.1)
    with ThreadPoolExecutor(1) as pool:
        with fresh_database.transaction() as connection:
            take_turns(connection)  # somebody else migrates
            waiting = pool.submit(migrate, impatient)
            wait_until(lambda: rows(url, _WAITS_LONG) or waiting.done())
        waiting.result(60)
    impatient.close()


def create_again_what_was_at_the_api(service: Service) -> int:
    """The sandbox of today has the batches that the kept ledger had there. Returns how many requests."""
    sent = service.ledger.fetch_all("SELECT * FROM submission WHERE state IN ('open', 'unclear') ORDER BY id")
    for submission in sent:
        requests = service.ledger.fetch_all(
            "SELECT item_id, params FROM request JOIN item ON id = item_id WHERE batch_id = %s", submission["batch_id"]
        )
        entries = [
            {"custom_id": f"{submission['token']}_{request['item_id']}", "params": orjson.loads(request["params"])}
            for request in requests
        ]
        created = service.api.http.post("/v1/messages/batches", json={"requests": entries}).json()
        if submission["state"] == "open":
            service.ledger.execute("UPDATE submission SET api_id = %s WHERE id = %s", created["id"], submission["id"])
    return len(sent)


def test_the_stages_go_on_and_nothing_is_sent_twice(
    of_0_1_0: str, redis_url: str, sandbox: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_up_to_date(of_0_1_0)
    service = Service(tmp_path, of_0_1_0, redis_url, sandbox, monkeypatch, name=WORKSPACE_OF_0_1_0)
    try:
        service.configure(lanes={"capped": {"max_wait": "0s"}})
        paid_before = service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano FROM bill")["nano"]
        there = create_again_what_was_at_the_api(service)
        unfinished = service.ledger.fetch_all(
            "SELECT id FROM item WHERE state IN ('waiting', 'held', 'batched') ORDER BY id"
        )
        assert (there, len(unfinished)) == (5, 12)
        service.ledger.execute("UPDATE budget SET cap_nano = 1000000000")
        service.clock.leases_lapse()
        sweep()
        service.clock.quiet_is_over()
        service.finish()
        deliver()
        assert service.api.meter()["requests"] == len(unfinished), "what was at the API isn't sent again"
        ended = service.ledger.fetch_all("SELECT state FROM item WHERE id = ANY(%s)", [row["id"] for row in unfinished])
        assert {row["state"] for row in ended} == {"succeeded"}
        billed = service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano FROM bill")["nano"]
        assert billed - paid_before == service.api.meter()["nano"]
        assert_sums_are_right(service.ledger.fetch_all)
        said = CliRunner().invoke(app, ["doctor"]).output
        assert f"revision {max(path.name for path in VERSIONS.glob('0*.py'))[:4]}" in said
    finally:
        service.close()


@pytest.mark.parametrize("kept", EARLIER, ids=lambda kept: kept.stem)
def test_what_running_workers_of_an_earlier_version_ask_is_answered_by_the_new_schema(
    kept: Path, database_url: str
) -> None:
    refused = []
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in kept.read_text().splitlines():
            try:
                connection.execute(str(explainable(statement)).encode())
            except psycopg.errors.Error as error:
                refused.append(f"{error.diag.message_primary}: {statement[:90]}")
    expected = (
        'relation "alembic_version" does not exist: ',  # asked of a ledger of 0.1.0 only
        'column "batch_id" is of type bigint but expression is of type text: ',  # a parameter whose type isn't said
    )
    assert [reason for reason in refused if not reason.startswith(expected)] == []
    assert len(refused) <= 2


@pytest.mark.parametrize("revision", [OF_0_1_0, *(kept.stem[-4:] for kept in EARLIER)])
def test_what_they_write_has_all_that_the_new_schema_demands(revision: str, postgres: str, database_url: str) -> None:
    with database_at(postgres, revision) as url:
        before = columns(url)
    now = columns(database_url)
    assert {column: kind for column, (kind, _) in before.items()} == {c: now[c][0] for c in before if c in now}
    known = {table for table, _ in before}
    assert [c for c, (_, left_out) in now.items() if c not in before and c[0] in known and not left_out] == []
    assert set(PARTITIONED) <= known
