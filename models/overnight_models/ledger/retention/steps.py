"""Retention, step by step: partition by partition, the oldest first.

What isn't finished, delivered or billed is carried over: it is copied into the partition that takes the place of the
old one. A step is one short transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import GROUPED, PARTITIONED, RETENTION
from overnight_models.ledger.retention import bodies
from overnight_models.ledger.retention.keep import MOST_CARRIED, VIEW, Keep, Keeps, KeptView, Layer, bounds, within
from overnight_models.ledger.retention.keys import drop_keys
from overnight_models.ledger.retention.swap import lock, replace
from overnight_models.ledger.retention.undone import undone
from overnight_models.ledger.rows import execute, fetch_column, fetch_one, fetch_only_value, fetch_value
from overnight_models.ledger.run_items import BLOCK


def step(connection: Connection, keeps: Keeps, *, now: datetime | None = None, again_s: float = 3600.0) -> str | None:
    """Do one thing of what is to be done; what it was. None when nothing is, or somebody else is at it.

    now: default the database's.
    again_s: a partition that kept something is looked at again after that.
    """
    if not fetch_only_value(connection, bool, "SELECT pg_try_advisory_xact_lock(:lock)", lock=RETENTION):
        return None
    execute(connection, "SET LOCAL lock_timeout = '1s'")
    now = now or fetch_only_value(connection, datetime, "SELECT now()")
    if (copying := bodies.copying(connection)) is not None:
        return bodies.go_on(connection, copying, now)
    looked_at = _next(connection, now - timedelta(seconds=again_s))
    if looked_at is None:
        return drop_keys(connection, keeps, now)
    return _look(connection, looked_at, keeps, now)


def _next(connection: Connection, looked_before: datetime) -> int | None:
    """The oldest partition that was full by then, has something to lose, and wasn't looked at since."""
    return fetch_value(
        connection,
        int,
        """
        SELECT first FROM (
            SELECT substring(inhrelid::regclass::text FROM '_from_([0-9]+)$')::bigint AS first
            FROM pg_inherits WHERE inhparent = 'item'::regclass
        ) partition JOIN kept ON first_item = first  -- noted when it was full
        WHERE (looked_at IS NULL OR looked_at < :looked_before) AND (outcomes_dropped_at IS NULL OR carried > 0)
        ORDER BY first LIMIT 1
        """,
        looked_before=looked_before,
    )


def _look(connection: Connection, first: int, keeps: Keeps, now: datetime) -> str:
    """See what of a partition may go, and let it go, or begin to."""
    looks = "UPDATE kept SET looked_at = :now, waits_for = NULL WHERE first_item = :first"
    execute(connection, looks, first=first, now=now)
    view = fetch_one(connection, KeptView, f"SELECT {VIEW} FROM kept WHERE first_item = :first", first=first)
    assert view is not None
    lanes = fetch_column(connection, int, f"SELECT DISTINCT lane_id FROM item WHERE {within('id')}", **bounds(first))
    dues = [
        layer for layer in ("outcomes", "deliveries", "bodies") if _is_due(connection, view, layer, lanes, keeps, now)
    ]
    if not dues:
        return f"partition {first}: nothing of it may go yet"
    carried = undone(connection, bounds(first), now)
    if len(carried) > MOST_CARRIED:
        return _wait(connection, first, bodies.too_many(MOST_CARRIED))
    if "outcomes" in dues:
        if why := bodies.carry(connection, carried):
            return _wait(connection, first, why)
        return _drop_outcomes(connection, first, carried, now)
    if "deliveries" in dues:
        return _drop_deliveries(connection, first, carried, now)
    return bodies.begin(connection, first, now)


def _wait(connection: Connection, first: int, why: str) -> str:
    """Nothing more of a partition goes for now."""
    execute(connection, "UPDATE kept SET waits_for = :why WHERE first_item = :first", why=why, first=first)
    return f"partition {first}: {why}"


def _is_due(
    connection: Connection, view: KeptView, layer: Layer, lanes: list[int], keeps: Keeps, now: datetime
) -> bool:
    """Whether all lanes of a partition may lose that, and haven't yet; or some of them lost it, and carried others."""
    gone = getattr(view, f"{layer}_dropped_at") is not None
    if gone and (layer != "outcomes" or not view.carried):
        return False
    after_s = _longest(keeps, lanes, layer)
    if after_s is None:
        return False
    before = now - timedelta(seconds=after_s)
    # what isn't finished has no outcome; it is carried over whatever its age
    younger = f"SELECT EXISTS (SELECT FROM outcome WHERE {within('item_id')} AND finished_at > :before)"
    if fetch_only_value(connection, bool, younger, before=before, **bounds(view.first_item)):
        return False
    execute(
        connection,
        "UPDATE kept SET finished_before = :before WHERE first_item = :first",
        before=before,
        first=view.first_item,
    )
    return True


def _longest(keeps: Keeps, lanes: list[int], layer: Layer) -> float | None:
    times = [getattr(keeps.get(lane, Keep()), layer) for lane in lanes]
    return None if None in times else max(times, default=0.0)


def _drop_outcomes(connection: Connection, first: int, carried: list[int], now: datetime) -> str:
    """Everything of the items goes but their keys, and what they cost all together."""
    carried = lock(connection, (*PARTITIONED, *GROUPED), first, carried)
    if why := bodies.carry(connection, carried):
        raise DamagedGroup(why)
    for table in PARTITIONED:
        replace(connection, table, first, carried)
    bodies.drop_groups(connection, first, items_stay=bool(carried))
    execute(connection, f"DROP TABLE IF EXISTS request_copy_{first}, outcome_copy_{first}")
    for table in ("redo", "follower"):
        forget = f"DELETE FROM {table} WHERE {within('item_id')} AND NOT item_id = ANY(:carried)"
        execute(connection, forget, carried=carried, **bounds(first))
    _forget_blocks(connection, first, carried)
    execute(
        connection,
        """
        UPDATE kept SET outcomes_dropped_at = :now, bodies_dropped_at = coalesce(bodies_dropped_at, :now),
               deliveries_dropped_at = coalesce(deliveries_dropped_at, :now), carried = :carried,
               copied_to = NULL, left_out = '{}', keys_looked_to = NULL, keys_dropped_at = NULL
        WHERE first_item = :first
        """,
        now=now,
        first=first,
        carried=len(carried),
    )
    return f"partition {first}: its outcomes are dropped, {len(carried):,} items carried over"


def _forget_blocks(connection: Connection, first: int, carried: list[int]) -> None:
    """Where runs had items that are gone nobody looks any more."""
    execute(
        connection,
        f"""
        DELETE FROM run_block
        WHERE block >= :first / {BLOCK} AND block < :until / {BLOCK}
          AND block <> ALL(SELECT unnest(CAST(:carried AS bigint[])) / {BLOCK})
        """,
        carried=carried,
        **bounds(first),
    )


def _drop_deliveries(connection: Connection, first: int, carried: list[int], now: datetime) -> str:
    carried = lock(connection, ("delivery",), first, carried)
    replace(connection, "delivery", first, carried)
    dropped = "UPDATE kept SET deliveries_dropped_at = :now, looked_at = NULL WHERE first_item = :first"
    execute(connection, dropped, now=now, first=first)
    return f"partition {first}: its deliveries are dropped"
