"""Settling: what budgets had reserved becomes what was spent, or is free again. Appended, without a lock.

A batch's money is booked in the budgets and periods in which it was packed, whenever its answers come. An item's
reservation ends when it leaves its batch; what may have been billed without an answer counts as spent.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_value
from overnight_models.states import BATCH

_IN_BUDGETS: Final = """
    in_budgets AS (
        SELECT budget.id AS own_id, part.* FROM part JOIN budget ON budget.chain_id IS NULL AND (
            budget.lane_id = part.lane_id OR budget.tenant_id = part.tenant_id OR budget.run_id = part.run_id
        )
        UNION ALL
        SELECT budget.id, part.* FROM part JOIN budget ON budget.chain_id = part.chain_id
    )
"""
"""Sums `part`, each of one lane, tenant, run and chain, once for each budget that they count in."""
_BOOKED_BY_BATCH: Final = "(SELECT DISTINCT budget_id, begins FROM booking WHERE batch_id = :batch_id)"
_OVER: Final = ", ".join(f"'{state}'" for state in sorted(BATCH.final))
_BOOKED_OR_OVER: Final = f"""
    (SELECT DISTINCT budget_id, begins FROM booking WHERE batch_id = :batch_id
     -- its bookings are folded by now: a submission that nobody knew of turned up
     UNION ALL
     SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch'
                       ELSE date_trunc(budget.period, batch.packed_at AT TIME ZONE 'UTC')::date END
     FROM batch, budget
     WHERE batch.id = :batch_id AND batch.state IN ({_OVER})
       AND (chain_id IS NULL OR chain_id IN (SELECT chain_id FROM part))
       AND NOT EXISTS (SELECT FROM booking WHERE booking.batch_id = batch.id AND booking.budget_id = budget.id))
"""


def is_budgeted(connection: Connection, batch_id: int) -> bool:
    """Whether budgets have reserved anything for a batch, or had until it was over; most often nobody set any.

    Asked before anything is changed: whoever sets a new one waits for this transaction, and this one for that.
    """
    booked = f"""
        SELECT true FROM budget JOIN booking ON booking.budget_id = budget.id WHERE batch_id = :id
        UNION ALL SELECT true FROM budget, batch WHERE batch.id = :id AND batch.state IN ({_OVER})
        LIMIT 1
    """
    return fetch_value(connection, bool, booked, id=batch_id) is not None


def settle(connection: Connection, batch_id: int, costs: Mapping[int, int | None]) -> None:
    """Answers of a batch came: by item, what each cost; None when it may have been billed and nobody can know at what.

    The reservation ends of those that were in the batch; others came from a submission that was given up for lost.
    """
    _book(connection, batch_id, costs, ended="item.batch_id = :batch_id")


def charge(connection: Connection, batch_id: int, costs: Mapping[int, int | None]) -> None:
    """Answers of a batch were billed beside those that were kept; None as for `settle`."""
    _book(connection, batch_id, costs, ended="false")


def free(connection: Connection, batch_id: int, item_ids: Collection[int]) -> None:
    """Items have left a batch, and nothing was billed for them."""
    _book(connection, batch_id, dict.fromkeys(item_ids, 0), ended="true")


def end_calls(connection: Connection, number: int, calls: Mapping[int, tuple[int | None, int | None]]) -> None:
    """Direct calls have ended: by item, what was reserved for each, and what it cost.

    number: of their claim, under which they are booked. A cost of None: it may have been billed, and nobody can know at
    what, so all that was reserved counts as spent.
    """
    if not calls:
        return
    execute(
        connection,
        f"""
        WITH part AS (
            SELECT lane_id, tenant_id, run_id, chain_id, coalesce(sum(call.reserved), 0) AS ended,
                   sum(coalesce(call.cost, call.reserved, 0)) AS spent
            FROM unnest(CAST(:ids AS bigint[]), CAST(:reserved AS bigint[]), CAST(:costs AS bigint[]))
                 AS call (id, reserved, cost)
            JOIN item ON item.id = call.id
            GROUP BY lane_id, tenant_id, run_id, chain_id
        ), {_IN_BUDGETS}
        INSERT INTO booking (budget_id, begins, batch_id, reserved_nano, spent_nano)
        SELECT own.budget_id, own.begins, :batch_id, -sum(ended), sum(spent)
        FROM in_budgets JOIN {_BOOKED_BY_BATCH} own ON own.budget_id = own_id
        GROUP BY own.budget_id, own.begins
        """,
        batch_id=number,
        ids=list(calls),
        reserved=[reserved for reserved, _ in calls.values()],
        costs=[cost for _, cost in calls.values()],
    )


def _book(connection: Connection, batch_id: int, costs: Mapping[int, int | None], *, ended: str) -> None:
    if not costs:
        return
    execute(
        connection,
        f"""
        WITH part AS (
            SELECT lane_id, tenant_id, run_id, chain_id,
                   coalesce(sum(reserved_nano) FILTER (WHERE {ended}), 0) AS ended,
                   sum(coalesce(answer.cost, reserved_nano, 0)) AS spent
            FROM unnest(CAST(:ids AS bigint[]), CAST(:costs AS bigint[])) AS answer (id, cost)
            JOIN item ON item.id = answer.id
            GROUP BY lane_id, tenant_id, run_id, chain_id
        ), {_IN_BUDGETS}
        INSERT INTO booking (budget_id, begins, batch_id, reserved_nano, spent_nano)
        SELECT own.budget_id, own.begins, :batch_id, -sum(ended), sum(spent)
        FROM in_budgets JOIN {_BOOKED_OR_OVER} own ON own.budget_id = own_id
        GROUP BY own.budget_id, own.begins
        """,
        batch_id=batch_id,
        ids=list(costs),
        costs=list(costs.values()),
    )


def keep_for_lost(connection: Connection, batch_id: int, submission_id: int) -> None:
    """A submission is believed lost, and its batch sent again: what it may still cost stays reserved beside it."""
    _reserve_items(connection, batch_id, [batch_id], submission_id=submission_id)


def pass_on(connection: Connection, batch_id: int, parts: Collection[int]) -> None:
    """A batch was divided: its reservations are those of its parts now."""
    _reserve_items(connection, batch_id, parts)
    close(connection, batch_id)


def _reserve_items(
    connection: Connection, batch_id: int, in_batches: Collection[int], *, submission_id: int | None = None
) -> None:
    """Reserve for the items of these batches, in the budgets of `batch_id`."""
    execute(
        connection,
        f"""
        WITH part AS (
            SELECT batch_id, lane_id, tenant_id, run_id, chain_id, sum(reserved_nano) AS nano FROM item
            WHERE batch_id = ANY(:in_batches) AND state = 'batched' AND reserved_nano IS NOT NULL
            GROUP BY batch_id, lane_id, tenant_id, run_id, chain_id
        ), {_IN_BUDGETS}
        INSERT INTO booking (budget_id, begins, batch_id, submission_id, reserved_nano)
        SELECT own.budget_id, own.begins, in_budgets.batch_id, :submission_id, sum(nano)
        FROM in_budgets JOIN {_BOOKED_BY_BATCH} own ON own.budget_id = own_id
        GROUP BY own.budget_id, own.begins, in_budgets.batch_id
        """,
        batch_id=batch_id,
        in_batches=list(in_batches),
        submission_id=submission_id,
    )


def close(connection: Connection, batch_id: int) -> None:
    """A batch is over: whatever is still reserved for it is free, but for what a lost submission may yet cost."""
    execute(
        connection,
        """
        INSERT INTO booking (budget_id, begins, batch_id, submission_id, reserved_nano)
        SELECT budget_id, begins, booking.batch_id, submission_id, -sum(reserved_nano)
        FROM booking LEFT JOIN submission ON submission.id = submission_id
        WHERE booking.batch_id = :batch_id AND (submission_id IS NULL OR submission.state = 'done')
        GROUP BY budget_id, begins, booking.batch_id, submission_id HAVING sum(reserved_nano) <> 0
        """,
        batch_id=batch_id,
    )


def fold(connection: Connection) -> int:
    """Add up what is booked for batches that are over, to one row for each budget and period. Returns how many it had.

    A batch stays as it is while anything is reserved for it, and while a submission of it may turn up that is believed
    lost: it is booked where its batch was.
    """
    return execute(
        connection,
        """
        WITH over AS (
            SELECT batch.id FROM batch
            WHERE state = ANY(:final) AND id IN (SELECT batch_id FROM booking)
              AND NOT EXISTS (
                  SELECT FROM submission WHERE batch_id = batch.id AND submission.state NOT IN ('void', 'done')
              )
              AND NOT EXISTS (
                  SELECT FROM booking WHERE batch_id = batch.id
                  GROUP BY budget_id, begins, submission_id HAVING sum(reserved_nano) <> 0
              )
            UNION ALL
            SELECT batch_number FROM direct_claim
            WHERE done_at IS NOT NULL AND batch_number IN (SELECT batch_id FROM booking)
              AND NOT EXISTS (
                  SELECT FROM booking WHERE batch_id = batch_number
                  GROUP BY budget_id, begins HAVING sum(reserved_nano) <> 0
              )
        ), folded AS (
            DELETE FROM booking USING over WHERE booking.batch_id = over.id
            RETURNING budget_id, begins, reserved_nano, spent_nano
        ), added AS (
            INSERT INTO booking (budget_id, begins, reserved_nano, spent_nano)
            SELECT budget_id, begins, sum(reserved_nano), sum(spent_nano) FROM folded GROUP BY budget_id, begins
            ON CONFLICT (budget_id, begins) WHERE batch_id IS NULL DO UPDATE
            SET reserved_nano = booking.reserved_nano + excluded.reserved_nano,
                spent_nano = booking.spent_nano + excluded.spent_nano
        )
        SELECT FROM folded
        """,
        final=sorted(BATCH.final),
    )
