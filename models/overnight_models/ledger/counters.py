"""Counters: what has happened so far, for metrics; sums that only grow, whatever retention drops.

Changes are appended and folded by the sweep, so nobody waits for a row. What workers count in memory is written every
ten seconds: a worker that is killed forgets what it counted since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all

STAGE_ITEMS: Final = "stage items"
"""Items that a stage has done, by the stage."""
API_CALLS: Final = "api calls"
"""By call and status, as `create 200`."""
TURNAROUND: Final = "turnaround"
"""Batches that have ended, by lane and the smallest of TURNAROUND_BOUNDS that holds them; the amount: milliseconds."""
TURNAROUND_BOUNDS: Final = ("60", "300", "900", "1800", "3600", "7200", "14400", "28800", "57600", "86400", "+Inf")
"""Seconds."""


class Counter(NamedTuple):
    """One sum."""

    name: str
    lane: str | None
    label: str
    n: int
    amount: int
    """What was counted together, where that has a size."""


def add(connection: Connection, counts: Mapping[tuple[str, str], int]) -> None:
    """Add what was counted in memory. counts: how many, by name and label."""
    execute(
        connection,
        """
        INSERT INTO counter (name, label, n)
        SELECT * FROM unnest(CAST(:names AS text[]), CAST(:labels AS text[]), CAST(:numbers AS bigint[]))
        """,
        names=[name for name, _label in counts],
        labels=[label for _name, label in counts],
        numbers=list(counts.values()),
    )


def add_turnaround(connection: Connection, submission_id: int, ended_at: datetime) -> None:
    """A batch has ended: count how long the API took for it, where that is known."""
    execute(
        connection,
        """
        INSERT INTO counter (name, lane_id, label, n, amount)
        SELECT :name, batch.lane_id,
               coalesce((SELECT min(s) FROM unnest(CAST(:bounds AS int[])) AS s WHERE s >= took_s)::text, '+Inf'),
               1, (1000 * took_s)::bigint
        FROM (
            SELECT batch_id,
                   greatest(extract(epoch FROM CAST(:ended_at AS timestamptz) - api_created_at), 0) AS took_s
            FROM submission WHERE id = :id AND api_created_at IS NOT NULL
        ) ended
        JOIN batch ON batch.id = ended.batch_id
        """,
        name=TURNAROUND,
        id=submission_id,
        ended_at=ended_at,
        bounds=[int(bound) for bound in TURNAROUND_BOUNDS if bound != "+Inf"],
    )


def fold(connection: Connection) -> int:
    """Add up the changes. Returns how many rows there were."""
    return execute(
        connection,
        """
        WITH folded AS (DELETE FROM counter RETURNING name, lane_id, label, n, amount)
        INSERT INTO counter (name, lane_id, label, n, amount)
        SELECT name, lane_id, label, sum(n), sum(amount) FROM folded GROUP BY name, lane_id, label
        """,
    )


def counters(connection: Connection) -> list[Counter]:
    """Every sum."""
    return fetch_all(
        connection,
        Counter,
        """
        SELECT counter.name, lane.name AS lane, label, sum(n)::bigint AS n, sum(amount)::bigint AS amount
        FROM counter LEFT JOIN lane ON lane.id = counter.lane_id
        GROUP BY counter.name, lane.name, label ORDER BY counter.name, lane.name, label
        """,
    )
