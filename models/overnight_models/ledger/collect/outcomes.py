"""Recording what came back: outcome, bill, next state and delivery of many items, in one transaction.

A success is kept by any item that isn't final yet (the first one is kept); an error, an expiry or a cancel counts
only while the item still belongs to the batch that reports it, and no other submission of that batch may live
(R8). A line that was recorded before changes nothing, so that results can be read again from the start.

The items move first, by one statement a fate; what moved is known then, and the wide rows are written once, by COPY.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from overnight_models.ledger import deployment, direct_calls, following, names
from overnight_models.ledger.bodies import answers
from overnight_models.ledger.bodies.encryption import writing_keys
from overnight_models.ledger.bodies.groups import Body, Place
from overnight_models.ledger.collect import asking_again, caching, deliveries, spending
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.deliveries import Finalized
from overnight_models.ledger.collect.spending import COUNTED, counted, counted_short
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import copy_foreign, copy_json, copy_lines, copy_number, copy_text
from overnight_models.ledger.direct_calls import Ended
from overnight_models.ledger.money import settle
from overnight_models.ledger.roads import kept
from overnight_models.ledger.rows import fetch_all, fetch_column
from overnight_models.states import ITEM, Move
from overnight_models.wire.outcome import Problem


@dataclass(frozen=True)
class Recorded:
    """What recording did."""

    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    paid_twice: int = 0
    """Answers that were billed for items that had their outcome already, and weren't rescued."""
    due: int = 0
    """Deliveries that are due now."""
    claimed: Mapping[int, int | None] = field(default_factory=dict)
    """Items whose deliveries whoever recorded them is to hand over now, each with its hand-over; None: it has a row.
    Not part of a sum."""

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(**{name: n + getattr(other, name) for name, n in self.counts().items()})

    def counts(self) -> dict[str, int]:
        """The numbers by name."""
        return {name: getattr(self, name) for name in ("succeeded", "failed", "retried", "paid_twice", "due")}


_WITHOUT_ANSWER: Final = (Fate.FAIL_OWN, Fate.RETRY_OWN, Fate.WAIT_OWN)
_FIRST_PAUSE_S: Final = 1.0
"""Before an item's next direct call; with each try twice as long."""


_LONGEST_NUMBERED: Final = 100
"""Characters of a model's name that has a number: others say whatever they like."""
_NO_PLACE: Final = b"\t\\N\t\\N\t\\N"


def record(
    connection: Connection,
    source: Source,
    arrivals: Sequence[Arrival],
    *,
    max_attempts: int,
    again_if_invalid: asking_again.Rule = asking_again.NEVER,
    claim: Collection[int] = (),
    lease_s: float = 0,
    calls: Mapping[int, Ended] | None = None,
) -> Recorded:
    """Record what came back.

    again_if_invalid: when an answer that isn't of its schema is asked for again.
    calls: on the direct road, the calls that this transaction has ended, by item: errors count for these alone.
    claim: targets whose deliveries the caller hands over right after its commit: nobody else does within the lease.
    """
    budgeted = settle.is_budgeted(connection, source.batch_id)
    by_fate: dict[Fate, list[int]] = {fate: [] for fate in Fate}
    for arrival in arrivals:
        by_fate[arrival.fate].append(arrival.item_id)
    succeeded = _finalize(connection, ITEM.succeed, by_fate[Fate.SUCCEED])
    failed = _finalize(connection, ITEM.fail, by_fate[Fate.FAIL])
    if calls is not None:
        again, given_up = _end_calls(connection, by_fate, calls, max_attempts=max_attempts)
    else:
        again, given_up = _leave_batch(connection, source, by_fate, max_attempts=max_attempts)
    failed += given_up
    settled = {item.id: item for item in (*succeeded, *failed)}
    sizes = {arrival.item_id: len(arrival.message or b"") for arrival in arrivals}
    # what has failed may be asked again: that has no delivery
    at_once = [item for item in succeeded if item.target_id in claim]
    handed = deliveries.begin_hand_overs(connection, at_once, sizes, lease_s)
    _write_outcomes(connection, source, arrivals, settled, handed)
    asked = asking_again.ask_again(connection, arrivals, {item.id for item in failed}, again_if_invalid)
    ended = [item for item in settled.values() if item.id not in asked]
    wanted = [item for item in ended if item.is_delivered]
    claimed = {item.id: handed.get(item.id) for item in wanted if item.target_id in claim}
    deliveries.write(connection, [item for item in wanted if item.id not in handed], sizes, claim, lease_s)
    followed = following.answer(connection, settled) if settled else 0
    doubles = spending.bill(connection, source, arrivals, settled)
    _measure_caching(connection, source, arrivals, settled)
    if budgeted:
        _settle(connection, source, arrivals, settled, doubles, again, calls)
    paid_twice = len(doubles) - _note_deadlines(connection, source, arrivals, ended, doubles)
    return Recorded(
        len(succeeded),
        len(failed) - len(asked),
        len(again) + len(asked),
        paid_twice,
        len(wanted) - len(claimed) + followed,
        claimed,
    )


def _measure_caching(
    connection: Connection, source: Source, arrivals: Sequence[Arrival], settled: Collection[int]
) -> None:
    """What the new answers of a batch with prefixes read of the cache, and wrote to it."""
    if not source.has_prefixes or source.submission_id is None:
        return
    new = [arrival for arrival in arrivals if arrival.billed and arrival.item_id in settled]
    caching.measure(
        connection,
        source.submission_id,
        [arrival.item_id for arrival in new],
        [arrival.cache_read_tokens for arrival in new],
        [arrival.cache_write_5m_tokens + arrival.cache_write_1h_tokens for arrival in new],
    )


def _note_deadlines(
    connection: Connection,
    source: Source,
    arrivals: Sequence[Arrival],
    ended: Sequence[Finalized],
    doubles: Sequence[Arrival],
) -> int:
    """Deadlines were kept or missed. Returns how many answers were paid twice because an item was rescued."""
    wanted = {item.id for item in ended if item.deadline is not None}
    costs = {arrival.item_id: arrival.cost_nano or 0 for arrival in arrivals if arrival.item_id in wanted}
    kept.note_settled(connection, costs, direct=source.via == "direct")
    return kept.note_doubles(
        connection, {arrival.item_id: arrival.cost_nano or 0 for arrival in doubles}, via=source.via
    )


def _cost(arrival: Arrival) -> int | None:
    """What an arrival cost; None when it may have been billed, and nobody can know at what."""
    return None if arrival.problem == Problem.GIVEN_UP or arrival.may_be_billed else arrival.cost_nano


def _settle(
    connection: Connection,
    source: Source,
    arrivals: Sequence[Arrival],
    settled: Collection[int],
    doubles: Sequence[Arrival],
    again: Collection[int],
    calls: Mapping[int, Ended] | None,
) -> None:
    """What budgets had reserved is spent, or free again."""
    costs = {arrival.item_id: _cost(arrival) for arrival in arrivals}
    if calls is not None:
        ended = {item_id: (call.reserved_nano, costs[item_id]) for item_id, call in calls.items()}
        settle.end_calls(connection, source.batch_id, ended)
        return
    settle.settle(connection, source.batch_id, {item_id: costs[item_id] for item_id in settled})
    settle.charge(connection, source.batch_id, {double.item_id: double.cost_nano for double in doubles})
    settle.free(connection, source.batch_id, again)


def _leave_batch(
    connection: Connection, source: Source, by_fate: Mapping[Fate, list[int]], *, max_attempts: int
) -> tuple[set[int], list[Finalized]]:
    """What a batch brought no answer for. Returns what goes on without it, and what fails."""
    if not source.only_live:
        return set(), []
    own = source.batch_id
    again = _wait_again(connection, own, by_fate[Fate.RETRY_OWN], counts=1, max_attempts=max_attempts)
    again |= _wait_again(connection, own, by_fate[Fate.WAIT_OWN], counts=0, max_attempts=max_attempts + 1)
    # also those that have been tried often enough, or that nobody wants any more: nobody else brings them home
    over = [item_id for fate in _WITHOUT_ANSWER for item_id in by_fate[fate] if item_id not in again]
    again |= _outlast(connection, own, over)
    left = [item_id for item_id in over if item_id not in again]
    return again, _finalize(connection, ITEM.fail, left, own=own)


def _end_calls(
    connection: Connection, by_fate: Mapping[Fate, list[int]], calls: Mapping[int, Ended], *, max_attempts: int
) -> tuple[set[int], list[Finalized]]:
    """What direct calls brought no answer for. Returns what is tried again or stands in its batch, and what fails."""
    refused, retried, back = ({i: calls[i] for i in by_fate[fate] if i in calls} for fate in _WITHOUT_ANSWER)
    again = direct_calls.fall_back(connection, refused, None)
    again |= direct_calls.fall_back(connection, {**retried, **back}, _FIRST_PAUSE_S)
    again |= direct_calls.try_again(connection, retried, max_attempts=max_attempts, pause_s=_FIRST_PAUSE_S)
    again |= direct_calls.go_back(connection, back)
    left = [item_id for item_id in (*refused, *retried, *back) if item_id not in again]
    return again, _finalize(connection, ITEM.fail, left)


def _finalize(connection: Connection, move: Move, item_ids: Iterable[int], own: int | None = None) -> list[Finalized]:
    """Items become final; those that are already, or aren't in that batch any more, are passed over."""
    # in the order of ids, so that two recorders of the same items take turns and don't deadlock
    ordered = sorted(item_ids)
    if not ordered:
        return []
    return fetch_all(
        connection,
        Finalized,
        f"""
        UPDATE item SET {move.set}, attempts = attempts + 1, waiting_since = NULL, held_by = NULL,
               direct_at = NULL
        WHERE id = ANY(:ids) AND {move.where} AND (CAST(:own AS bigint) IS NULL OR batch_id = :own)
        RETURNING id, lane_id, batch_id, tenant_id, run_id, target_id, callback_size, attempts, cancel_wanted, deadline,
                  purged
        """,
        ids=ordered,
        own=own,
    )


def _wait_again(
    connection: Connection, batch_id: int, item_ids: Iterable[int], *, counts: int, max_attempts: int
) -> set[int]:
    """Items that may be tried again wait again, from now on. counts: what this try adds to their attempts."""
    ordered = sorted(item_ids)
    if not ordered:
        return set()
    moved = fetch_column(
        connection,
        int,
        f"""
        UPDATE item
        SET {ITEM.retry.set}, attempts = attempts + :counts, batch_id = NULL, waiting_since = now()
        WHERE id = ANY(:ids) AND batch_id = :batch_id AND attempts + 1 < :max_attempts AND NOT cancel_wanted
          AND {ITEM.retry.where}
        RETURNING id
        """,
        ids=ordered,
        batch_id=batch_id,
        counts=counts,
        max_attempts=max_attempts,
    )
    return set(moved)


def _outlast(connection: Connection, batch_id: int, item_ids: Iterable[int]) -> set[int]:
    """Items for which their batch brought nothing, while they are being sent in real time: those calls go on."""
    ordered = sorted(item_ids)
    if not ordered:
        return set()
    moved = fetch_column(
        connection,
        int,
        f"""
        UPDATE item SET {ITEM.outlast.set}, batch_id = NULL
        WHERE id = ANY(:ids) AND batch_id = :batch_id AND {ITEM.outlast.where} RETURNING id
        """,
        ids=ordered,
        batch_id=batch_id,
    )
    return set(moved)


def _write_outcomes(
    connection: Connection,
    source: Source,
    arrivals: Sequence[Arrival],
    settled: dict[int, Finalized],
    handed: Collection[int],
) -> None:
    """The outcomes of what has become final."""
    if not settled:
        return
    outcomes, submission = [], copy_number(source.submission_id)
    short = deployment.short(connection)
    count = counted_short if short.outcomes else counted
    via = copy_text(None if short.outcomes and source.via == "batch" else source.via)
    keys = writing_keys(connection, settled)
    places = _write_answers(connection, arrivals, settled, keys)
    models = _models(connection, arrivals, short=short.outcomes)
    api_batch_id = copy_text(source.api_batch_id)
    # a submission is kept as long as its batch has items, and says it
    of_own_batch = b"\\N" if short.rows else api_batch_id
    for arrival in arrivals:
        item = settled.get(arrival.item_id)
        if item is None:
            continue
        outcomes.append(
            b"%d\t%b\t%b\t%d\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\n"
            % (
                item.id,
                submission,
                count(arrival),
                item.attempts,
                b"t" if arrival.problem is None else b"f",
                b"t" if arrival.retryable else b"f",
                b"t" if arrival.billed else b"f",
                via,
                _why(arrival, item, keys),
                models[arrival.model],
                of_own_batch if item.batch_id == source.batch_id else api_batch_id,
                _message(keys, item, arrival, places.get(item.id)),
                b"t" if item.id in handed else b"f",
            )
        )
    copy_lines(
        connection,
        f"outcome (item_id, submission_id, {COUNTED}, attempts, ok, retryable, billed, via, problem, detail, model,"
        " model_id, api_batch_id, message, body_group, body_place, body_size, handed_over)",
        b"".join(outcomes),
    )


def _message(keys: Mapping[int, bytes], item: Finalized, arrival: Arrival, place: Place | None) -> bytes:
    """Its message, or where that lies in a group, as four columns of a COPY line."""
    if place is not None:
        return b"\\N\t%d\t%d\t%d" % (*place, len(arrival.message or b""))
    return copy_json(answers.own_text(keys, item.id, None if item.purged else arrival.message)) + _NO_PLACE


def _models(connection: Connection, arrivals: Sequence[Arrival], *, short: bool) -> dict[str | None, bytes]:
    """The models that have served, as two columns of a COPY line: a name, or a number."""
    served = {arrival.model for arrival in arrivals}
    named = {name for name in served if name is not None and len(name) <= _LONGEST_NUMBERED and "\x00" not in name}
    numbers = names.served_models(connection, named) if short and named else {}
    return {
        name: b"%b\t\\N" % copy_foreign(name) if name is None or name not in numbers else b"\\N\t%d" % numbers[name]
        for name in served
    }


def _why(arrival: Arrival, item: Finalized, keys: Mapping[int, bytes]) -> bytes:
    """Its problem and the detail of it."""
    if arrival.problem is None and arrival.detail is None:
        return b"\\N\t\\N"
    detail = None if item.purged else arrival.detail
    return b"%b\t%b" % (copy_foreign(arrival.problem), copy_foreign(answers.own_detail(keys, item.id, detail)))


def _write_answers(
    connection: Connection,
    arrivals: Sequence[Arrival],
    settled: Mapping[int, Finalized],
    keys: Mapping[int, bytes],
) -> dict[int, Place]:
    """Write the answers of what has become final in groups: not few that stand alone, nor what nobody can read."""
    bodies = [
        Body(item.id, item.tenant_id, arrival.message)
        for arrival in arrivals
        if arrival.message is not None
        and not arrival.is_raw
        and (item := settled.get(arrival.item_id)) is not None
        and not item.purged
    ]
    return answers.write(connection, bodies, keys)
