"""Deliveries that are due of items in several partitions are claimed at once, each with its own outcome."""

from __future__ import annotations

import psycopg

from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import deliver
from overnight_models.ledger.partitions import PARTITION_ITEMS, make_partitions, parted
from overnight_models.ledger.rows import execute

_ROWS = """
    INSERT INTO lane (name) VALUES ('default');
    INSERT INTO target (broker, queue) VALUES ('', 'shop');
    CREATE TEMP TABLE numbers AS
        SELECT part * {size} + n AS id FROM generate_series(0, 2) part, generate_series(1, 5) n
        WHERE part <> 1 OR n = 1;
    INSERT INTO item (id, lane_id, headers_id, model_id, target_id, state, size, max_tokens)
        SELECT id, 1, 1, 1, 1, 'succeeded', 1, 1 FROM numbers;
    INSERT INTO request (item_id, receipt, key, params, callback)
        SELECT id, gen_random_uuid(), 'key ' || id, '{{}}', '{{"task": "t"}}' FROM numbers;
    INSERT INTO outcome (item_id, ok, retryable, attempts, via, message)
        SELECT id, true, false, 1, 'batch', '{{"of": ' || id || '}}' FROM numbers;
    INSERT INTO delivery (item_id, lane_id, target_id, state, due_at)
        SELECT id, 1, 1, 'due', now() - interval '1 hour' + id % 7 * interval '1 s' FROM numbers
"""


def test_items_are_parted_where_partitions_end() -> None:
    last = PARTITION_ITEMS - 1
    assert parted([]) == []
    assert parted([last, 7, last + 1, 3 * PARTITION_ITEMS, 0]) == [[last, 7, 0], [last + 1], [3 * PARTITION_ITEMS]]


def test_what_is_due_of_three_partitions_is_claimed_at_once(database_url: str) -> None:
    database = Database(database_url)
    with database.transaction() as connection:
        execute(connection, "SELECT setval('item_id', :n)", n=2 * PARTITION_ITEMS + 9)
        make_partitions(connection)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_ROWS.format(size=PARTITION_ITEMS).encode())
    with database.transaction() as claiming:
        (target,) = deliver.targets(claiming)
        due = deliver.claim(claiming, target, limit=100, lease_s=60)
    database.close()
    ids = {part * PARTITION_ITEMS + n for part in range(3) for n in range(1, 6) if part != 1 or n == 1}
    assert {delivery.item_id for delivery in due} == ids
    assert len(due) == len(ids)
    assert {(delivery.item_id, delivery.outcome.message) for delivery in due} == {
        (number, f'{{"of": {number}}}') for number in ids
    }
    assert {delivery.tries for delivery in due} == {1}
