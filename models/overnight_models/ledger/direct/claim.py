"""Claiming: items that one process sends in real time, and nobody else; taken, let go, given back.

Whatever was let go when its process dies may have been billed. So no more is taken than can be sent at once, and
nothing is let go that has to wait.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger import direct_calls, prefixes
from overnight_models.ledger.bodies.requests import hold, read_requests
from overnight_models.ledger.cancel import cancel
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.direct import places
from overnight_models.ledger.direct.places import DUE, Place
from overnight_models.ledger.money import settle
from overnight_models.ledger.pack import reserve
from overnight_models.ledger.pack.reserve import BOOKED, HELD, JUDGED, Allowance
from overnight_models.ledger.pack.turns import Candidates
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only, fetch_value, fitting
from overnight_models.money.prices import Prices
from overnight_models.states import ITEM

_PASSED_OVER: Final = 200
"""Items that a look shows beyond those that can be sent now: others have some of them, the rest is for the next."""


class Asked(NamedTuple):
    """What one item of a claim asks."""

    item_id: int
    params: bytes
    """JSON; its own part."""
    prefix_id: int | None
    schema_id: int | None
    shape_id: int | None
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
    next_in_turn: Sequence[int] = ()
    """Whose turn it is after those: for the next time, as long as that is a moment away."""


class _Locked(NamedTuple):
    """An item that this transaction has locked."""

    id: int
    state: str
    direct_at: datetime
    size: int
    prefix_id: int | None


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
    limit: int,
    max_bytes: float,
    counts_first: bool,
    in_turn: Sequence[int] = (),
    max_calls: int | None = None,
    chain_cap_nano: int | None = None,
) -> Taken:
    """Take the items there whose turn it is, in the order in which they go.

    What a budget can't take is held, and what can't be read.

    claim: to which they are added; None for a new one. One that was taken from this process is followed by a new one.
    limit: no more than these can be sent at once.
    max_bytes: of requests that are in memory; the first is taken however large it is.
    counts_first: those that nobody has measured yet stay where they are.
    in_turn: whose turn it was a moment ago (`next_in_turn`); asked anew where those are fewer than can be sent.
    max_calls: of the lane under way at once, over all workers; None: it has no bound.
    chain_cap_nano: what all items of one trace may cost together.
    """
    if max_calls is not None:
        limit = min(limit, places.room(connection, place.lane_id, max_calls))
    # others look at this moment too, and what they have locked is passed over
    order = in_turn
    if len(order) < limit:
        order = places.in_turns(connection, place, limit + _PASSED_OVER, counts_first=counts_first)
    if not (order and limit):
        return Taken(claim)
    # asked before anything is changed, see `budgets.set_budget`
    which = Candidates("SELECT * FROM item WHERE id = ANY(:asked)", place.lane_id, {"asked": order})
    allowance = reserve.allowance(connection, which, prices, batch=False, chain_cap_nano=chain_cap_nano)
    locked = _lock(connection, order, limit, max_bytes)
    after = order[order.index(locked[-1].id) + 1 :] if locked else ()
    requests = read_requests(connection, [row.id for row in locked])
    damaged = {**requests.damaged, **_without_prefix(connection, locked)}
    if damaged:
        _put_aside(connection, damaged)
        locked = [row for row in locked if row.id not in damaged]
    if not locked:
        return Taken(claim, next_in_turn=after)
    if claim is None or not _is_ours(connection, claim.id):
        claim = _begin(connection, place, owner=owner, lease_s=lease_s)
    held = _move(connection, claim, locked, allowance)
    return Taken(claim, _asked(connection, claim, [row.id for row in locked], requests.texts), held, after)


def _lock(connection: Connection, order: Sequence[int], limit: int, max_bytes: float) -> list[_Locked]:
    """Those of them that nobody else has at this moment, in that order."""
    rows = fetch_all(
        connection,
        _Locked,
        f"""
        SELECT id, state, direct_at, size, prefix_id FROM item WHERE id = ANY(:ids) AND {DUE}
        ORDER BY array_position(CAST(:ids AS bigint[]), id) LIMIT :most FOR UPDATE SKIP LOCKED
        """,
        ids=list(order),
        most=limit,
    )
    return rows[: fitting((row.size for row in rows), max_bytes)]


def _without_prefix(connection: Connection, locked: Sequence[_Locked]) -> dict[int, str]:
    """Those whose prefixes can't be read, and why."""
    going_on = {row.id: row.prefix_id for row in locked if row.prefix_id is not None}
    whys = prefixes.unreadable(connection, set(going_on.values())) if going_on else {}
    return {item_id: whys[prefix_id] for item_id, prefix_id in going_on.items() if prefix_id in whys}


def _put_aside(connection: Connection, damaged: Mapping[int, str]) -> None:
    """What can't be read is held; where a batch has it, that is the batch's: it is looked at again in a minute."""
    hold(connection, damaged)
    _look_again_later(connection, list(damaged))


class _Claimed(NamedTuple):
    """An `Asked` as the tables have it."""

    item_id: int
    prefix_id: int | None
    schema_id: int | None
    shape_id: int | None
    size: int
    max_tokens: int


def _asked(connection: Connection, claim: Claim, item_ids: Sequence[int], texts: Mapping[int, bytes]) -> list[Asked]:
    """What those of them ask that are in the claim, in that order."""
    claimed = fetch_all(
        connection,
        _Claimed,
        """
        SELECT item.id AS item_id, prefix_id, schema_id, shape_id, size, max_tokens
        FROM unnest(CAST(:ids AS bigint[])) WITH ORDINALITY AS taken (id, place)
        JOIN direct_call ON direct_call.item_id = taken.id AND claim_id = :id
        JOIN item ON item.id = taken.id
        ORDER BY taken.place
        """,
        id=claim.id,
        ids=list(item_ids),
    )
    return [Asked(row.item_id, texts[row.item_id], *row[1:]) for row in claimed]


_OURS: Final = "SELECT id FROM direct_claim WHERE id = :id AND done_at IS NULL FOR SHARE"


def _is_ours(connection: Connection, claim_id: int) -> bool:
    """Whether nobody has taken a claim from its owner, nor does until the transaction ends."""
    return fetch_value(connection, int, _OURS, id=claim_id) is not None


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


def _move(connection: Connection, claim: Claim, locked: Sequence[_Locked], allowance: Allowance | None) -> int:
    """Items leave where they were: those that wait, and those whose batch goes on beside. Returns how many are held."""
    held = 0
    put_off = _being_built(connection, locked)
    for move in (ITEM.urge, ITEM.race):
        rows = [row for row in locked if row.state in move.before and row.id not in put_off]
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
        _look_again_later(connection, [row.id for row in locked if row.id not in put_off])
    return held


def _being_built(connection: Connection, locked: Sequence[_Locked]) -> set[int]:
    """Those whose batch is being written for the API right now: looked at again when it is, or isn't, on its way.

    Whether its body has them isn't known before; an item that is in no body, and in no call, would never be answered.
    """
    batched = [row.id for row in locked if row.state in ITEM.race.before]
    if not batched:
        return set()
    put_off = fetch_column(
        connection,
        int,
        f"""
        UPDATE item SET direct_at = now() + interval '5 seconds'
        WHERE id = ANY(:ids) AND {ITEM.race.where} AND batch_id NOT IN (
            -- what is locked now doesn't begin to be written before this transaction is over
            SELECT batch.id FROM batch WHERE batch.id = ANY(ARRAY(SELECT batch_id FROM item WHERE id = ANY(:ids)))
              AND NOT EXISTS (SELECT FROM submission WHERE batch_id = batch.id AND submission.state = 'claimed')
            FOR SHARE SKIP LOCKED
        )
        RETURNING id
        """,
        ids=batched,
    )
    return set(put_off)


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
            SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
                   asked.place,
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
            RETURNING item.id, lane_id, tenant_id, run_id, chain_id, chosen.reserve AS reserved_nano, chosen.place
        ),
        {f"{BOOKED}," if within else ""}
        called AS (
            INSERT INTO direct_call (item_id, claim_id, direct_at, reserved_nano)
            SELECT id, :claim_id, place, reserved_nano FROM moved
        )
        SELECT {"(SELECT count(*) FROM held)" if within else "0::bigint"} AS held
    """


def authorize_calls(connection: Connection, claim_id: int, item_ids: Collection[int]) -> bool:
    """Their bytes are about to be written: from now on they may have been billed.

    False when somebody has taken this process for dead: then none of them is sent.
    """
    gone = execute(
        connection,
        f"""
        WITH ours AS ({_OURS})
        UPDATE direct_call SET let_go_at = clock_timestamp() FROM ours
        WHERE claim_id = ours.id AND item_id = ANY(:ids)
        """,
        id=claim_id,
        ids=list(item_ids),
    )
    return gone > 0


def give_back(connection: Connection, claim_id: int, number: int, item_ids: Collection[int]) -> int:
    """Items that were never sent are again where they were, in their old places; it costs nothing.

    What its owner has taken back meanwhile is canceled. Returns how many calls have ended so.
    """
    budgeted = settle.is_budgeted(connection, number)
    ended = direct_calls.end(connection, claim_id, item_ids)
    waiting = direct_calls.go_back(connection, ended)
    direct_calls.fall_back(connection, {item_id: call for item_id, call in ended.items() if item_id not in waiting}, 0)
    if budgeted:
        settle.end_calls(connection, number, {item_id: (call.reserved_nano, 0) for item_id, call in ended.items()})
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
