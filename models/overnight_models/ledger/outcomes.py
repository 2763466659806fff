"""Recording what came back: outcome, bill, next state and delivery of many items, in one transaction.

A success is kept by any item that isn't final yet (the first one is kept); an error, an expiry or a cancel counts
only while the item still belongs to the batch that reports it, and no other submission of that batch may live
(R8). A line that was recorded before changes nothing, so that results can be read again from the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from overnight_models.ledger.database import copy_in, count, one, run
from overnight_models.states import ITEM, Move


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


@dataclass(frozen=True)
class Arrival:
    """What came back for one item, decided and priced."""

    item_id: int
    fate: Fate
    problem: str | None = None
    detail: str | None = None
    retryable: bool = False
    message: str | None = None
    model: str | None = None
    billed: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    cost_nano: int = 0
    realtime_nano: int = 0


@dataclass(frozen=True)
class Source:
    """Where arrivals come from."""

    submission_id: int
    batch_id: int
    api_batch_id: str | None
    only_live: bool
    """No other submission of the batch may still run: what it reports against an item counts."""
    via: str = "batch"


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

    def __add__(self, other: Recorded) -> Recorded:
        return Recorded(*(a + b for a, b in zip(self.counts(), other.counts(), strict=True)))

    def counts(self) -> tuple[int, ...]:
        """The five numbers, in order."""
        return (self.succeeded, self.failed, self.retried, self.paid_twice, self.due)


_COLUMNS = tuple(Arrival.__dataclass_fields__)


def record(connection: Connection, source: Source, arrivals: Sequence[Arrival], *, max_attempts: int) -> Recorded:
    """Record what came back: one statement a fate, whatever the number of items."""
    count(
        connection,
        """
        CREATE TEMP TABLE IF NOT EXISTS arrived (
            item_id bigint PRIMARY KEY, fate text, problem text, detail text, retryable boolean,
            message text, model text, billed boolean, input_tokens integer, output_tokens integer,
            cache_write_5m_tokens integer, cache_write_1h_tokens integer, cache_read_tokens integer,
            cost_nano bigint, realtime_nano bigint
        ) ON COMMIT DELETE ROWS
        """,
    )
    copy_in(
        connection,
        f"arrived ({', '.join(_COLUMNS)})",
        (tuple(_storable(getattr(arrival, column)) for column in _COLUMNS) for arrival in arrivals),
    )
    # in the order of ids, so that two recorders of the same items take turns and don't deadlock
    run(
        connection,
        "SELECT FROM item WHERE id IN (SELECT item_id FROM arrived) ORDER BY id FOR UPDATE",
    )
    succeeded, due = _settle(connection, source, Fate.SUCCEED, ITEM["succeed"], "true")
    failed, due_too = _settle(connection, source, Fate.FAIL, ITEM["fail"], "true")
    paid_twice = _bill(connection, source)
    failed_own, due_own, retried = 0, 0, 0
    if source.only_live:
        own = "item.batch_id = :batch_id"
        retried = _wait_again(connection, source, Fate.RETRY_OWN, counts=1, max_attempts=max_attempts)
        retried += _wait_again(connection, source, Fate.WAIT_OWN, counts=0, max_attempts=max_attempts + 1)
        failed_own, due_own = _settle(connection, source, Fate.FAIL_OWN, ITEM["fail"], own)
        exhausted, due_exhausted = _settle(connection, source, Fate.RETRY_OWN, ITEM["fail"], own)
        # such as one that its owner doesn't want any more: nobody else would bring it home
        unwanted, due_unwanted = _settle(connection, source, Fate.WAIT_OWN, ITEM["fail"], own)
        failed_own, due_own = failed_own + exhausted + unwanted, due_own + due_exhausted + due_unwanted
    return Recorded(succeeded, failed + failed_own, retried, paid_twice, due + due_too + due_own)


def _storable(value: Any) -> Any:
    """A NUL, which a model may say and Postgres can't keep, doesn't keep the others from being recorded."""
    return value.replace("\x00", "\ufffd") if isinstance(value, str) else value


def _settle(connection: Connection, source: Source, fate: Fate, move: Move, belongs: str) -> tuple[int, int]:
    """Items of one fate get their outcome, and a delivery where one is wanted. Returns how many of each."""
    settled = one(
        connection,
        f"""
        WITH moved AS (
            UPDATE item SET {move.set}, attempts = attempts + 1
            FROM arrived
            WHERE item.id = arrived.item_id AND arrived.fate = :fate AND {belongs} AND {move.where}
            RETURNING item.id, item.lane_id, item.attempts, item.cancel_wanted
        ), told AS (
            INSERT INTO outcome (item_id, ok, problem, detail, retryable, message, model, cost_nano, realtime_nano,
                                 attempts, via, api_batch_id)
            SELECT moved.id, problem IS NULL, problem, detail, retryable, message, model, cost_nano, realtime_nano,
                   moved.attempts, :via, :api_batch_id
            FROM moved JOIN arrived ON arrived.item_id = moved.id
        ), due AS (
            INSERT INTO delivery (item_id, lane_id, state, broker, queue, size)
            SELECT moved.id, moved.lane_id, 'due',
                   coalesce(request.callback::json ->> 'broker', ''), request.callback::json ->> 'queue',
                   -- in base64, with its envelope
                   (octet_length(coalesce(arrived.message, '')) + octet_length(request.callback)) * 4 / 3 + 2000
            FROM moved JOIN request ON request.item_id = moved.id JOIN arrived ON arrived.item_id = moved.id
            WHERE request.callback IS NOT NULL AND NOT moved.cancel_wanted
            RETURNING 1
        )
        SELECT (SELECT count(*) FROM moved) AS settled, (SELECT count(*) FROM due) AS due
        """,
        fate=fate,
        batch_id=source.batch_id,
        via=source.via,
        api_batch_id=source.api_batch_id,
    )
    assert settled is not None
    return settled["settled"], settled["due"]


def _wait_again(connection: Connection, source: Source, fate: Fate, *, counts: int, max_attempts: int) -> int:
    """Items that may be tried again wait again, from now on. counts: what this try adds to their attempts."""
    return count(
        connection,
        f"""
        UPDATE item
        SET {ITEM["retry"].set}, attempts = attempts + :counts, batch_id = NULL, waiting_since = now()
        FROM arrived
        WHERE item.id = arrived.item_id AND arrived.fate = :fate AND item.batch_id = :batch_id
          AND item.attempts + 1 < :max_attempts AND NOT item.cancel_wanted AND {ITEM["retry"].where}
        """,
        fate=fate,
        batch_id=source.batch_id,
        counts=counts,
        max_attempts=max_attempts,
    )


def _bill(connection: Connection, source: Source) -> int:
    """One row for each answer that was billed, kept or not. Returns how many were not kept."""
    row = one(
        connection,
        """
        WITH billed AS (
            INSERT INTO bill (item_id, submission_id, kept, model, input_tokens, output_tokens, cache_write_5m_tokens,
                              cache_write_1h_tokens, cache_read_tokens, cost_nano, realtime_nano)
            SELECT arrived.item_id, :submission_id, coalesce(outcome.api_batch_id = :api_batch_id, false),
                   arrived.model, input_tokens, output_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
                   cache_read_tokens, arrived.cost_nano, arrived.realtime_nano
            FROM arrived LEFT JOIN outcome ON outcome.item_id = arrived.item_id
            WHERE billed
            ON CONFLICT (item_id, submission_id) DO NOTHING
            RETURNING kept, cost_nano, realtime_nano
        )
        INSERT INTO spending (submission_id, lane_id, answers, paid_twice, cost_nano, realtime_nano)
        SELECT :submission_id, (SELECT lane_id FROM batch WHERE id = :batch_id), count(*),
               count(*) FILTER (WHERE NOT kept), sum(cost_nano), sum(realtime_nano)
        FROM billed HAVING count(*) > 0
        RETURNING paid_twice
        """,
        submission_id=source.submission_id,
        batch_id=source.batch_id,
        api_batch_id=source.api_batch_id,
    )
    return 0 if row is None else int(row["paid_twice"])
