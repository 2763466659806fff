"""Postgres fails over to its standby, through a URL that names both: pool and presence lock move there together."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from overnight_models.errors import TransientError
from overnight_models.ledger.database import Database, DatabaseUnavailable
from overnight_models.ledger.operators.troubles import why_read_only
from overnight_models.ledger.presence import is_gone
from overnight_models.ledger.rows import execute, fetch_only_value
from overnight_models.ledger.schema import migrate
from tests.faults.postgres_servers import Pair, running_pair
from tests.waiting import wait_until

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with running_pair() as servers:
        yield servers


@pytest.fixture
def ledger(pair: Pair) -> Iterator[Database]:
    """A ledger that was written before its primary failed, at whichever of the hosts it is."""
    database = Database(pair.url)
    migrate(database)
    yield database
    database.close()


def number_of(database: Database, table: str) -> int:
    with database.transaction() as connection:
        return fetch_only_value(connection, int, f"SELECT count(*) AS n FROM {table}")


def works(database: Database, lane: str) -> bool:
    try:
        with database.transaction() as connection:
            return execute(connection, "INSERT INTO lane (name) VALUES (:lane)", lane=lane) == 1
    except TransientError:
        return False


def is_away(database: Database) -> bool:
    try:
        number_of(database, "lane")
    except TransientError:
        return True
    return False


def test_the_standby_is_never_taken_for_the_primary(pair: Pair, ledger: Database) -> None:
    turned = ",".join(reversed(pair.url.partition("@")[2].partition("/")[0].split(",")))
    before, _, rest = pair.url.partition("@")
    database = Database(f"{before}@{turned}/{rest.partition('/')[2]}")
    assert number_of(database, "deployment") == number_of(ledger, "deployment") == 1
    assert works(database, "turned")
    database.close()


def test_a_standby_says_that_it_takes_no_writes(pair: Pair, ledger: Database) -> None:
    standby = Database(pair.standby.server.url)
    with standby.snapshot() as connection:
        assert why_read_only(connection) == "it is a standby, and is not the primary"
    with ledger.snapshot() as connection:
        assert why_read_only(connection) is None
    standby.close()


@pytest.mark.parametrize("stays_up", [False, True], ids=["killed", "left up and read-only"])
def test_work_and_the_presence_lock_go_on_at_the_new_primary(pair: Pair, ledger: Database, stays_up: bool) -> None:
    number, lanes = ledger.owner(), number_of(ledger, "lane")
    if stays_up:
        pair.primary.become_read_only()
    else:
        killed, left = pair.primary.address, pair.standby.address
        pair.primary.kill()
        # connections may outlive their server by a moment
        wait_until(lambda: is_away(ledger))
        with pytest.raises(DatabaseUnavailable, match=f"{killed} says .*{left} says session is read-only$") as caught:
            Database(pair.url).owner()
        assert "failed" not in str(caught.value), "each host once, in its own words"
    pair.fail_over()
    wait_until(lambda: works(ledger, f"after {stays_up}"))
    assert number_of(ledger, "lane") == lanes + 1
    after = ledger.owner()
    assert after != number
    with ledger.transaction() as connection:
        gone = f"SELECT {is_gone('CAST(:number AS bigint)')}"
        assert not fetch_only_value(connection, bool, gone, number=after), "its lock is seen where rows are written"
    pair.mend()
