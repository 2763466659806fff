"""The tally says what count(*) would say, whatever happens to the rows."""

from __future__ import annotations

import random

import psycopg
import pytest

from overnight_models.ledger.database import Database
from overnight_models.ledger.rescue import fold_tally
from overnight_models.states import DELIVERY, ITEM, Life

COUNTED = """
    SELECT noun, lane_id, run_id, headers_id, state, sum(n)::int AS n, sum(bytes)::int AS bytes FROM tally
    GROUP BY noun, lane_id, run_id, headers_id, state HAVING sum(n) <> 0 OR sum(bytes) <> 0
"""
TRUE = """
    SELECT 'item', lane_id, run_id, headers_id, state, count(*)::int, sum(size)::int FROM item
    GROUP BY lane_id, run_id, headers_id, state
    UNION ALL
    SELECT 'delivery', lane_id, NULL, NULL, state, count(*)::int, 0 FROM every_delivery GROUP BY lane_id, state
"""


def agrees(connection: psycopg.Connection) -> bool:
    counted, true = (sorted(connection.execute(sums.encode()).fetchall(), key=repr) for sums in (COUNTED, TRUE))
    assert counted == true
    return bool(true)


def walk(connection: psycopg.Connection, life: Life, chance: random.Random) -> None:
    """Some of the rows make one of the moves, in one statement."""
    move = chance.choice(list(life))
    key = "id" if life is ITEM else "item_id"
    beside = ""
    if life is ITEM:
        beside = f", batch_id = CASE WHEN '{move.after}' IN ('batched', 'racing') THEN 1 END"
        beside += f", waiting_since = CASE WHEN '{move.after}' = 'waiting' THEN now() END"
        beside += f", held_by = CASE WHEN '{move.after}' = 'held' THEN 1 END"
    connection.execute(
        f"UPDATE {life.noun} SET {move.set}{beside} WHERE {move.where} AND {key} % 5 < {chance.randint(0, 5)}".encode()
    )


@pytest.mark.parametrize("seed", range(3))
def test_after_any_walk_the_tally_is_the_count(database_url: str, seed: int) -> None:
    chance = random.Random(seed)
    database = Database(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for step in range(40):
            first = step * 100
            with connection.cursor().copy(
                "COPY item (id, lane_id, headers_id, run_id, model_id, max_tokens, state, waiting_since, size)"
                " FROM STDIN"
            ) as copy:
                for n in range(chance.randint(0, 20)):
                    run_id = None if n % 4 else 1
                    copy.write_row((first + n, n % 3, n % 2, run_id, 1, 1, "waiting", "now()", n * 10))
            connection.execute(
                "INSERT INTO delivery (item_id, lane_id, target_id, state)"
                " SELECT id, lane_id, 1, 'due' FROM item WHERE id >= %s AND id %% 2 = 0",
                (first,),
            )
            for life in (ITEM, DELIVERY):
                walk(connection, life, chance)
            if step % 8 == 5:
                with database.transaction() as folding:
                    fold_tally(folding)
            assert agrees(connection) or step < 5
        with database.transaction() as folding:
            fold_tally(folding)
        assert agrees(connection)
        rows = connection.execute("SELECT count(*) FROM tally").fetchone()
    database.close()
    assert rows is not None
    assert rows[0] < 60, "folded, it has a row for each lane, run and state"


def test_a_fold_writes_the_sums_that_have_changed_and_no_others(database_url: str) -> None:
    database = Database(database_url)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO tally (noun, lane_id, run_id, state, n, bytes)"
            " SELECT 'item', 1, n, 'succeeded', 1, 10 FROM generate_series(1, 1000) n"
            " UNION ALL VALUES ('item', 1, 7, 'succeeded', 2, 20), ('item', 1, 8, 'succeeded', -1, -10),"
            " ('item', 1, 9, 'waiting', 0, 0), ('delivery', 1, NULL, 'due', 1, 0), ('delivery', 1, NULL, 'due', 1, 0)"
        )
        there = sums_with_places(connection)
        with database.transaction() as folding:
            fold_tally(folding)
        written = sums_with_places(connection) - there
    database.close()
    assert {row[1:] for row in written} == {(7, "succeeded", 3, 30), (None, "due", 2, 0)}
    assert len(there) == 1005


def sums_with_places(connection: psycopg.Connection) -> set[tuple[object, ...]]:
    """With where each row lies: a row that is written anew lies elsewhere."""
    return set(connection.execute("SELECT ctid::text, run_id, state, n::int, bytes::int FROM tally").fetchall())


def test_a_transaction_that_is_rolled_back_is_not_counted(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        with connection.transaction(force_rollback=True):
            connection.execute(
                "INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, waiting_since, size)"
                " VALUES (1, 1, 1, 1, 1, 'waiting', now(), 1)"
            )
            assert agrees(connection)
        assert not agrees(connection)
