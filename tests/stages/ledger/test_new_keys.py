"""New keys cost what they are, however many keys their lane has, and however little statistics know of it."""

from __future__ import annotations

from hashlib import blake2b
from uuid import uuid4

from overnight_models.ledger.database import Database
from overnight_models.ledger.known import _point_to
from overnight_models.ledger.new_item import NewItem
from overnight_models.ledger.new_keys import insert_keys
from overnight_models.ledger.rows import execute, fetch_only_value

MANY = 3_000


def new_item(n: int) -> NewItem:
    digest = blake2b(b"%d" % n, digest_size=16).digest()
    return NewItem(
        position=n,
        receipt=str(uuid4()),
        key=str(n),
        key_hash=digest,
        content_hash=digest,
        headers_id=1,
        tenant_id=None,
        model_id=1,
        schema_id=None,
        shape_id=None,
        target_id=None,
        prefix=None,
        params=b"{}",
        size=2,
        max_tokens=1,
        tenant=None,
        trace_id=None,
        callback=None,
    )


def test_in_a_lane_that_statistics_do_not_know_a_message_reads_no_key_but_its_own(database: Database) -> None:
    keys = "INSERT INTO item_key SELECT :lane, uuid_send(gen_random_uuid()), n, ''::bytea FROM generate_series(1, :n) n"
    numbered = [(new_item(n), n) for n in range(500)]
    with database.transaction() as connection:
        execute(connection, keys, lane=1, n=10 * MANY)
        execute(connection, "ANALYZE item_key")
        execute(connection, keys, lane=2, n=MANY)
        read = "SELECT pg_stat_get_xact_tuples_returned('item_key_pkey'::regclass)"
        before = fetch_only_value(connection, int, read)
        assert len(insert_keys(connection, 2, numbered)) == len(numbered)
        _point_to(connection, 2, [item for item, _ in numbered])
        assert fetch_only_value(connection, int, read) - before <= 2 * len(numbered)
