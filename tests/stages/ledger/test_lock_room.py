"""Whether Postgres has room for locks: the doctor says so before anybody is refused."""

from __future__ import annotations

import pytest

from overnight_models.ledger.database import Database
from overnight_models.ledger.lock_room import LockRoom, lock_room
from overnight_models.ledger.operators import item_list, overview
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.partitions import PARTITION_ITEMS, make_partitions
from overnight_models.ledger.probe import probe
from overnight_models.ledger.rows import execute, fetch_only_value
from overnight_workers import process
from overnight_workers.operators.findings import FAULT, NOTE, OK
from overnight_workers.operators.findings import lock_room as finding
from tests.driving import Service

MINE = "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'"


def taken_by_a_page(database: Database) -> int:
    """Of all tables with partitions but groups of bodies, and twenty others."""
    with database.transaction() as connection:
        item_list.page(connection, wanted=ItemFilter(problem="any", delivery="dead"))
        overview.lanes(connection)
        return fetch_only_value(connection, int, MINE)


def test_what_a_transaction_takes_is_within_what_is_said_with_few_partitions_and_with_many(
    fresh_database: Database,
) -> None:
    said = []
    for number in (0, 1, 8):
        with fresh_database.transaction() as connection:
            execute(connection, "SELECT setval('item_id', :n)", n=number * PARTITION_ITEMS + 1)
            make_partitions(connection)
        with fresh_database.transaction() as connection:
            room = lock_room(connection)
        assert room.of_one / 3 < taken_by_a_page(fresh_database) <= room.of_one
        said.append(room.of_one)
    assert said == sorted(said)
    assert said[2] > said[1]


def test_the_probe_says_the_same_as_whoever_looks_longer(service: Service) -> None:
    probed = probe(service.database_url)
    with process.database().transaction() as connection:
        room = lock_room(connection)
        shown = fetch_only_value(connection, str, "SHOW max_locks_per_transaction")
    assert probed is not None
    assert probed.locks._replace(sessions=0) == room._replace(sessions=0)
    assert (room.for_each, room.in_all % room.for_each) == (int(shown), 0)


@pytest.mark.parametrize(
    ("room", "state", "wanted"),
    [
        (LockRoom(for_each=64, in_all=6_400, of_one=180, sessions=12), OK, None),
        (LockRoom(for_each=64, in_all=6_400, of_one=180, sessions=60), NOTE, 1024),
        (LockRoom(for_each=64, in_all=6_400, of_one=11_300, sessions=60), FAULT, 8192),
        (LockRoom(for_each=1024, in_all=102_400, of_one=11_300, sessions=60), FAULT, 8192),
        (LockRoom(for_each=8192, in_all=819_200, of_one=11_300, sessions=60), OK, None),
    ],
)
def test_the_doctor_says_to_what_it_is_to_be_set(room: LockRoom, state: str, wanted: int | None) -> None:
    said = finding(room)
    assert said.state == state
    assert (f"max_locks_per_transaction = {wanted} " in said.do) == (wanted is not None)
    if wanted is not None:
        assert room._replace(for_each=wanted, in_all=room.in_all // room.for_each * wanted).at_once >= room.sessions
