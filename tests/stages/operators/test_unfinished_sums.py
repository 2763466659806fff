"""What many items may cost, from sums: the same as pricing each of them, whatever has happened to the items."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg.rows import dict_row

from overnight_models.ledger.database import Database
from overnight_models.ledger.operators import canceling, unfinished
from overnight_models.ledger.operators.canceling import Prospect
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.money.prices import Prices, load
from overnight_models.request.worst_case import ADDED_TOKENS, worst_rates
from overnight_models.states import ITEM
from tests.sums import UNFINISHED

HAIKU: Final = "claude-haiku-5-5"
"""It is dearer above 100,000 tokens."""
MODELS: Final = {1: HAIKU, 2: "claude-opus-5-5", 3: "a-model-without-a-price"}
SIZES: Final = (1, 47_999, 48_000, 48_001, 97_999, 98_000, 98_001, 500_000)
"""Bytes, with those whose prompts are bounded by 50,000 and 100,000 tokens."""
NAMES: Final = """
    INSERT INTO lane (name) VALUES ('one'), ('two');
    INSERT INTO workspace (name, api_workspace_id) VALUES ('default', 'w1'), ('other', 'w2');
    INSERT INTO headers (workspace, betas, api_version) VALUES ('default', '', '1'), ('other', '', '1');
    INSERT INTO batch (lane_id, headers_id, state, items, size)
    SELECT n % 2 + 1, n / 2 % 2 + 1, (ARRAY['packed', 'open', 'rejected'])[n % 3 + 1], 1, 1
    FROM generate_series(1, 12) n
"""
OWN_BATCH: Final = """
    (SELECT id FROM batch WHERE batch.lane_id = item.lane_id AND batch.headers_id = item.headers_id
     ORDER BY id OFFSET item.id % 3 LIMIT 1)
"""
"""A batch of an item's lane and headers: packed, open or rejected."""
FILTERS: Final = (
    *(ItemFilter(lane=lane, state=state) for lane in ("one", "two") for state in ("waiting", "held", None)),
    ItemFilter(workspace="other", state="waiting"),
    ItemFilter(model=HAIKU, lane="one"),
    *(ItemFilter(batch_id=batch) for batch in (1, 3, 6)),
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    connected = Database(database_url)
    yield connected
    connected.close()


@pytest.fixture
def rows(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        connection.execute(NAMES.encode())
        for name in MODELS.values():
            connection.execute("INSERT INTO model (name) VALUES (%s)", [name])
        yield connection


def add(connection: psycopg.Connection[Any], chance: random.Random, first: int, number: int) -> None:
    with connection.cursor().copy(
        "COPY item (id, lane_id, headers_id, model_id, max_tokens, state, waiting_since, size, direct_at) FROM STDIN"
    ) as copy:
        for item in range(first, first + number):
            in_real_time = chance.choice((None, None, "now()"))
            state, since = chance.choice((("waiting", "now()"), ("following", None)))
            copy.write_row(
                (
                    *(item, chance.randint(1, 2), chance.randint(1, 2), chance.randint(1, 3), chance.randint(1, 9999)),
                    *(state, since, chance.choice(SIZES), in_real_time if since else None),
                )
            )


def change(connection: psycopg.Connection[Any], chance: random.Random) -> None:
    """Some of the items change in one of the ways in which they do, in one statement."""
    on_its_way = [move for move in ITEM if move.after not in ITEM.final]
    move = chance.choice([*on_its_way * 3, *ITEM])
    may_wait = "state IN ('waiting', 'held', 'batched')"
    changes = (
        (
            f"{move.set}, batch_id = CASE WHEN '{move.after}' IN ('batched', 'racing') THEN {OWN_BATCH} END,"
            f" waiting_since = CASE WHEN '{move.after}' = 'waiting' THEN now() END,"
            f" held_by = CASE WHEN '{move.after}' = 'held' THEN 1 END,"
            f" direct_at = CASE WHEN '{move.after}' IN ('waiting', 'held', 'batched') THEN direct_at END"
            f" WHERE {move.where}"
        ),
        f"direct_at = now() WHERE {may_wait}",
        f"direct_at = NULL WHERE {may_wait}",
        "cancel_wanted = true WHERE true",
        f"size = {chance.choice(SIZES)} WHERE state = 'waiting'",
        "model_id = model_id % 3 + 1 WHERE state = 'waiting'",
    )
    number = chance.choice((0, 0, 0, 0, 1, 2, 3, 4, 5))
    few = 19 if "cancel_wanted" in changes[number] else 3
    connection.execute(f"UPDATE item SET {changes[number]} AND id % {few} = {chance.randint(0, few - 1)}".encode())


def by_hand(items: list[dict[str, Any]], prices: Prices) -> Prospect:
    """What they come to, each priced in Python."""
    unsent = unsent_nano = sent = sent_nano = unpriced = 0
    for item in items:
        nano = 0
        in_real_time = item["state"] in {"direct", "racing"} or item["direct_at"] is not None
        model = prices.model(MODELS[item["model_id"]])
        if item["state"] != "following":
            bound = item["size"] + ADDED_TOKENS
            rates = [] if model is None else worst_rates(model, batch=not in_real_time)
            fitting = [rate for rate in rates if rate.above_tokens < bound <= rate.up_to_tokens]
            unpriced += not fitting
            nano = sum(bound * rate.input_nano + item["max_tokens"] * rate.output_nano for rate in fitting)
        if item["state"] in ITEM.cancel.before or (item["state"] == "batched" and item["batch"] == "packed"):
            unsent, unsent_nano = unsent + 1, unsent_nano + nano
        else:
            sent, sent_nano = sent + 1, sent_nano + nano
    return Prospect(unsent, unsent_nano, sent, sent_nano, unpriced)


def unfinished_items(rows: psycopg.Connection[dict[str, Any]]) -> list[dict[str, Any]]:
    return rows.execute(
        "SELECT item.*, lane.name AS lane, workspace, model.name AS model, batch.state AS batch FROM item"
        " JOIN lane ON lane.id = item.lane_id JOIN headers ON headers.id = item.headers_id"
        " JOIN model ON model.id = item.model_id LEFT JOIN batch ON batch.id = item.batch_id"
        " WHERE item.state NOT IN ('succeeded', 'failed', 'canceled', 'redone') AND NOT cancel_wanted"
    ).fetchall()


def assert_as_by_hand(database: Database, rows: psycopg.Connection[dict[str, Any]], prices: Prices) -> None:
    items = unfinished_items(rows)
    with database.transaction() as connection:
        for wanted in FILTERS:
            fits = [item for item in items if all(item[name] == value for name, value in wanted.narrowed.items())]
            assert canceling.prospect(connection, wanted, prices) == by_hand(fits, prices), wanted
        for name, value in (("lane", "one"), ("workspace", "other")):
            # a rejected batch is tried again when its lane goes on, and not when its workspace does
            going = {"packed", "rejected"} if name == "lane" else {"packed"}
            of = [item for item in items if item[name] == value]
            fits = [item for item in of if item["state"] == "waiting" or item["batch"] in going]
            assert canceling.unsent(connection, prices, **{name: value}) == by_hand(fits, prices), name


@pytest.mark.parametrize("seed", range(4))
def test_what_sums_come_to_is_what_each_item_comes_to(
    database: Database, rows: psycopg.Connection[dict[str, Any]], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    odd = tmp_path / "prices.toml"
    # its price ends in the middle of a step, so the sums can't tell it
    odd.write_text(
        f"[[models.{HAIKU}.tiers]]\nabove_prompt_tokens = 49_000\ninput = 9\nwrite_5m = 9\nwrite_1h = 9\n"
        "cache_read = 9\noutput = 9\n"
    )
    states: set[str] = set()
    for step in range(30):
        add(rows, chance, step * 100 + 1, chance.randint(1, 40))
        for _ in range(8):
            change(rows, chance)
        if step % 5 == 3:
            assert rows.execute(UNFINISHED.encode()).fetchall() == []
            assert_as_by_hand(database, rows, load(None))
            with database.transaction() as connection:
                unfinished.fold(connection)
            assert_as_by_hand(database, rows, load(None))
            assert_as_by_hand(database, rows, load(odd))
            states |= {item["state"] for item in unfinished_items(rows)}
    assert states == set(ITEM.unfinished), "each was there"


def test_those_who_change_items_and_two_folds_at_once_lose_nothing(
    database_url: str, rows: psycopg.Connection[dict[str, Any]]
) -> None:
    def work(seed: int) -> None:
        chance = random.Random(seed)
        with psycopg.connect(database_url, autocommit=True) as connection:
            for part in range(30):
                add(connection, chance, seed * 10_000 + part * 10, 5)
                connection.execute(
                    "UPDATE item SET state = 'batched', waiting_since = NULL, batch_id = 1"
                    " WHERE state = 'waiting' AND id / 10000 = %s AND id %% 2 = 0",
                    [seed],
                )

    def fold(_: int) -> None:
        own = Database(database_url)
        for _ in range(40):
            with own.transaction() as connection:
                unfinished.fold(connection)
        own.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda call: call[0](call[1]), [(work, 1), (work, 2), (fold, 0), (fold, 0)]))
    assert len(unfinished_items(rows)) == 300
    assert rows.execute(UNFINISHED.encode()).fetchall() == []


def test_folded_there_is_one_row_a_sum_and_none_of_what_is_over(
    database: Database, rows: psycopg.Connection[dict[str, Any]]
) -> None:
    number = "SELECT count(*) AS n FROM unfinished_sum"
    for first in range(1, 1000, 100):
        rows.execute(
            "INSERT INTO item (id, lane_id, headers_id, model_id, max_tokens, state, waiting_since, size)"
            " SELECT n, 1, 1, 1, 10, 'waiting', now(), 10 FROM generate_series(%s::int, %s::int + 9) n",
            [first, first],
        )
    assert rows.execute(number).fetchone() == {"n": 10}
    with database.transaction() as connection:
        assert unfinished.fold(connection) == 1
        assert unfinished.fold(connection) == 0
    assert rows.execute("SELECT n, bytes, max_tokens, up_to_tokens FROM unfinished_sum").fetchall() == [
        {"n": 100, "bytes": 1000, "max_tokens": 1000, "up_to_tokens": unfinished.STEP_TOKENS}
    ]
    rows.execute("UPDATE item SET attempts = attempts + 1")
    assert rows.execute(number).fetchone() == {"n": 1}, "what changes no sum writes none"
    rows.execute("UPDATE item SET state = 'canceled', waiting_since = NULL")
    with database.transaction() as connection:
        unfinished.fold(connection)
    assert rows.execute(number).fetchone() == {"n": 0}


def test_with_the_prices_that_ship_no_item_is_read(
    database: Database, rows: psycopg.Connection[dict[str, Any]]
) -> None:
    rows.execute(
        "INSERT INTO unfinished_sum (lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens, n,"
        " bytes, max_tokens) VALUES (1, 1, NULL, 1, 'waiting', false, 50000, 7, 70, 7), (1, 1, 3, 1, 'batched', false,"
        " 50000, 5, 50, 5)"
    )
    with database.transaction() as connection:
        assert canceling.prospect(connection, ItemFilter(lane="two"), load(None)).items == 0
        assert canceling.prospect(connection, ItemFilter(lane="one"), load(None)).items == 12
        assert canceling.unsent(connection, load(None), workspace="default").items == 7
        assert canceling.prospect(connection, ItemFilter(lane="one", tenant="acme"), load(None)).items == 0
