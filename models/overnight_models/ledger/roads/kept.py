"""Deadlines that were kept and missed, and what rescuing them cost: counted as outcomes are recorded, and added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all


class Kept(NamedTuple):
    """Of one lane, since it is there."""

    met: int = 0
    missed: int = 0
    rescued: int = 0
    """Answered in real time while their batch ran."""
    rescued_nano: int = 0
    """What those answers cost."""
    doubles: int = 0
    """Second answers of rescued items: billed and dropped."""
    doubles_nano: int = 0


NONE_YET: Final = Kept()

MOST_COUNTED: Final = 1000
"""Late items of one lane and place that are counted."""


def note_settled(connection: Connection, costs: Mapping[int, int], *, direct: bool) -> None:
    """Items with deadlines are final, and their outcomes are written. costs: what each was billed.

    direct: they were answered in real time.
    """
    if not costs:
        return
    execute(
        connection,
        """
        INSERT INTO deadline_count (lane_id, met, missed, rescued, rescued_nano)
        SELECT lane_id, count(*) FILTER (WHERE state = 'succeeded' AND deadline >= now()),
               count(*) FILTER (WHERE deadline < now()),
               count(*) FILTER (WHERE :direct AND batch_id IS NOT NULL),
               coalesce(sum(told.nano) FILTER (WHERE :direct AND batch_id IS NOT NULL), 0)
        FROM unnest(CAST(:ids AS bigint[]), CAST(:nanos AS bigint[])) AS told (id, nano)
        JOIN item ON item.id = told.id
        WHERE deadline IS NOT NULL AND (state = 'succeeded' OR deadline < now()) GROUP BY lane_id
        """,
        ids=list(costs),
        nanos=list(costs.values()),
        direct=direct,
    )


def note_doubles(connection: Connection, costs: Mapping[int, int], *, via: str) -> int:
    """Second answers came. Returns how many of them are of items that the other road had answered: rescued ones."""
    if not costs:
        return 0
    rows = fetch_all(
        connection,
        """
        INSERT INTO deadline_count (lane_id, doubles, doubles_nano)
        SELECT item.lane_id, count(*), sum(told.nano)
        FROM unnest(CAST(:ids AS bigint[]), CAST(:nanos AS bigint[])) AS told (id, nano)
        JOIN item ON item.id = told.id JOIN whole_outcome AS outcome ON outcome.item_id = told.id
        WHERE outcome.via <> :via GROUP BY item.lane_id
        RETURNING doubles
        """,
        ids=list(costs),
        nanos=list(costs.values()),
        via=via,
    )
    return sum(row["doubles"] for row in rows)


class _OfLane(NamedTuple):
    lane_id: int
    met: int
    missed: int
    rescued: int
    rescued_nano: int
    doubles: int
    doubles_nano: int


_SUMS = ", ".join(f"sum({name})::bigint AS {name}" for name in Kept._fields)


def kept(connection: Connection) -> dict[int, Kept]:
    """By lane."""
    rows = fetch_all(connection, _OfLane, f"SELECT lane_id, {_SUMS} FROM deadline_count GROUP BY lane_id")
    return {row.lane_id: Kept(*row[1:]) for row in rows}


def fold(connection: Connection) -> int:
    """Add up the counts, to one row a lane. Returns how many rows there were."""
    names = ", ".join(Kept._fields)
    return execute(
        connection,
        f"""
        WITH folded AS (DELETE FROM deadline_count RETURNING lane_id, {names})
        INSERT INTO deadline_count (lane_id, {names}) SELECT lane_id, {_SUMS} FROM folded GROUP BY lane_id
        """,
    )


class Late(NamedTuple):
    """Deadlines of a lane that are over, or will be before an answer comes."""

    lane: str
    items: int
    """A thousand at most."""
    first_s: float
    """Since the first of them was over; below 0 until it is."""
    where: str
    """Where they are: "waiting for a batch", "waiting for real time", "in a batch"."""


def late(connection: Connection, *, within_s: float = 60.0) -> list[Late]:
    """What isn't final, and is wanted by now or within a minute. A thousand of each kind are looked at, at most."""
    return fetch_all(
        connection,
        Late,
        """
        WITH due AS (
            SELECT waiting.* FROM lane CROSS JOIN headers CROSS JOIN LATERAL (
                SELECT item.lane_id, deadline, 'waiting for a batch' AS place FROM item
                WHERE item.lane_id = lane.id AND item.headers_id = headers.id AND waiting_since IS NOT NULL
                  AND direct_at IS NULL AND deadline < now() + make_interval(secs => :within_s)
                ORDER BY deadline LIMIT :most
            ) waiting
            UNION ALL
            (SELECT lane_id, deadline, 'waiting for real time' FROM item
             WHERE direct_at IS NOT NULL AND held_by IS NULL AND waiting_since IS NOT NULL
               AND deadline < now() + make_interval(secs => :within_s) LIMIT :most)
            UNION ALL
            SELECT running.* FROM batch CROSS JOIN LATERAL (
                SELECT item.lane_id, deadline, 'in a batch' FROM item
                WHERE item.batch_id = batch.id AND deadline < now() + make_interval(secs => :within_s)
                  AND item.state = 'batched'
                ORDER BY deadline LIMIT :most
            ) running
            WHERE batch.look_at IS NOT NULL
        )
        SELECT lane.name AS lane, count(*) AS items,
               extract(epoch FROM now() - min(due.deadline))::float AS first_s, place AS "where"
        FROM due JOIN lane ON lane.id = due.lane_id GROUP BY lane.name, place ORDER BY lane.name, place
        """,
        within_s=within_s,
        most=MOST_COUNTED,
    )


class Limited(NamedTuple):
    """A model of a workspace that has waited for its rate limit again and again."""

    workspace: str
    model: str
    since_s: float
    why: str
    items: int = 0
    """Of it wait; a thousand of each lane and its headers are looked at, at most."""


def limited(connection: Connection) -> Sequence[Limited]:
    """What waits for the rate limit now, and since when again and again; the longest first."""
    return fetch_all(
        connection,
        Limited,
        """
        SELECT workspace, model.name AS model, extract(epoch FROM now() - since)::float AS since_s, why,
               (
                   SELECT count(*) FROM lane CROSS JOIN headers CROSS JOIN LATERAL (
                       SELECT direct_at FROM item
                       WHERE item.lane_id = lane.id AND item.headers_id = headers.id
                         AND item.model_id = direct_pause.model_id AND direct_at IS NOT NULL AND held_by IS NULL
                       LIMIT :most
                   ) waiting
                   WHERE headers.workspace = direct_pause.workspace AND direct_at <= now()
               ) AS items
        FROM direct_pause JOIN model ON model.id = direct_pause.model_id WHERE not_before > now()
        ORDER BY since
        """,
        most=MOST_COUNTED,
    )
