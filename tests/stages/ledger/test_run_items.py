"""The items of a run: where blocks of ids say that they are, once each and in order, whoever wrote them and when."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from statistics import median

import pytest
from sqlalchemy import Connection

from overnight_models.ledger import run_items
from overnight_models.ledger.catalogs import answers, reports
from overnight_models.ledger.database import Database
from overnight_models.ledger.money import runs as money_runs
from overnight_models.ledger.operators import item_list
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value
from overnight_models.ledger.run_items import BACKWARDS, BLOCK, ORDER, items_of
from tests.sums import assert_sums_are_right

RUNS = ("first", "second", "third")


@pytest.fixture
def runs(database: Database) -> Database:
    """A ledger with three runs and no items."""
    with database.transaction() as connection:
        execute(connection, "INSERT INTO lane (name) VALUES ('default')")
        execute(connection, "INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', 'v')")
        execute(connection, "INSERT INTO model (name) VALUES ('claude-haiku-5-5')")
        for name in RUNS:
            execute(connection, "INSERT INTO run (name) VALUES (:name)", name=name)
    return database


def write(connection: Connection, ids: Iterable[int], run: str | None) -> None:
    """Items that wait, with their requests."""
    values = {"ids": list(ids), "run": run}
    execute(
        connection,
        """
        INSERT INTO item (id, lane_id, headers_id, run_id, model_id, state, waiting_since, size, max_tokens)
        SELECT id, (SELECT min(id) FROM lane), (SELECT min(id) FROM headers), (SELECT id FROM run WHERE name = :run),
               (SELECT min(id) FROM model), 'waiting', now(), 10, 10
        FROM unnest(CAST(:ids AS bigint[])) AS id
        """,
        **values,
    )
    execute(
        connection,
        """
        INSERT INTO request (item_id, receipt, key, params)
        SELECT id, gen_random_uuid(), 'item ' || id, '{}' FROM unnest(CAST(:ids AS bigint[])) AS id
        """,
        ids=values["ids"],
    )


def of_run(connection: Connection, run: str, *, backwards: bool = False) -> list[int]:
    order = BACKWARDS if backwards else ORDER
    items = items_of(backwards=backwards)
    return fetch_column(connection, int, f"SELECT item.id FROM {items} ORDER BY {order}", run=run)


def paged(connection: Connection, run: str, limit: int) -> list[int]:
    """By a list that goes on where its last page ended."""
    ids: list[int] = []
    while page := answers.verdicts(connection, run, after=max(ids, default=0), limit=limit):
        ids += [row.id for row in page]
    return ids


def test_runs_whose_items_lie_among_each_other_have_each_their_own_in_order(runs: Database) -> None:
    own = {run: [1 + place, *range(BLOCK + place, 4 * BLOCK, 7)] for place, run in enumerate(RUNS)}
    with runs.transaction() as connection:
        for run, ids in own.items():
            write(connection, ids, run)
        write(connection, [5, 6], None)
        for run, ids in own.items():
            assert of_run(connection, run) == ids == paged(connection, run, 50)
            assert of_run(connection, run, backwards=True) == ids[::-1]
        assert of_run(connection, "no such run") == []


def test_pages_of_a_list_end_and_begin_within_a_block_and_at_its_edges(runs: Database) -> None:
    ids = [1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK - 1, 9 * BLOCK]
    with runs.transaction() as connection:
        write(connection, ids, "first")
        write(connection, range(3 * BLOCK, 4 * BLOCK), "second")
        for limit in (1, 2, 4):
            assert paged(connection, "first", limit) == ids
            shown: list[int] = []
            before = None
            while len(shown) < len(ids):
                page = item_list.page(connection, ItemFilter(run="first"), before=before, limit=limit, window=3)
                shown += [view.id for view in page.items]
                before = page.before
            assert shown == ids[::-1]


def test_two_that_write_items_of_one_run_into_one_block_at_once_do_not_wait_for_each_other(runs: Database) -> None:
    with runs.transaction() as ours, runs.transaction() as theirs:
        execute(theirs, "SET LOCAL lock_timeout = '200ms'")
        write(ours, [1, 3, BLOCK + 1], "first")
        write(theirs, [2, BLOCK, BLOCK + 2], "first")
    with runs.transaction() as connection:
        assert of_run(connection, "first") == [1, 2, 3, BLOCK, BLOCK + 1, BLOCK + 2]


def test_a_block_that_is_known_is_not_noted_again(runs: Database) -> None:
    for item_id in (1, 2, 3):
        with runs.transaction() as connection:
            write(connection, [item_id], "first")
    with runs.transaction() as connection:
        assert fetch_only_value(connection, int, "SELECT count(*) FROM run_block") == 1


def come_back(connection: Connection, ids: Iterable[int]) -> None:
    """Their outcomes, each with as many output tokens as its number says."""
    execute(
        connection,
        """
        INSERT INTO outcome (item_id, input_tokens, output_tokens, attempts, ok, retryable, billed, via)
        SELECT id, 1, id, 1, true, false, true, 'batch' FROM unnest(CAST(:ids AS bigint[])) AS id
        """,
        ids=list(ids),
    )


def searched(connection: Connection) -> int:
    """How often this transaction has searched an index of requests or outcomes."""
    return fetch_only_value(
        connection,
        int,
        """
        SELECT coalesce(sum(pg_stat_get_xact_numscans(indexrelid)), 0)::bigint
        FROM pg_index JOIN pg_inherits ON inhrelid = indrelid
        WHERE inhparent IN ('request'::regclass, 'outcome'::regclass)
        """,
    )


def test_a_report_has_the_rows_of_its_run_alone_without_those_that_were_asked_again(runs: Database) -> None:
    own = [*range(1, 40, 2), *range(3 * BLOCK - 5, 3 * BLOCK + 5)]
    with runs.transaction() as connection:
        write(connection, own, "first")
        write(connection, range(2, 40, 2), "second")
        come_back(connection, [*own, *range(2, 40, 2)])
        execute(connection, "UPDATE item SET state = 'redone', waiting_since = NULL WHERE id = 3")
        kept = [item_id for item_id in own if item_id != 3]
        drawn = reports.draw(connection, "first", rows=1000)
        assert sorted(row.key for row in drawn) == sorted(f"item {item_id}" for item_id in kept)
        assert sum(moment.ok for moment in reports.progress(connection, "first", parts=60)) == len(kept)
        parts = reports.lengths(connection, "first", parts=24)
        assert (sum(part.rows for part in parts), parts[0].shortest, parts[-1].longest) == (len(kept), 1, max(own))
        assert reports.tokens(connection, "first").output_median == median(kept)


def test_a_report_of_items_that_statistics_do_not_know_reads_them_by_blocks(runs: Database) -> None:
    ids = range(BLOCK, 9 * BLOCK)
    with runs.transaction() as connection:
        write(connection, ids, "first")
        come_back(connection, ids)
    with runs.transaction() as connection:
        before = searched(connection)
        reports.draw(connection, "first", rows=10)
        reports.progress(connection, "first", parts=60)
        reports.lengths(connection, "first", parts=24)
        reports.tokens(connection, "first")
        money_runs.timeline(connection, "first")
        assert searched(connection) - before < len(ids) / 2


def test_an_item_outside_the_blocks_of_its_run_is_a_fault(runs: Database) -> None:
    with runs.transaction() as connection:
        write(connection, [1], "first")
        execute(connection, "DELETE FROM run_block")
        with pytest.raises(AssertionError, match="the blocks of runs"):
            assert_sums_are_right(
                lambda statement: [dict(row) for row in connection.exec_driver_sql(statement).mappings()]
            )


def test_whoever_asks_for_the_items_of_a_run_asks_its_blocks() -> None:
    sources = Path(run_items.__file__).parent.rglob("*.py")
    asking = [source.name for source in sources if "item.run_id = (SELECT" in source.read_text()]
    assert asking == [], "no index knows that: take `items_of`"
