"""All that the ledger of the direct road can be asked."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models.ledger import direct_calls
from overnight_models.ledger.collect import caching
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.caching import Choice
from overnight_models.ledger.direct import claim, pauses, places, record
from overnight_models.ledger.direct.claim import Claim, Taken
from overnight_models.ledger.money import budgets
from overnight_models.ledger.rows import execute, fetch_column
from overnight_models.wire.outcome import Problem
from overnight_workers import process

RULES = record.Rules(max_attempts=3, max_maybe_billed=1)


def ask_direct(connection: Connection) -> None:
    """Items that wait and items in batches are taken, let go, answered, lost, given back and brought home."""
    execute(connection, "UPDATE item SET direct_at = now() WHERE state = 'waiting' AND batch_id IS NULL")
    (place,) = places.sources(connection, ["default"])[:1]
    taken = _take(connection, None, 2)
    assert taken.claim is not None
    assert taken.claim.place == place
    budgets.set_budget(connection, "lane", place.lane_id, "day", 10**12, process.prices(), strict=True)
    more = _take(connection, taken.claim, 2)
    assert more.claim == taken.claim
    ids = [call.item_id for call in (*taken.asked, *more.asked)]
    prefixed = [call.item_id for call in (*taken.asked, *more.asked) if call.prefix_id is not None]
    _caching(connection, taken.claim, prefixed or ids)
    assert claim.authorize_calls(connection, taken.claim.id, ids)
    claim.extend(connection, [taken.claim.id], owner=1, lease_s=60)
    pauses.pause(connection, place, "slow down", pause_s=0)
    pauses.waiting_models(connection)
    assert [call.item_id for call in direct_calls.not_ended(connection, [taken.claim.id])] == sorted(ids)
    _record(connection, taken.claim, ids)
    claim.give_back(connection, taken.claim.id, taken.claim.number, ids[3:])
    claim.close(connection, [taken.claim.id])
    execute(connection, "UPDATE direct_claim SET lease_until = now() - interval '1 minute', done_at = NULL")
    assert record.abandoned(connection, lease_s=60, limit=10)


def _take(connection: Connection, before: Claim | None, limit: int) -> Taken:
    (place,) = places.sources(connection, ["default"])[:1]
    return claim.take(
        connection,
        place,
        before,
        process.prices(),
        owner=1,
        lease_s=60,
        limit=limit,
        max_bytes=1_000_000,
        counts_first=False,
        max_calls=10,
    )


def _caching(connection: Connection, taken: Claim, item_ids: list[int]) -> None:
    groups = caching.groups_of_items(connection, item_ids)
    choices = [Choice(group, "5m", "it pays") for group in groups]
    counts = {group.prefix_id: 1 for group in groups}
    caching.note_calls(connection, taken.id, taken.place.lane_id, choices, counts)


def _record(connection: Connection, taken: Claim, ids: list[int]) -> None:
    """An answer, a refusal, a lost answer, and one that comes after it was given up."""
    source = Source(taken.id, taken.number, None, only_live=True, via="direct")
    answer = Arrival(ids[0], Fate.SUCCEED, message=b"{}", model="m", billed=True, cost_nano=1, realtime_nano=1)
    refusal = Arrival(ids[1], Fate.FAIL_OWN, problem=Problem.ERRORED)
    for _ in range(2):
        record.record(connection, source, [answer, refusal], {ids[2]: "it broke off"}, process.prices(), RULES)


def ask_racing(connection: Connection) -> None:
    """Items in a batch are sent beside it: the call ends first without an answer, or the batch does."""
    execute(
        connection,
        """
        UPDATE item SET state = 'batched', waiting_since = NULL, direct_at = now(),
               batch_id = (SELECT max(id) FROM batch)
        WHERE state = 'waiting'
        """,
    )
    taken = _take(connection, None, 2)
    assert taken.claim is not None
    first, *_ = [call.item_id for call in taken.asked]
    claim.authorize_calls(connection, taken.claim.id, [first])
    source = Source(taken.claim.id, taken.claim.number, None, only_live=True, via="direct")
    record.record(connection, source, [], {first: "it broke off"}, process.prices(), RULES)
    assert fetch_column(connection, str, "SELECT state FROM item WHERE id = :id", id=first) == ["batched"]
