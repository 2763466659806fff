"""Invalidating: answers that fit their schema, and that the class which their catalog declares doesn't take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from overnight_models.ledger.bodies.answers import own_detail
from overnight_models.ledger.bodies.encryption import writing_keys
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column
from overnight_models.states import ITEM
from overnight_models.wire.outcome import Problem


class _Faulty(NamedTuple):
    """An item whose answer isn't valid, and why."""

    item_id: int
    detail: str


def invalidate(connection: Connection, faults: Mapping[int, str]) -> int:
    """Items whose answers aren't valid after all: they have failed, as if collect had said so. Returns how many.

    faults: by item, what is wrong with its answer. An item that got another's outcome takes that other with it: the
    answer is the same, and only that other can be asked again.

    What was billed, delivered and published of them stays. Those that have no answer of use are passed over. In a lane
    that encrypts, what is said is encrypted too: it may quote the answer.
    """
    faulty = fetch_all(
        connection,
        _Faulty,
        """
        SELECT own.item_id, own.detail
        FROM unnest(CAST(:ids AS bigint[]), CAST(:details AS text[])) AS own (item_id, detail)
        UNION ALL
        SELECT follower.of_item_id, own.detail
        FROM unnest(CAST(:ids AS bigint[]), CAST(:details AS text[])) AS own (item_id, detail)
        JOIN follower ON follower.item_id = own.item_id
        ORDER BY item_id
        """,
        ids=list(faults),
        details=list(faults.values()),
    )
    details = dict(faulty)
    moved = fetch_column(
        connection,
        int,
        f"UPDATE item SET {ITEM.invalidate.set} WHERE id = ANY(:ids) AND {ITEM.invalidate.where} RETURNING id",
        ids=list(details),
    )
    keys = writing_keys(connection, moved)
    execute(
        connection,
        """
        UPDATE outcome SET ok = false, problem = :problem, retryable = true, detail = fault.detail
        FROM unnest(CAST(:ids AS bigint[]), CAST(:details AS text[])) AS fault (item_id, detail)
        WHERE outcome.item_id = fault.item_id
        """,
        problem=Problem.INVALID_OUTPUT.value,
        ids=moved,
        details=[own_detail(keys, item_id, details[item_id]) for item_id in moved],
    )
    return len(moved)
