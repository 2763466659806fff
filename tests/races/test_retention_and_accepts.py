"""Races of retention with whoever accepts: what is confirmed is there, however old its partition is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from overnight_models.ledger import partitions
from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.retention import steps
from overnight_models.ledger.retention.keep import Keep
from overnight_workers import process
from overnight_workers.sandbox.process import Running
from tests.driving import Service, blocked, item
from tests.servers import copy_database
from tests.waiting import wait_until

DAY = 86_400.0


@pytest.fixture
def own(
    tmp_path: Path, postgres: str, redis_url: str, sandbox: Running, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """A service with a database that is thrown away: its partitions come and go."""
    service = Service(tmp_path, copy_database(postgres), redis_url, sandbox, monkeypatch)
    yield service
    service.close()


def retain(days: float) -> None:
    """What retention does in the next minutes when so many days have passed."""
    now = datetime.now(UTC) + timedelta(days=days)
    for _ in range(9):
        with process.database().transaction() as connection:
            if steps.step(connection, {1: Keep(*(30 * DAY for _ in range(4)))}, now=now) is None:
                return


def test_an_item_that_is_accepted_while_its_partition_becomes_full_is_there(own: Service) -> None:
    own.accept(item("old"))
    own.finish()
    with ThreadPoolExecutor(2) as pool, own.other_process().transaction() as holder:
        holder.exec_driver_sql("LOCK TABLE recall IN ACCESS EXCLUSIVE MODE")  # looked at when the rows are written
        accepting = pool.submit(own.accept_elsewhere, [item("new")])
        wait_until(lambda: blocked(own) == 1)
        own.ledger.execute("SELECT setval('item_id', %s)", PARTITION_ITEMS + 1)
        own.ledger.execute("UPDATE outcome SET finished_at = now() - interval '400 days'")
        with own.other_process().transaction() as noting:
            partitions.note_full(noting)
        retaining = pool.submit(retain, 0)
        wait_until(lambda: retaining.done() or blocked(own) == 2)
        holder.commit()
        assert accepting.result(60) == (1, 0)
        retaining.result(60)
    own.finish()
    assert own.ledger.item("new")["state"] == "succeeded"
    retain(1)
    assert own.ledger.fetch_all("SELECT FROM item WHERE id < %s", PARTITION_ITEMS) != []
    retain(31)
    assert own.ledger.fetch_all("SELECT FROM item WHERE id < %s", PARTITION_ITEMS) == []
