"""What no item has any more is looked for step by step; what is taken up meanwhile stays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from overnight_models.ledger import prefixes
from overnight_models.ledger.database import Database
from overnight_models.ledger.operators import actions, unused
from overnight_models.ledger.operators.purge import texts
from overnight_models.ledger.operators.unused import ITEMS_AT_ONCE, Look
from overnight_models.ledger.rows import execute, fetch_column
from overnight_models.request.prefix import Prefix
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import acting, purging
from overnight_workers.stages.purging import prepare
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, item, put_prefix, read_command
from tests.waiting import wait_until

IN_FRONT = "IN FRONT OF THEM ALL"
ITEM = """
    INSERT INTO item (id, lane_id, headers_id, model_id, state, waiting_since, size, max_tokens, prefix_id, chain_id)
    VALUES (%s, 1, 1, 1, 'waiting', now(), 10, 10, %s, %s)
"""
WAITS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def rows(database_url: str) -> Iterator[psycopg.Connection]:
    """Four prefixes and two chains, and the newest item's number is that of three steps."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO prefix (hash, document) SELECT decode(md5(n::text), 'hex'), '{}' FROM generate_series(1, 4) n"
        )
        connection.execute("INSERT INTO lane (name) VALUES ('default')")
        connection.execute("INSERT INTO chain (lane_id, trace_id) VALUES (1, 'a'), (1, 'b')")
        connection.execute("SELECT setval('item_id', %s)", [3 * ITEMS_AT_ONCE])
        yield connection


def to_the_end(database: Database, look: Look) -> tuple[Look, int]:
    """It, and in how many steps."""
    steps = 0
    while not look.is_over:
        with database.transaction() as connection:
            look = unused.go_on(connection, look)
        steps += 1
    return look, steps


def forgotten(database: Database, look: Look) -> Sequence[int]:
    """The prefixes that are left in the ledger behind a look."""
    with database.transaction() as connection:
        texts.forget_shared(connection, look)
        return fetch_column(connection, int, "SELECT id FROM prefix ORDER BY id")


def test_all_items_are_looked_at_in_bounded_steps(database: Database, rows: psycopg.Connection) -> None:
    rows.execute(ITEM, [1, 1, None])
    rows.execute(ITEM, [ITEMS_AT_ONCE, 2, 1])
    rows.execute(ITEM, [3 * ITEMS_AT_ONCE, 3, None])
    with database.transaction() as connection:
        begun = unused.begin(connection, [1, 2, 3, 4], [1, 2])
    look, steps = to_the_end(database, begun)
    assert (look.prefix_ids, look.chain_ids, steps) == ((4,), (2,), 3)
    assert forgotten(database, look) == [1, 2, 3]
    traces = rows.execute("SELECT trace_id FROM chain ORDER BY id").fetchall()
    assert traces == [("a",), ("purged:2",)]


def test_it_ends_when_everything_was_met(database: Database, rows: psycopg.Connection) -> None:
    rows.execute(ITEM, [7, 1, 1])
    with database.transaction() as connection:
        begun = unused.begin(connection, [1], [1])
    look, steps = to_the_end(database, begun)
    assert (look.prefix_ids, look.chain_ids, steps) == ((), (), 1)


def test_what_a_newer_item_goes_on_from_stays(database: Database, rows: psycopg.Connection) -> None:
    with database.transaction() as connection:
        begun = unused.begin(connection, [1, 2], [1])
    rows.execute(ITEM, [3 * ITEMS_AT_ONCE + 1, 2, 1])
    look, _ = to_the_end(database, begun)
    assert look.prefix_ids == (1, 2)
    assert forgotten(database, look) == [2, 3, 4]
    assert rows.execute("SELECT trace_id FROM chain WHERE id = 1").fetchone() == ("a",)


def test_who_is_accepting_when_it_begins_is_waited_for(
    database: Database, database_url: str, rows: psycopg.Connection
) -> None:
    rows.execute("SELECT setval('item_id', 5)")
    accepting = Database(database_url)
    with ThreadPoolExecutor(1) as pool:
        with accepting.transaction() as connection:
            assert prefixes.use(connection, [1])
            (number,) = fetch_column(connection, int, "SELECT nextval('item_id')")
            looking = pool.submit(_look, database)
            wait_until(lambda: rows.execute(WAITS).fetchall() or looking.done())
            insert = ITEM.replace("%s", "{}").format(number, 1, "NULL")
            execute(connection, insert)
        look = looking.result(60)
    accepting.close()
    assert look.prefix_ids == ()


def _look(database: Database) -> Look:
    with database.transaction() as connection:
        begun = unused.begin(connection, [1])
    return to_the_end(database, begun)[0]


def test_a_prefix_that_an_old_item_is_given_meanwhile_stays(database: Database, rows: psycopg.Connection) -> None:
    """As a rotation does it: the item was looked at when it went on from another one."""
    rows.execute(ITEM, [1, 1, None])
    with database.transaction() as connection:
        begun = unused.begin(connection, [2, 3])
    look, _ = to_the_end(database, begun)
    with database.transaction() as connection:
        prefixes.keep_used(connection, 2)
        execute(connection, "UPDATE item SET prefix_id = 2 WHERE id = 1")
    assert look.prefix_ids == (2, 3)
    assert forgotten(database, look) == [1, 2, 4]
    with pytest.raises(prefixes.PrefixForgotten), database.transaction() as connection:
        prefixes.keep_used(connection, 3)


def purge_acme() -> int:
    """A purge of all of the tenant's items has begun. Returns its action."""
    wanted = purging.of(purging.chosen({"tenant": "acme"}), cancel=True, keys=False, shared_batches=False)
    preview = purging.preview_purge(wanted)
    with process.database().transaction() as connection:
        by = actions.By("ann", "command", None)
        number, _ = actions.begin(connection, "purge", preview.wish, by, items=preview.items)
    prepare(number)
    return number


def step_twice(number: int) -> None:
    """Its only group is purged, and what that had in common with others is about to be looked for."""
    for _ in range(2):
        with process.database().transaction() as connection:
            step = actions.step(connection, number)
        assert step is not None
        assert not step.is_over


def test_who_comes_while_a_purge_looks_keeps_what_his_request_begins_with(service: Service) -> None:
    name = put_prefix(service, Prefix.of({"system": f"{IN_FRONT} " * 200}))
    service.accept(item("theirs", tenant="acme", prefix=name))
    service.finish()
    number = purge_acme()
    step_twice(number)
    service.accept(item("ours", tenant="other", prefix=name))
    assert acting.finish(number).done == 1
    service.finish()
    assert service.ledger.item("ours")["state"] == "succeeded"
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM prefix")["n"] == 1


def test_a_purge_looks_through_all_items_a_step_at_a_time_and_then_is_over(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unused, "ITEMS_AT_ONCE", 1)
    name = put_prefix(service, Prefix.of({"system": f"{IN_FRONT} " * 200}))
    service.accept(item("theirs", tenant="acme", prefix=name), *(item(key) for key in "abc"))
    number = purge_acme()
    steps = 0
    while steps < 10:
        with process.database().transaction() as connection:
            step = actions.step(connection, number)
        assert step is not None
        steps += 1
        if step.is_over:
            break
    assert steps == 2 + 4, "its group, where the look begins, and four items"
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM prefix")["n"] == 0


def test_killed_while_it_looks_the_sweep_ends_it_and_the_prefix_is_gone(service: Service) -> None:
    name = put_prefix(service, Prefix.of({"system": f"{IN_FRONT} " * 200}))
    service.accept(item("theirs", tenant="acme", prefix=name))
    service.finish()
    number = purge_acme()
    step_twice(number)
    service.ledger.execute("UPDATE action SET stepped_at = now() - interval '1 minute'")
    sweep()
    row = json.loads(read_command(app, "actions", "--json").splitlines()[0])
    assert row["ended_at"] is not None
    assert row["removed"]["prefixes"] == 1
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM prefix")["n"] == 0
