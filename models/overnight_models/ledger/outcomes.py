"""Recording what came back: outcome, bill, next state and delivery of many items, in one transaction.

A success is kept by any item that isn't final yet (the first one is kept); an error, an expiry or a cancel counts
only while the item still belongs to the batch that reports it, and no other submission of that batch may live
(R8). A line that was recorded before changes nothing, so that results can be read again from the start.

The items move first, by one statement a fate; what moved is known then, and the wide rows are written once, by COPY.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Final, NamedTuple

from sqlalchemy import Connection

from overnight_models.ledger import caching, settle
from overnight_models.ledger.database import copy_lines, copy_number, copy_text, one, rows
from overnight_models.outcome import Problem
from overnight_models.states import ITEM


class Fate(StrEnum):
    """What a result means for its item."""

    SUCCEED = "succeed"
    """An answer of use."""
    FAIL = "fail"
    """An answer, paid, but of no use."""
    FAIL_OWN = "fail_own"
    """No answer, and another try would end the same."""
    RETRY_OWN = "retry_own"
    """No answer; another try may bring one."""
    WAIT_OWN = "wait_own"
    """No answer, and not the item's fault: it waits again, and the try isn't counted."""


class Arrival(NamedTuple):
    """What came back for one item, decided and priced."""

    item_id: int
    fate: Fate
    problem: str | None = None
    detail: str | None = None
    retryable: bool = False
    message: bytes | None = None
    """JSON."""
    usage: bytes | None = None
    """The message's; JSON."""
    model: str | None = None
    billed: bool = False
    input_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    cost_nano: int | None = 0
    """None when the model that served it has no price."""
    realtime_nano: int | None = 0
    thinking_nano: int = 0
    """What the thinking cost; part of the cost."""


@dataclass(frozen=True)
class Source:
    """Where arrivals come from."""

    submission_id: int | None
    batch_id: int
    """0 of those that stood in none."""
    api_batch_id: str | None
    only_live: bool
    """No other submission of the batch may still run: what it reports against an item counts."""
    via: str = "batch"
    has_prefixes: bool = False
    """What its answers read from the cache, and wrote to it, is measured."""


UNSENT: Final = Source(submission_id=None, batch_id=0, api_batch_id=None, only_live=False)
"""Items that fail before they are packed."""


@dataclass(frozen=True)
class Recorded:
    """What recording did."""

    succeeded: int = 0
    failed: int = 0
    retried: int = 0
    paid_twice: int = 0
    """Answers that were billed for items that had their outcome already."""
    due: int = 0
    """Deliveries that are due now."""
    claimed: tuple[int, ...] = ()
    """Items whose deliveries whoever recorded them is to hand over now; not part of a sum."""

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(**{name: n + getattr(other, name) for name, n in self.counts().items()})

    def counts(self) -> dict[str, int]:
        """The numbers by name."""
        return {name: getattr(self, name) for name in ("succeeded", "failed", "retried", "paid_twice", "due")}


class _Settled(NamedTuple):
    """An item that has just become final."""

    id: int
    lane_id: int
    tenant_id: int | None
    run_id: int | None
    target_id: int | None
    callback_size: int
    attempts: int
    cancel_wanted: bool


def record(
    connection: Connection,
    source: Source,
    arrivals: Sequence[Arrival],
    *,
    max_attempts: int,
    claim: Collection[int] = (),
    lease_s: float = 0,
) -> Recorded:
    """Record what came back.

    claim: targets whose deliveries the caller hands over right after its commit: nobody else does within the lease.
    """
    by_fate: dict[Fate, list[int]] = {fate: [] for fate in Fate}
    for arrival in arrivals:
        by_fate[arrival.fate].append(arrival.item_id)
    succeeded = _settle(connection, "succeed", by_fate[Fate.SUCCEED])
    failed = _settle(connection, "fail", by_fate[Fate.FAIL])
    again: set[int] = set()
    if source.only_live:
        own = source.batch_id
        again = _wait_again(connection, own, by_fate[Fate.RETRY_OWN], counts=1, max_attempts=max_attempts)
        again |= _wait_again(connection, own, by_fate[Fate.WAIT_OWN], counts=0, max_attempts=max_attempts + 1)
        # also those that have been tried often enough, or that nobody wants any more: nobody else brings them home
        over = (*by_fate[Fate.FAIL_OWN], *by_fate[Fate.RETRY_OWN], *by_fate[Fate.WAIT_OWN])
        failed += _settle(connection, "fail", [item_id for item_id in over if item_id not in again], own=own)
    settled = {one.id: one for one in (*succeeded, *failed)}
    _write_outcomes(connection, source, arrivals, settled)
    wanted = [one for one in settled.values() if one.target_id is not None and not one.cancel_wanted]
    claimed = tuple(one.id for one in wanted if one.target_id in claim)
    sizes = {one.item_id: len(one.message or b"") for one in arrivals}
    _write_deliveries(connection, wanted, sizes, claim, lease_s)
    doubles = _bill(connection, source, arrivals, settled)
    if source.has_prefixes and source.submission_id is not None:
        new = [one for one in arrivals if one.billed and one.item_id in settled]
        caching.measure(
            connection,
            source.submission_id,
            [one.item_id for one in new],
            [one.cache_read_tokens for one in new],
            [one.cache_write_5m_tokens + one.cache_write_1h_tokens for one in new],
        )
    if settle.is_budgeted(connection, source.batch_id):
        known = {one.item_id: None if one.problem == Problem.GIVEN_UP else one.cost_nano for one in arrivals}
        settle.settle(connection, source.batch_id, {item_id: known[item_id] for item_id in settled})
        settle.charge(connection, source.batch_id, {one.item_id: one.cost_nano for one in doubles})
        settle.free(connection, source.batch_id, again)
    paid_twice = len(doubles)
    return Recorded(len(succeeded), len(failed), len(again), paid_twice, len(wanted) - len(claimed), claimed)


def _settle(connection: Connection, move: str, item_ids: Iterable[int], own: int | None = None) -> list[_Settled]:
    """Items become final; those that are already, or aren't in that batch any more, are passed over."""
    # in the order of ids, so that two recorders of the same items take turns and don't deadlock
    ordered = sorted(item_ids)
    if not ordered:
        return []
    moved = rows(
        connection,
        f"""
        UPDATE item SET {ITEM[move].set}, attempts = attempts + 1, waiting_since = NULL, held_by = NULL
        WHERE id = ANY(:ids) AND {ITEM[move].where} AND (CAST(:own AS bigint) IS NULL OR batch_id = :own)
        RETURNING id, lane_id, tenant_id, run_id, target_id, callback_size, attempts, cancel_wanted
        """,
        ids=ordered,
        own=own,
    )
    return [_Settled(*row) for row in moved]


def _wait_again(
    connection: Connection, batch_id: int, item_ids: Iterable[int], *, counts: int, max_attempts: int
) -> set[int]:
    """Items that may be tried again wait again, from now on. counts: what this try adds to their attempts."""
    ordered = sorted(item_ids)
    if not ordered:
        return set()
    moved = rows(
        connection,
        f"""
        UPDATE item
        SET {ITEM["retry"].set}, attempts = attempts + :counts, batch_id = NULL, waiting_since = now()
        WHERE id = ANY(:ids) AND batch_id = :batch_id AND attempts + 1 < :max_attempts AND NOT cancel_wanted
          AND {ITEM["retry"].where}
        RETURNING id
        """,
        ids=ordered,
        batch_id=batch_id,
        counts=counts,
        max_attempts=max_attempts,
    )
    return {row[0] for row in moved}


def _write_outcomes(
    connection: Connection, source: Source, arrivals: Sequence[Arrival], settled: dict[int, _Settled]
) -> None:
    """The outcomes of what has become final."""
    if not settled:
        return
    submission, via, api_batch_id = (
        copy_number(source.submission_id),
        source.via.encode(),
        copy_text(source.api_batch_id),
    )
    outcomes = []
    for arrival in arrivals:
        item = settled.get(arrival.item_id)
        if item is None:
            continue
        outcomes.append(
            b"%d\t%b\t%b\t%d\t%b\t%b\t%b\t%b\t%b\t%b\t%b\n"
            % (
                item.id,
                submission,
                _counted(arrival),
                item.attempts,
                b"t" if arrival.problem is None else b"f",
                b"t" if arrival.retryable else b"f",
                b"t" if arrival.billed else b"f",
                via,
                b"%b\t%b\t%b" % (_text(arrival.problem), _text(arrival.detail), _text(arrival.model)),
                api_batch_id,
                copy_text(arrival.message),
            )
        )
    copy_lines(
        connection,
        f"outcome (item_id, submission_id, {_COUNTED}, attempts, ok, retryable, billed, via, problem, detail, model,"
        " api_batch_id, message)",
        b"".join(outcomes),
    )


def _write_deliveries(
    connection: Connection, wanted: Sequence[_Settled], sizes: Mapping[int, int], claim: Collection[int], lease_s: float
) -> None:
    """A delivery each: due now, or being sent already."""
    if not wanted:
        return
    row = one(
        connection,
        "SELECT now()::text AS now, (now() + make_interval(secs => :lease_s))::text AS lapses",
        lease_s=lease_s,
    )
    assert row is not None
    due = b"due\t%b\t0" % row["now"].encode()
    sending = b"sending\t%b\t1" % row["lapses"].encode()
    lines = (
        b"%d\t%d\t%d\t%d\t%b\n"
        % (
            item.id,
            item.lane_id,
            item.target_id,
            # quotes escaped, in its envelope
            (sizes[item.id] + item.callback_size) * 21 // 20 + 1700,
            sending if item.target_id in claim else due,
        )
        for item in wanted
        if item.target_id is not None
    )
    copy_lines(connection, "delivery (item_id, lane_id, target_id, size, state, due_at, tries)", b"".join(lines))


_MONEY = "cost_nano, realtime_nano"
_TOKENS = (
    "input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens"
)
_COUNTED = f"{_MONEY}, {_TOKENS}"
_SPENT = f"{_TOKENS}, thinking_nano"


def _counters(names: str) -> tuple[attrgetter[int], ...]:
    return tuple(map(attrgetter, names.split(", ")))


_MONEY_COUNTERS, _SPENT_COUNTERS = _counters(_MONEY), _counters(_SPENT)


def _counted(arrival: Arrival) -> bytes:
    return b"%b\t%d\t%d\t%d\t%d\t%d\t%d" % (
        # both have a price, or neither
        b"\\N\t\\N"
        if arrival.cost_nano is None or arrival.realtime_nano is None
        else b"%d\t%d" % (arrival.cost_nano, arrival.realtime_nano),
        arrival.input_tokens,
        arrival.cache_write_5m_tokens,
        arrival.cache_write_1h_tokens,
        arrival.cache_read_tokens,
        arrival.output_tokens,
        arrival.thinking_tokens,
    )


def _text(value: str | None) -> bytes:
    """A NUL, which a model may say and Postgres can't keep, doesn't keep the others from being recorded."""
    return copy_text(value if value is None else value.replace("\x00", "\ufffd"))


def _bill(
    connection: Connection, source: Source, arrivals: Sequence[Arrival], settled: dict[int, _Settled]
) -> list[Arrival]:
    """What was billed and isn't kept gets rows of its own; both are added up. Returns those that weren't kept."""
    kept = [arrival for arrival in arrivals if arrival.billed and arrival.item_id in settled]
    doubles = _doubles(connection, source, [one for one in arrivals if one.billed and one.item_id not in settled])
    _add_up(connection, source, kept, settled, paid_twice=False)
    if doubles:
        owners = _owners(connection, source, [one.item_id for one in doubles])
        _add_up(connection, source, doubles, owners, paid_twice=True)
    return doubles


class _Owners(NamedTuple):
    """Whose an item is."""

    id: int
    lane_id: int
    tenant_id: int | None
    run_id: int | None


def _owners(connection: Connection, source: Source, item_ids: list[int]) -> dict[int, _Owners]:
    """Whose items are; of those that a restored ledger has forgotten, only the lane of their batch is known."""
    found = rows(
        connection,
        """
        SELECT asked.id, coalesce(item.lane_id, batch.lane_id), item.tenant_id, item.run_id
        FROM unnest(CAST(:ids AS bigint[])) AS asked (id)
        JOIN batch ON batch.id = :batch_id LEFT JOIN item ON item.id = asked.id
        """,
        ids=item_ids,
        batch_id=source.batch_id,
    )
    return {row[0]: _Owners(*row) for row in found}


def _add_up(
    connection: Connection,
    source: Source,
    billed: Sequence[Arrival],
    items: Mapping[int, _Settled] | Mapping[int, _Owners],
    *,
    paid_twice: bool,
) -> None:
    """Add to the spending what was billed: a row for each lane, tenant, run and model, with a price or without."""
    parts: defaultdict[tuple[int, int | None, int | None, str | None, bool], list[Arrival]] = defaultdict(list)
    for arrival in billed:
        item = items[arrival.item_id]
        parts[item.lane_id, item.tenant_id, item.run_id, arrival.model, arrival.cost_nano is None].append(arrival)
    lines = (
        b"%b\t%d\t%b\t%b\t%b\t%d\t%d\t%d\t%b\t%b\n"
        % (
            copy_number(source.submission_id),
            lane_id,
            copy_number(tenant_id),
            copy_number(run_id),
            _text(model or ""),
            len(part),
            len(part) if paid_twice else 0,
            len(part) if is_unpriced else 0,
            b"0\t0" if is_unpriced else _sums(_MONEY_COUNTERS, part),
            _sums(_SPENT_COUNTERS, part),
        )
        for (lane_id, tenant_id, run_id, model, is_unpriced), part in parts.items()
    )
    if parts:
        copy_lines(
            connection,
            "spending (submission_id, lane_id, tenant_id, run_id, model, answers, paid_twice, unpriced,"
            f" {_MONEY}, {_SPENT})",
            b"".join(lines),
        )


def _sums(counters: Sequence[attrgetter[int]], part: Sequence[Arrival]) -> bytes:
    return b"\t".join(b"%d" % sum(map(counter, part)) for counter in counters)


def _doubles(connection: Connection, source: Source, unkept: list[Arrival]) -> list[Arrival]:
    """Those that weren't recorded before, written."""
    if not unkept:
        return []
    known = {
        row[0]
        for row in rows(
            connection,
            """
            SELECT item_id FROM outcome WHERE item_id = ANY(:ids) AND submission_id = :submission_id
            UNION ALL SELECT item_id FROM double WHERE item_id = ANY(:ids) AND submission_id = :submission_id
            """,
            ids=[arrival.item_id for arrival in unkept],
            submission_id=source.submission_id,
        )
    }
    new = [arrival for arrival in unkept if arrival.item_id not in known]
    if new:
        lines = (
            b"%d\t%b\t%b\t%b\n"
            % (one.item_id, copy_number(source.submission_id), _counted(one), _text(one.model or ""))
            for one in new
        )
        copy_lines(connection, f"double (item_id, submission_id, {_COUNTED}, model)", b"".join(lines))
    return new
