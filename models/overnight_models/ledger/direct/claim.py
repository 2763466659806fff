"""Claiming: items that one process sends in real time, and nobody else; taken, let go, given back.

Whatever was let go when its process dies may have been billed. So no more is taken than can be sent at once, and
nothing is let go that has to wait.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import Connection

from overnight_models.ledger import direct_calls
from overnight_models.ledger.cancel import cancel
from overnight_models.ledger.measure import UNMEASURED
from overnight_models.ledger.money import settle
from overnight_models.ledger.pack import reserve
from overnight_models.ledger.pack.reserve import BOOKED, HELD, JUDGED, Allowance
from overnight_models.ledger.pack.turns import Candidates
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only, fetch_value, fitting
from overnight_models.ledger.workspaces import SENDABLE
from overnight_models.money.prices import Prices
from overnight_models.states import ITEM

_TO_BE_SENT: Final = "item.direct_at IS NOT NULL AND item.held_by IS NULL"
"""The guard, as the index has it."""

_OF_USE: Final = "(item.give_up_at IS NULL OR item.give_up_at > now())"
"""The guard: somebody still needs it."""

_HEADS: Final = f"""
    WITH RECURSIVE source (lane_id, headers_id, model_id) AS (
        (SELECT lane_id, headers_id, model_id FROM item WHERE {_TO_BE_SENT}
         ORDER BY lane_id, headers_id, model_id LIMIT 1)
        UNION ALL
        SELECT next.* FROM source CROSS JOIN LATERAL (
            SELECT lane_id, headers_id, model_id FROM item
            WHERE {_TO_BE_SENT}
              AND (item.lane_id, item.headers_id, item.model_id) > (source.lane_id, source.headers_id, source.model_id)
            ORDER BY lane_id, headers_id, model_id LIMIT 1
        ) next
    )
    SELECT source.lane_id, source.headers_id, source.model_id, lane.name AS lane, headers.workspace, headers.betas,
           headers.api_version, model.name AS model
    FROM source JOIN lane ON lane.id = source.lane_id JOIN headers ON headers.id = source.headers_id
    JOIN model ON model.id = source.model_id JOIN workspace ON workspace.name = headers.workspace
    CROSS JOIN LATERAL (
        SELECT direct_at FROM item
        WHERE {_TO_BE_SENT} AND item.lane_id = source.lane_id AND item.headers_id = source.headers_id
          AND item.model_id = source.model_id AND direct_at <= now() AND {_OF_USE}
        ORDER BY direct_at LIMIT 1
    ) head
    WHERE lane.paused_at IS NULL AND {SENDABLE} AND NOT EXISTS (
        SELECT FROM direct_pause
        WHERE direct_pause.workspace = headers.workspace AND direct_pause.model_id = source.model_id
          AND not_before > now()
    )
"""
"""Place something is to be sent now and may be: each found by one look into the index."""

HAS_WORK: Final = f"EXISTS ({_HEADS})"
"""The condition: something is to be sent now, and may be."""


@dataclass(frozen=True)
class Place:
    """Items that share a lane, headers and a model."""

    lane_id: int
    headers_id: int
    model_id: int
    lane: str
    workspace: str
    betas: str
    api_version: str
    model: str


class Asked(NamedTuple):
    """What one item of a claim asks."""

    item_id: int
    params: str
    """JSON; its own part."""
    prefix_id: int | None
    schema_id: int | None
    size: int
    """Bytes of the whole request."""
    max_tokens: int


@dataclass(frozen=True)
class Claim:
    """What this process, and no other, sends there."""

    id: int
    number: int
    """Under which its money is booked."""
    place: Place


class Taken(NamedTuple):
    """What a look for items came to."""

    claim: Claim | None
    asked: Sequence[Asked] = ()
    held: int = 0
    """Over a budget: held, with a reason."""


def sources(connection: Connection, lanes: Collection[str]) -> list[Place]:
    """Place something is to be sent now and may be, the earliest first. lanes: no others are looked at."""
    return fetch_all(
        connection, Place, f"{_HEADS} AND lane.name = ANY(:lanes) ORDER BY head.direct_at", lanes=list(lanes)
    )


class _Locked(NamedTuple):
    """An item that this transaction has locked."""

    id: int
    state: str
    direct_at: datetime
    size: int


class _Numbers(NamedTuple):
    id: int
    number: int


def take(
    connection: Connection,
    place: Place,
    claim: Claim | None,
    prices: Prices,
    *,
    owner: int,
    lease_s: float,
    most: int,
    max_bytes: float,
    counts_first: bool,
) -> Taken:
    """Take the items there that are to be sent now, the earliest first; what a budget can't take is held.

    claim: to which they are added; None for a new one. One that was taken from this process is followed by a new one.
    most: no more than these can be sent at once.
    max_bytes: of requests that are in memory; the first is taken however large it is.
    counts_first: those that nobody has measured yet stay where they are.
    """
    which = _Next(place, counts_first=counts_first)
    # asked before anything is changed, see `budgets.set_budget`
    allowance = reserve.allowance(connection, which.candidates(2 * most), prices, batch=False)
    locked = which.lock(connection, most, max_bytes)
    if not locked:
        return Taken(claim)
    if claim is None or not _is_ours(connection, claim.id):
        claim = _begin(connection, place, owner=owner, lease_s=lease_s)
    held = _move(connection, claim, locked, allowance)
    asked = fetch_all(
        connection,
        Asked,
        """
        SELECT item.id AS item_id, request.params, prefix_id, schema_id, size, max_tokens
        FROM direct_call JOIN item ON item.id = direct_call.item_id JOIN request ON request.item_id = item.id
        WHERE claim_id = :id AND item.id = ANY(:ids) ORDER BY direct_call.direct_at, item.id
        """,
        id=claim.id,
        ids=[row.id for row in locked],
    )
    return Taken(claim, asked, held)


def _is_ours(connection: Connection, claim_id: int) -> bool:
    """Whether nobody has taken a claim from its owner, nor does until the transaction ends."""
    ours = "SELECT id FROM direct_claim WHERE id = :id AND done_at IS NULL FOR SHARE"
    return fetch_value(connection, int, ours, id=claim_id) is not None


def _begin(connection: Connection, place: Place, *, owner: int, lease_s: float) -> Claim:
    numbers = fetch_only(
        connection,
        _Numbers,
        """
        INSERT INTO direct_claim (id, batch_number, lane_id, headers_id, model_id, owner, lease_until)
        VALUES (nextval('submission_id_seq'), nextval('batch_id_seq'), :lane_id, :headers_id, :model_id, :owner,
                now() + make_interval(secs => :lease_s))
        RETURNING id, batch_number AS number
        """,
        lane_id=place.lane_id,
        headers_id=place.headers_id,
        model_id=place.model_id,
        owner=owner,
        lease_s=lease_s,
    )
    return Claim(numbers.id, numbers.number, place)


class _Next:
    """The items that are to be sent next somewhere."""

    def __init__(self, place: Place, *, counts_first: bool) -> None:
        self._place = place
        self._values = {"lane_id": place.lane_id, "headers_id": place.headers_id, "model_id": place.model_id}
        self._these = f"""
            {_TO_BE_SENT} AND item.lane_id = :lane_id AND item.headers_id = :headers_id AND item.model_id = :model_id
            AND item.direct_at <= now() AND {_OF_USE} AND NOT ({UNMEASURED if counts_first else "false"})
        """

    def candidates(self, most: int) -> Candidates:
        """Whom budgets are asked for."""
        query = f"SELECT * FROM item WHERE {self._these} ORDER BY direct_at, id LIMIT :most"
        return Candidates(query, self._place.lane_id, {**self._values, "most": most})

    def lock(self, connection: Connection, most: int, max_bytes: float) -> list[_Locked]:
        """Those that nobody else has at this moment."""
        rows = fetch_all(
            connection,
            _Locked,
            f"""
            SELECT id, state, direct_at, size FROM item WHERE {self._these}
            ORDER BY direct_at, id LIMIT :most FOR UPDATE SKIP LOCKED
            """,
            most=most,
            **self._values,
        )
        return rows[: fitting((row.size for row in rows), max_bytes)]


def _move(connection: Connection, claim: Claim, locked: Sequence[_Locked], allowance: Allowance | None) -> int:
    """Items leave where they were: those that wait, and those whose batch goes on beside. Returns how many are held."""
    held = 0
    for move in (ITEM.urge, ITEM.race):
        rows = [row for row in locked if row.state in move.before]
        if rows:
            held += fetch_only(
                connection,
                _Moved,
                _statement(move.set, move.where, within=allowance is not None),
                claim_id=claim.id,
                batch_id=claim.number,
                ids=[row.id for row in rows],
                places=[row.direct_at for row in rows],
                **(allowance.values if allowance else {}),
            ).held
    if allowance is not None:
        _look_again_later(connection, [row.id for row in locked])
    return held


def _look_again_later(connection: Connection, item_ids: Sequence[int]) -> int:
    """What is in a batch and over a budget has its batch: it is looked at again in a minute. Returns how many."""
    return execute(
        connection,
        f"""
        UPDATE item SET direct_at = now() + interval '1 minute'
        WHERE id = ANY(:ids) AND {ITEM.race.where} AND direct_at <= now()
        """,
        ids=list(item_ids),
    )


class _Moved(NamedTuple):
    held: int


def _statement(to: str, guard: str, *, within: bool) -> str:
    """The statement that claims. within: budgets are asked, and what is over is held."""
    return f"""
        WITH candidate AS (
            SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, asked.place,
                   row_number() OVER (ORDER BY asked.place, id) AS position
            FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS timestamptz[])) AS asked (asked_id, place)
            JOIN item ON item.id = asked.asked_id
        ),
        {f"{JUDGED}, {HELD}," if within else ""}
        chosen AS (
            SELECT id, place, {"reserve" if within else "NULL::bigint AS reserve"} FROM candidate
            {"JOIN judged USING (id) WHERE held_by IS NULL" if within else ""}
        ),
        moved AS (
            UPDATE item SET {to}, direct_at = NULL, waiting_since = NULL FROM chosen
            WHERE item.id = chosen.id AND item.id = ANY(CAST(:ids AS bigint[])) AND item.{guard}
            RETURNING item.id, lane_id, tenant_id, run_id, chosen.reserve AS reserved_nano, chosen.place
        ),
        {f"{BOOKED}," if within else ""}
        called AS (
            INSERT INTO direct_call (item_id, claim_id, direct_at, reserved_nano)
            SELECT id, :claim_id, place, reserved_nano FROM moved
        )
        SELECT {"(SELECT count(*) FROM held)" if within else "0::bigint"} AS held
    """


def let_go(connection: Connection, claim_id: int, item_ids: Collection[int]) -> bool:
    """Their bytes are about to be written: from now on they may have been billed.

    False when somebody has taken this process for dead: then none of them is sent.
    """
    if not _is_ours(connection, claim_id):
        return False
    execute(
        connection,
        "UPDATE direct_call SET let_go_at = clock_timestamp() WHERE claim_id = :claim_id AND item_id = ANY(:ids)",
        claim_id=claim_id,
        ids=list(item_ids),
    )
    return True


def give_back(connection: Connection, claim_id: int, number: int, item_ids: Collection[int]) -> int:
    """Items that were never let go are again where they were, in their old places; it costs nothing.

    What its owner has taken back meanwhile is canceled. Returns how many calls have ended so.
    """
    budgeted = settle.is_budgeted(connection, number)
    ended = direct_calls.end(connection, claim_id, item_ids)
    waiting = direct_calls.go_back(connection, ended)
    direct_calls.fall_back(connection, {item_id: one for item_id, one in ended.items() if item_id not in waiting}, 0)
    if budgeted:
        settle.end_calls(connection, number, {item_id: (one.reserved_nano, 0) for item_id, one in ended.items()})
    unwanted = "SELECT id FROM item WHERE id = ANY(:ids) AND cancel_wanted AND state = 'waiting' ORDER BY id"
    for item_id in fetch_column(connection, int, unwanted, ids=list(waiting)):
        cancel(connection, item_id)
    return len(ended)


def extend(connection: Connection, claim_ids: Collection[int], *, owner: int, lease_s: float) -> int:
    """A sign of life from whoever sends them. Returns how many claims are still theirs.

    owner: as `Database.owner` says now: after Postgres restarted it is another number.
    """
    return execute(
        connection,
        """
        UPDATE direct_claim SET owner = :owner, lease_until = now() + make_interval(secs => :lease_s)
        WHERE id = ANY(:ids) AND done_at IS NULL
        """,
        ids=list(claim_ids),
        owner=owner,
        lease_s=lease_s,
    )


def close(connection: Connection, claim_ids: Collection[int]) -> None:
    """Their owner takes no more: those of which nothing is under way are done."""
    execute(
        connection,
        """
        UPDATE direct_claim SET done_at = clock_timestamp()
        WHERE id = ANY(:ids) AND done_at IS NULL
          AND NOT EXISTS (SELECT FROM direct_call WHERE claim_id = direct_claim.id)
        """,
        ids=list(claim_ids),
    )


def pause(connection: Connection, place: Place, why: str, *, pause_s: float) -> None:
    """Nothing is sent to this model of this workspace for a while."""
    execute(
        connection,
        """
        INSERT INTO direct_pause (workspace, model_id, not_before, why)
        VALUES (:workspace, :model_id, now() + make_interval(secs => :pause_s), :why)
        ON CONFLICT (workspace, model_id) DO UPDATE
        SET not_before = greatest(direct_pause.not_before, excluded.not_before), why = excluded.why,
            since = CASE WHEN direct_pause.not_before < now() - interval '1 minute' THEN now()
                         ELSE direct_pause.since END
        """,
        workspace=place.workspace,
        model_id=place.model_id,
        pause_s=pause_s,
        why=why.replace("\x00", "")[:500],
    )


def waiting_models(connection: Connection) -> list[str]:
    """Models that nothing is sent to for now, each with its workspace and why, for people."""
    return fetch_column(
        connection,
        str,
        """
        SELECT model.name || ' of ' || workspace || ': ' || why FROM direct_pause
        JOIN model ON model.id = direct_pause.model_id WHERE not_before > now() ORDER BY 1
        """,
    )
