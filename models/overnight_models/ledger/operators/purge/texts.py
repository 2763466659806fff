"""Texts of items go: of a request, of an answer, of what was said about either. Numbers, states and money stay.

**Invariant:** whatever keeps a text of an item is emptied here, and nowhere else. Retention's lock is held meanwhile:
it copies partitions, and a copy that was made before would bring back what is gone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from overnight_models.ledger import hand_overs
from overnight_models.ledger.bodies import answers, requests
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators import unused
from overnight_models.ledger.operators.unused import Look
from overnight_models.ledger.partitions import RETENTION
from overnight_models.ledger.redo import NO_BODY
from overnight_models.ledger.rows import execute, fetch_column
from overnight_models.states import BATCH

PURGED_KEY: Final = "purged:"
"""What stands in the place of a key, with the item's number behind it."""


def keep_retention_away(connection: Connection) -> None:
    """Wait for retention's step, and keep it from the next until the transaction ends; a purge and a rotation, too."""
    execute(connection, "SELECT pg_advisory_xact_lock(:lock)", lock=RETENTION)


def with_copies(connection: Connection, table: str) -> list[str]:
    """The table, and copies of its partitions that retention is making just now."""
    firsts = fetch_column(connection, int, "SELECT first_item FROM kept WHERE copied_to IS NOT NULL")
    return [table, *(f"{table}_copy_{first}" for first in firsts)]


def forget_requests(connection: Connection, ids: Sequence[int]) -> int:
    """What items asked, their keys, tenants, traces and callbacks. Returns how many requests were still kept."""
    kept = "SELECT item_id FROM request WHERE item_id = ANY(:ids) AND params IS DISTINCT FROM :no_body"
    forgotten = len(fetch_column(connection, int, kept, ids=list(ids), no_body=NO_BODY))
    requests.forget(connection, ids)
    for table in with_copies(connection, "request"):
        execute(
            connection,
            f"""
            UPDATE {table} SET params = :no_body, body_group = NULL, body_place = NULL, unbounded = NULL,
                               key = :purged || item_id, tenant = NULL, trace_id = NULL, traceparent = NULL,
                               tracestate = NULL, callback = NULL, callback_id = NULL
            WHERE item_id = ANY(:ids)
            """,
            ids=list(ids),
            no_body=NO_BODY,
            purged=PURGED_KEY,
        )
    return forgotten


def forget_answers(connection: Connection, ids: Sequence[int]) -> int:
    """What came back for items, and what was said of it. Returns how many answers were still kept."""
    kept = "SELECT item_id FROM outcome WHERE item_id = ANY(:ids) AND coalesce(message, body_group::text) IS NOT NULL"
    forgotten = len(fetch_column(connection, int, kept, ids=list(ids)))
    answers.forget(connection, ids)
    for table in with_copies(connection, "outcome"):
        forget = f"""
            UPDATE {table}
            SET message = NULL, detail = NULL, body_group = NULL, body_place = NULL, body_size = NULL
            WHERE item_id = ANY(:ids)
        """
        execute(connection, forget, ids=list(ids))
    return forgotten


def forget_deliveries(connection: Connection, ids: Sequence[int]) -> int:
    """Deliveries, with what brokers said of them: nothing of these items is delivered any more, nor again.

    The tally knows only rows that come and change: those that are not over are counted off it.
    """
    execute(
        connection,
        """
        INSERT INTO tally (noun, lane_id, state, n, bytes)
        SELECT 'delivery', lane_id, state, -count(*), 0 FROM delivery
        WHERE item_id = ANY(:ids) AND state <> 'delivered' GROUP BY lane_id, state
        """,
        ids=list(ids),
    )
    with_rows = fetch_column(
        connection, int, "DELETE FROM delivery WHERE item_id = ANY(:ids) RETURNING item_id", ids=list(ids)
    )
    gone = set(with_rows)
    for table in with_copies(connection, "outcome"):
        gone |= hand_overs.forget(connection, ids, table)
    return len(gone)


_BATCHES_OF_ITEMS: Final = """
    WITH RECURSIVE of_items AS (
        SELECT DISTINCT batch_id AS id FROM item WHERE item.id = ANY(:ids) AND batch_id IS NOT NULL
        UNION
        SELECT batch.parent_id FROM batch JOIN of_items ON of_items.id = batch.id WHERE parent_id IS NOT NULL
    )
"""
"""Also those that were divided into them."""
_OVER: Final = "state IN ({})".format(", ".join(f"'{state}'" for state in sorted(BATCH.final)))


def lock_batches(connection: Connection, ids: Sequence[int]) -> None:
    """Batches of these items that are over, before the items are locked: the order of everybody."""
    execute(
        connection,
        f"""
        {_BATCHES_OF_ITEMS} SELECT FROM batch WHERE id IN (SELECT id FROM of_items) AND {_OVER} ORDER BY id FOR UPDATE
        """,
        ids=list(ids),
    )


def forget_errors(connection: Connection, ids: Sequence[int]) -> None:
    """What the API said of calls and of batches with these items: it may quote them. Batches that are over only."""
    execute(connection, "UPDATE maybe_billed SET why = 'purged' WHERE item_id = ANY(:ids)", ids=list(ids))
    execute(
        connection,
        f"""
        {_BATCHES_OF_ITEMS}, said AS (
            UPDATE batch SET reason = NULL FROM of_items WHERE batch.id = of_items.id AND reason IS NOT NULL AND {_OVER}
        )
        UPDATE submission SET error = NULL FROM of_items
        WHERE submission.batch_id = of_items.id AND error IS NOT NULL AND submission.state IN ('void', 'done')
        """,
        ids=list(ids),
    )


def forget_keys(connection: Connection, hashes: Mapping[int, tuple[int, bytes]]) -> int:
    """Hashes of keys, too: from now on the same key is another item. hashes: by item, its lane and its key's hash."""
    return execute(
        connection,
        """
        DELETE FROM item_key USING unnest(CAST(:ids AS bigint[]), CAST(:lanes AS integer[]), CAST(:hashes AS bytea[]))
             AS gone (item_id, lane_id, key_hash)
        WHERE item_key.lane_id = gone.lane_id AND item_key.key_hash = gone.key_hash AND item_key.item_id = gone.item_id
        """,
        ids=list(hashes),
        lanes=[lane for lane, _ in hashes.values()],
        hashes=[key_hash for _, key_hash in hashes.values()],
    )


def mark(connection: Connection, ids: Sequence[int]) -> tuple[list[int], list[int]]:
    """From now on they are purged: what still comes of them is billed and dropped.

    Returns the prefixes that their requests went on from, and the chains that they were of: others may have them too.
    """
    shared = [
        fetch_column(
            connection,
            int,
            f"SELECT DISTINCT {column} FROM item WHERE id = ANY(:ids) AND {column} IS NOT NULL ORDER BY 1",
            ids=list(ids),
        )
        for column in ("prefix_id", "chain_id")
    ]
    execute(connection, "UPDATE item SET purged = true, prefix_id = NULL WHERE id = ANY(:ids)", ids=list(ids))
    return shared[0], shared[1]


def forget_shared(connection: Connection, look: Look) -> list[str]:
    """Prefixes that no item goes on from any more, and names of traces that only purged items had.

    look: one for those of purged items, that is over.

    Returns the hashes of prefixes that are gone, in hex: a copy of each may lie in Redis.
    """
    unused.lock_prefixes(connection, look.prefix_ids)
    gone = (
        fetch_column(
            connection,
            str,
            f"""
        WITH gone AS (DELETE FROM prefix WHERE {unused.LEFT} RETURNING id, hash)
        -- a lane that encrypts has its own row of what others may go on from, too
        SELECT encode(hash, 'hex') FROM gone
        WHERE NOT EXISTS (
            SELECT FROM prefix other WHERE other.hash = gone.hash AND other.id NOT IN (SELECT id FROM gone)
        )
        """,
            **unused.left_values(look),
        )
        if look.prefix_ids
        else []
    )
    if look.chain_ids:
        execute(
            connection,
            """
            UPDATE chain SET trace_id = :purged || id WHERE id = ANY(:ids) AND NOT EXISTS (
                SELECT FROM item WHERE item.chain_id = chain.id AND item.id > :last AND NOT item.purged
            )
            """,
            ids=list(look.chain_ids),
            last=look.last,
            purged=PURGED_KEY,
        )
    return gone
