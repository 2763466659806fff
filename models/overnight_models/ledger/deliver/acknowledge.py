"""Acknowledging: what callbacks said they have done is delivered, whatever was believed of it meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_column
from overnight_models.states import DELIVERY
from overnight_models.wire.acknowledgement import Acknowledgement


def acknowledge(connection: Connection, acknowledged: Sequence[Acknowledgement]) -> int:
    """Record what came back. Returns how many deliveries that ended; one that was ended before isn't counted.

    One from before a replay says nothing about what was sent after it. Late is as good as in time: also when it is due
    again, is being sent again, or was given up.
    """
    # locked in the order of ids, so that two who record the same take turns and don't deadlock
    answered = fetch_column(
        connection,
        int,
        f"""
        SELECT delivery.item_id
        FROM unnest(CAST(:ids AS bigint[]), CAST(:generations AS smallint[]), CAST(:receipts AS uuid[]))
             AS said (item_id, generation, receipt)
        JOIN request ON request.item_id = said.item_id AND request.receipt = said.receipt
        JOIN delivery ON delivery.item_id = said.item_id AND delivery.generation = said.generation
        WHERE delivery.{DELIVERY.acknowledge.where}
        ORDER BY delivery.item_id FOR UPDATE OF delivery
        """,
        ids=[acknowledgement.item_id for acknowledgement in acknowledged],
        generations=[acknowledgement.generation for acknowledgement in acknowledged],
        receipts=[acknowledgement.receipt for acknowledgement in acknowledged],
    )
    return execute(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY.acknowledge.set}, error = NULL
        WHERE item_id = ANY(:ids) AND {DELIVERY.acknowledge.where}
        """,
        ids=answered,
    )
