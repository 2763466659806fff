"""Nothing that is asked of the ledger looks through a big table: each finds its rows by an index."""

from __future__ import annotations

import re

from overnight_models.ledger.database import Database
from overnight_models.ledger.partitions import PARTITIONED
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
        assert plans or asked.name.startswith("overnight items"), "from a cursor, which isn't seen"
        scans += [
            f"{asked.name}: {scan}\n{statement}" for statement, plan in plans for scan in LOOKS_THROUGH.findall(plan)
        ]
    assert scans == []
