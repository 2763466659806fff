"""A pooler that stays connected and passes nothing on: no timeout of the network or of Postgres ends the wait."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from overnight_models.ledger import connecting
from overnight_models.ledger.database import Database, DatabaseUnavailable
from overnight_models.ledger.rows import fetch_only_value
from tests.faults.link import Link


@pytest.fixture
def link(database_url: str) -> Iterator[Link]:
    link = Link(database_url)
    yield link
    link.close()


def one(database: Database) -> int:
    with database.transaction() as connection:
        return fetch_only_value(connection, int, "SELECT 1")


def test_a_statement_is_waited_for_a_little_longer_than_postgres_works_at_it_and_the_next_goes_well(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connecting, "_GRACE_S", 0.3)
    database = Database(link.url, statement_timeout_s=0.2)
    assert one(database) == 1
    with link.swallowing():
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="no answer for 0 s, although the connection is open"):
            one(database)
        assert time.monotonic() - began < 60
    assert one(database) == 1
    database.close()


def test_a_sign_of_life_that_is_swallowed_is_an_error_too(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_GRACE_S", 0.3)
    database = Database(link.url, statement_timeout_s=0.2)
    number = database.owner()
    with link.swallowing(), pytest.raises(DatabaseUnavailable):
        database.owner()
    assert database.owner() > 0
    assert number > 0
    database.close()


@pytest.mark.parametrize(
    ("options", "within_s"),
    [
        ("-c statement_timeout=120000", 150.0),
        ("-c statement_timeout=120000 -c statement_timeout=2min", 150.0),
        ("-c statement_timeout=5s", 35.0),
        ("-c statement_timeout=0", None),
        ("-c lock_timeout=5s", 150.0),
        ("nothing that we can read", 150.0),
    ],
)
def test_how_long_is_waited_goes_by_the_statement_timeout(options: str, within_s: float | None) -> None:
    assert connecting._answer_within_s(options) == within_s
