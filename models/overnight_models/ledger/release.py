"""Items that were held since what they ask couldn't be read wait again in their old places when it can."""

from __future__ import annotations

from typing import Final, NamedTuple

from overnight_models.ledger import prefixes
from overnight_models.ledger.bodies.requests import NO_BUDGET
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_value
from overnight_models.states import ITEM

_LOOKED_AT: Final = 100
"""Groups that one look tries."""
_FOR_EACH: Final = 500
"""Items that are read to find one of them."""


_SOME_GROUPS: Final = """
    WITH RECURSIVE reason (why) AS (
        (SELECT held_reason FROM item WHERE held_by = :no_budget ORDER BY held_reason LIMIT 1)
        UNION ALL
        SELECT (SELECT held_reason FROM item WHERE held_by = :no_budget AND held_reason > reason.why
                ORDER BY held_reason LIMIT 1)
        FROM reason WHERE why IS NOT NULL
    ),
    drawn AS (SELECT why FROM reason WHERE why IS NOT NULL ORDER BY random() LIMIT :groups),
    -- a moment at which some were held, and a number, both by chance: many are held at one moment
    start AS (
        SELECT why, moment.held_since AS since, oldest.id + (random() * (newest.id - oldest.id))::bigint AS id
        FROM drawn
        CROSS JOIN LATERAL (
            SELECT id, held_since FROM item WHERE held_by = :no_budget AND held_reason = why
            ORDER BY held_since, id LIMIT 1
        ) oldest
        CROSS JOIN LATERAL (
            SELECT id, held_since FROM item WHERE held_by = :no_budget AND held_reason = why
            ORDER BY held_since DESC, id DESC LIMIT 1
        ) newest
        CROSS JOIN LATERAL (
            SELECT held_since FROM item
            WHERE held_by = :no_budget AND held_reason = why
              AND held_since <= oldest.held_since + random() * (newest.held_since - oldest.held_since)
            ORDER BY held_since DESC LIMIT 1
        ) moment
    )
    SELECT body_group AS id, prefix_id, min(item_id) AS item_id FROM (
        SELECT item.id AS item_id, coalesce(body_group, -item.id) AS body_group, coalesce(prefix_id, 0) AS prefix_id
        FROM start CROSS JOIN LATERAL (
            (
                SELECT id, prefix_id FROM item WHERE held_by = :no_budget AND held_reason = start.why
                ORDER BY held_since, id LIMIT (SELECT :limit / 2 / count(*) FROM drawn)
            )
            UNION
            (
                SELECT id, prefix_id FROM item
                WHERE held_by = :no_budget AND held_reason = start.why
                  AND (held_since, item.id) >= (start.since, start.id)
                ORDER BY held_since, id LIMIT (SELECT :limit / 2 / count(*) FROM drawn)
            )
        ) item JOIN request ON request.item_id = item.id
    ) held GROUP BY body_group, prefix_id ORDER BY random() LIMIT :groups
"""
"""Some reasons by chance, each found by one look into the index, and of each the items that have waited longest, and
those from some place among them on.

By the items alone, what stays unreadable of one lane would stand before all that is held later; always from the oldest
on, what stays unreadable would stand before what was held later for the same words, and can be read again.
"""


class _HeldGroup(NamedTuple):
    """Items that are held, whose requests lie together and go on from one prefix."""

    id: int
    """Of an item whose request lies in its own row, the item's number below zero."""
    prefix_id: int
    """0: they have none."""
    item_id: int
    """One of them."""


def is_anything_held(connection: Connection) -> bool:
    """Whether any item is held, for whatever reason: mostly none is, and each sweep asks."""
    # the smallest, and not whether there is one: for that the planner may read all items, when many were held before
    return fetch_value(connection, int, "SELECT min(held_by) FROM item WHERE held_by IS NOT NULL") is not None


def release(connection: Connection) -> int:
    """Items that were held for that and can be read again wait in their old places. Returns how many.

    Some of them at a time, in any order: what stays unreadable stands before no other for ever.
    """
    groups = fetch_all(
        connection,
        _HeldGroup,
        _SOME_GROUPS,
        no_budget=NO_BUDGET,
        limit=_LOOKED_AT * _FOR_EACH,
        groups=_LOOKED_AT,
    )
    damaged = prefixes.read_asked(connection, [group.item_id for group in groups]).damaged
    readable = [group for group in groups if group.item_id not in damaged]
    if not readable:
        return 0
    return execute(
        connection,
        f"""
        UPDATE item SET {ITEM.release.set}, waiting_since = held_since, held_by = NULL, held_since = NULL,
               held_reason = NULL
        FROM request
        WHERE item.{ITEM.release.where} AND held_by = :no_budget AND request.item_id = item.id
          AND (coalesce(body_group, -item_id), coalesce(prefix_id, 0)) IN (
              SELECT * FROM unnest(CAST(:groups AS bigint[]), CAST(:prefixes AS integer[]))
          )
        """,
        no_budget=NO_BUDGET,
        groups=[group.id for group in readable],
        prefixes=[group.prefix_id for group in readable],
    )
