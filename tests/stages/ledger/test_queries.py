"""Nothing that is asked of the ledger looks through a big table: each finds its rows by an index."""

from __future__ import annotations

import re

from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import deliver
from overnight_models.ledger.money import costs
from overnight_models.ledger.operators import run_list
from overnight_models.ledger.partitions import PARTITIONED
from overnight_models.ledger.rows import execute, fetch_column
from tests.benchmarks.asking import questions
from tests.benchmarks.filling import Filled, fill
from tests.benchmarks.plans import watched

# the other partitions are empty
LOOKS_THROUGH = re.compile(rf"Seq Scan on (?:(?:{'|'.join(PARTITIONED)})_from_0|item_key)\b.*")


def test_no_query_looks_through_a_big_table(fresh_database: Database) -> None:
    fill(fresh_database, Filled(waiting=100_000, finished=40_000))
    scans = []
    for asked in questions(fresh_database):
        with watched(fresh_database) as plans:
            asked.ask()
        assert plans or asked.name.startswith(("overnight items", "answer outcome")), "as binary, which isn't seen"
        scans += [
            f"{asked.name}: {scan}\n{statement}" for statement, plan in plans for scan in LOOKS_THROUGH.findall(plan)
        ]
    assert scans == []


def test_a_claim_of_deliveries_locks_no_partition_that_its_items_are_not_in(fresh_database: Database) -> None:
    """Of the deliveries it locks all: they may be due anywhere."""
    fill(fresh_database, Filled(waiting=1_000, finished=40_000))
    with fresh_database.transaction() as connection:
        assert deliver.claim(connection, deliver.targets(connection)[0], limit=10, lease_s=60)
        mine = "SELECT relation::regclass::text FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"
        locked = fetch_column(connection, str, mine)
    assert "item_from_0" in locked
    assert [name for name in locked if re.match(r"(item|request|outcome)_from_[1-9]", name)] == []


def test_the_bills_of_runs_are_read_by_an_index_and_not_from_all_that_was_ever_billed(database: Database) -> None:
    with database.transaction() as connection:
        execute(connection, "INSERT INTO run (name) SELECT 'run ' || n FROM generate_series(1, 1000) n")
        execute(
            connection,
            """
            INSERT INTO spending (submission_id, lane_id, run_id, model, answers, paid_twice, cost_nano, realtime_nano)
            SELECT n, 1, n % 1000 + 1, 'claude-haiku-5-5', 1, 0, 1, 2 FROM generate_series(1, 20000) n
            """,
        )
        execute(connection, "ANALYZE spending")
        with watched(database) as plans:
            (bill,) = costs.costs(connection, "model", run_name="run 7")
            page, _older = run_list.page(connection)
    assert (bill.answers, page[0].cost_nano) == (20, 20)
    assert [plan for statement, plan in plans if "spending" in statement and "Seq Scan on spending" in plan] == []
