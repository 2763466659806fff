"""Calls of the direct road: each ends once, and whoever ends it knows that its item is his to move."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_all, fetch_column
from overnight_models.states import ITEM

_LONGEST_PAUSE_S = 300.0


class Ended(NamedTuple):
    """A call that has ended, by this transaction."""

    item_id: int
    direct_at: datetime
    """Its place before it was sent."""
    reserved_nano: int | None


class Call(NamedTuple):
    """A call of a claim that hasn't ended."""

    claim_id: int
    number: int
    """Under which the claim's money is booked."""
    item_id: int


def not_ended(connection: Connection, claim_ids: Collection[int]) -> list[Call]:
    """The calls of these claims that haven't ended, claim by claim."""
    return fetch_all(
        connection,
        Call,
        """
        SELECT claim_id, batch_number AS number, item_id
        FROM direct_call JOIN direct_claim ON direct_claim.id = claim_id
        WHERE claim_id = ANY(:ids) ORDER BY claim_id, item_id
        """,
        ids=list(claim_ids),
    )


def end(connection: Connection, claim_id: int, item_ids: Collection[int]) -> dict[int, Ended]:
    """The calls of a claim for these items end now: by item, those that hadn't before."""
    ended = fetch_all(
        connection,
        Ended,
        """
        DELETE FROM direct_call WHERE claim_id = :claim_id AND item_id = ANY(:ids)
        RETURNING item_id, direct_at, reserved_nano
        """,
        claim_id=claim_id,
        ids=list(item_ids),
    )
    return {call.item_id: call for call in ended}


def go_back(connection: Connection, ended: Mapping[int, Ended]) -> set[int]:
    """Items that weren't sent, or weren't taken, are where they were before, in their old places. Returns which."""
    return _wait(connection, ended, "asked.place", "true")


def try_again(connection: Connection, ended: Mapping[int, Ended], *, max_attempts: int, pause_s: float) -> set[int]:
    """Items whose calls brought nothing wait for another try, unless they were tried often enough. Returns which.

    pause_s: with each try twice as long.
    """
    later = "now() + make_interval(secs => least(:pause_s * 2 ^ least(attempts, 20), :longest_s))"
    return _wait(
        connection,
        ended,
        f"{later}, attempts = attempts + 1",
        "attempts + 1 < :max_attempts AND NOT cancel_wanted",
        max_attempts=max_attempts,
        pause_s=pause_s,
        longest_s=_LONGEST_PAUSE_S,
    )


def _wait(connection: Connection, ended: Mapping[int, Ended], place: str, guard: str, **values: object) -> set[int]:
    # in the order of ids, as all who move many items
    ids = sorted(ended)
    if not ids:
        return set()
    moved = fetch_column(
        connection,
        int,
        f"""
        UPDATE item SET {ITEM.retry.set}, waiting_since = now(), direct_at = {place}
        FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS timestamptz[])) AS asked (asked_id, place)
        WHERE item.id = asked.asked_id AND item.id = ANY(CAST(:ids AS bigint[])) AND state = 'direct'
          AND {ITEM.retry.where} AND {guard}
        RETURNING item.id
        """,
        ids=ids,
        places=[ended[item_id].direct_at for item_id in ids],
        **values,
    )
    return set(moved)


def fall_back(connection: Connection, ended: Mapping[int, Ended], again_in_s: float | None) -> set[int]:
    """Items whose batch goes on stand in it alone: nothing was lost. Returns which.

    again_in_s: they are sent once more after that; None: not any more.
    """
    ids = sorted(ended)
    if not ids:
        return set()
    moved = fetch_column(
        connection,
        int,
        f"""
        UPDATE item SET {ITEM.fall_back.set},
               direct_at = CASE WHEN NOT cancel_wanted THEN now() + make_interval(secs => :again_in_s) END
        WHERE id = ANY(:ids) AND {ITEM.fall_back.where} RETURNING id
        """,
        ids=ids,
        again_in_s=again_in_s,
    )
    return set(moved)
