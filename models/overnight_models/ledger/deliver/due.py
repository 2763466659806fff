"""What is due: an outcome to hand over, as a deliverer claims it, or as whoever records it has claimed it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from overnight_models import exact_json
from overnight_models.ledger import hand_overs
from overnight_models.ledger.bodies.requests import callback_of
from overnight_models.ledger.collect.arrivals import Arrival, Source
from overnight_models.ledger.collect.outcomes import Recorded
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.documents import CALLBACK, REDONE, ItemRow, document
from overnight_models.ledger.rows import fetch_all
from overnight_models.wire.acknowledgement import Acknowledgement
from overnight_models.wire.message import CallbackLine


class Due(NamedTuple):
    """One outcome to hand over."""

    item_id: int
    tries: int
    """Tries so far, this one included."""
    generation: int
    due_at: datetime
    """Since when; it is given back with that when nothing was tried."""
    lane: str
    callback: CallbackLine
    """As it came with the item."""
    outcome: ItemRow
    usage: bytes | None = None
    """The answer's, as JSON, where it is at hand."""
    hand_over: int | None = None
    """The hand-over that it is in: its delivery has no row. None: it has one."""

    def document(self, by_reference_above: int | None = None) -> dict[str, object]:
        """The outcome's document. Raises ValueError when its answer can't be read: it isn't what came back.

        by_reference_above: bytes; a larger message isn't in it: `claim` says how large it is, and the product reads it.
        """
        if self.outcome.unreadable is not None:
            raise ValueError(self.outcome.unreadable)
        whole, message = document(self.outcome, self.usage), self.outcome.message
        if by_reference_above is None or message is None or len(message) <= by_reference_above:
            return whole
        size = len(message if isinstance(message, bytes) else message.encode())
        return whole | {"message": None, "claim": {"bytes": size}}

    @property
    def wants_ack(self) -> bool:
        """Whether its callback has to answer; not where nobody can read its callback."""
        callback: object = self.callback
        return isinstance(callback, dict) and bool(callback.get("ack"))

    @property
    def acknowledgement(self) -> Acknowledgement:
        """What its callback says when it has to answer, and is done."""
        return Acknowledgement(self.item_id, self.generation, self.outcome.receipt)


class _Asked(NamedTuple):
    """What was asked, for whom, and where its outcome goes."""

    id: int
    state: str
    lane: str
    run: str | None
    receipt: UUID
    key: str
    tenant: str | None
    trace_id: str | None
    enqueued_at: datetime
    cut_from_tokens: int | None
    cut_to_tokens: int | None
    model_why: str | None
    traceparent: str | None
    tracestate: str | None
    deadline: datetime | None
    target_id: int
    attempts: int
    callback: str
    finished_at: datetime
    redos: int
    attempts_before: int
    cost_before_nano: int | None

    def answered(self, source: Source, arrival: Arrival) -> ItemRow:
        """The same with its outcome, which was recorded just now."""
        # in the order of its fields: with their names it takes three times as long, for each item
        return ItemRow(
            self.id,
            self.state,
            self.lane,
            self.run,
            self.receipt,
            self.key,
            self.tenant,
            self.trace_id,
            self.enqueued_at,
            self.cut_from_tokens,
            self.cut_to_tokens,
            self.model_why,
            self.traceparent,
            self.tracestate,
            self.deadline,
            arrival.problem is None,
            arrival.problem,
            arrival.detail,
            arrival.retryable,
            arrival.message,
            None,
            None,
            arrival.model,
            arrival.cost_nano,
            arrival.realtime_nano,
            self.attempts,
            source.via,
            source.api_batch_id,
            self.finished_at,
            self.redos,
            self.attempts_before,
            self.cost_before_nano,
        )


def recorded_and_claimed(
    connection: Connection, source: Source, arrivals: Sequence[Arrival], recorded: Recorded
) -> dict[int, list[Due]]:
    """What this transaction has recorded and claimed, by target; its answers are at hand and not read again."""
    if not recorded.claimed:
        return {}
    asked = {
        item.id: item
        for item in fetch_all(
            connection,
            _Asked,
            f"""
            SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key,
                   request.tenant, request.trace_id, request.enqueued_at, request.cut_from_tokens,
                   request.cut_to_tokens, request.model_why, request.traceparent, request.tracestate, item.deadline,
                   item.target_id, item.attempts, {CALLBACK} AS callback, now() AS finished_at,
                   {REDONE}
            FROM item
            JOIN request ON request.item_id = item.id
            JOIN lane ON lane.id = item.lane_id
            LEFT JOIN run ON run.id = item.run_id
            LEFT JOIN redo ON redo.item_id = item.id
            WHERE item.id = ANY(:ids)
            """,
            ids=list(recorded.claimed),
        )
    }
    by_target: dict[int, list[Due]] = {}
    callbacks: dict[str, CallbackLine] = {}
    """By their text, which many of them have in common."""
    for arrival in arrivals:
        item = asked.pop(arrival.item_id, None)
        if item is not None:
            callback = callbacks.get(item.callback)
            if callback is None:
                callback = callbacks[item.callback] = exact_json.loads(
                    callback_of(connection, item.receipt, item.callback)
                )
            outcome = item.answered(source, arrival)
            hand_over = recorded.claimed[item.id]
            due = Due(item.id, 1, 0, item.finished_at, item.lane, callback, outcome, arrival.usage, hand_over)
            by_target.setdefault(item.target_id, []).append(due)
    return {target_id: _with_rows(connection, due) for target_id, due in by_target.items()}


def _with_rows(connection: Connection, due: list[Due]) -> list[Due]:
    """What has to be acknowledged needs a row before it is sent: all of its hand-over gets them."""
    need_rows = {delivery.hand_over for delivery in due if delivery.wants_ack and delivery.hand_over is not None}
    if not need_rows:
        return due
    hand_overs.give_rows(connection, need_rows)
    return [delivery._replace(hand_over=None) if delivery.hand_over in need_rows else delivery for delivery in due]
