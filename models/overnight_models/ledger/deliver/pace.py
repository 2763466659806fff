"""Pace: a queue or webhook that takes so many outcomes a second, of all deliverers together.

One column is the whole limiter: until when what was delivered is paid for (GCRA). It is locked by whoever claims, so
that two who claim for the same target take turns.
"""

from __future__ import annotations

from typing import NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_only_value


class Pace(NamedTuple):
    """So many a second, and what may have been saved up."""

    per_second: float
    burst_s: float
    """Seconds' worth that may be delivered at once after a pause."""

    @classmethod
    def of(cls, per_second: float, *, burst_s: float, at_once: int = 1) -> Pace:
        """A pace. at_once: what has to be deliverable at once, however slow it is."""
        return cls(per_second, max(burst_s, at_once / per_second))


def allowance(connection: Connection, target_id: int, pace: Pace) -> int:
    """How many may be delivered there now. Until this transaction ends nobody else is told another number."""
    allowed = fetch_only_value(
        connection,
        float,
        """
        SELECT least(extract(epoch FROM clock_timestamp() - coalesce(next_at, '2000-01-01Z')), :burst_s)::float
               * :per_second
        FROM target WHERE id = :target_id FOR UPDATE
        """,
        target_id=target_id,
        **pace._asdict(),
    )
    # a hair less than a whole number is that number
    return max(int(allowed + 1e-6), 0)


def spend(connection: Connection, target_id: int, pace: Pace, number: int) -> None:
    """So many are claimed, in the transaction that asked for the allowance."""
    execute(
        connection,
        """
        UPDATE target
        SET next_at = greatest(next_at, clock_timestamp() - make_interval(secs => :burst_s))
                      + make_interval(secs => :number / :per_second)
        WHERE id = :target_id
        """,
        target_id=target_id,
        number=float(number),
        **pace._asdict(),
    )
