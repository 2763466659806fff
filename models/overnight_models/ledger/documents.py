"""An outcome as the ledger has it, and as the document that everybody reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID

import orjson

from overnight_models.ledger.bodies.encryption import listed
from overnight_models.wire.outcome import VERSION, dollars

REDONE: Final = """
    coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before, 0) AS attempts_before,
    CASE WHEN redo.item_id IS NULL THEN 0 ELSE redo.cost_before_nano END AS cost_before_nano
"""
"""What a document says of the tries before an item that has taken another's place: LEFT JOIN redo."""

API_BATCH: Final = """
    coalesce(outcome.api_batch_id, (SELECT api_id FROM submission WHERE submission.id = outcome.submission_id))
"""
"""The batch that an outcome came from, as the API names it. No direct claim has a submission's number."""
CALLBACK: Final = """
    coalesce(request.callback, (SELECT document FROM callback WHERE callback.id = request.callback_id))
"""
"""Where an item's outcome goes, as its producer said it."""

COLUMNS_BUT_MESSAGE: Final = f"""
    item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens,
    request.model_why, request.traceparent, request.tracestate, item.deadline,
    outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano,
    coalesce(outcome.attempts, item.attempts) AS attempts, outcome.via, {API_BATCH} AS api_batch_id,
    outcome.finished_at,
    {REDONE}
"""
COLUMNS: Final = f"{COLUMNS_BUT_MESSAGE}, outcome.detail, outcome.message, outcome.body_group, outcome.body_place"
"""What a document is made of; answers that lie in groups are put into the rows by `bodies.answers.show`."""
WITHOUT_MESSAGE: Final = f"""
    {COLUMNS_BUT_MESSAGE}, {listed("outcome.detail")} AS detail, NULL AS message, NULL AS body_group,
    NULL AS body_place
"""
"""The same for whoever may not see the answer, or doesn't need it: it isn't read."""

JOINS: Final = """
    JOIN request ON request.item_id = item.id
    LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
    JOIN lane ON lane.id = item.lane_id
    LEFT JOIN run ON run.id = item.run_id
    LEFT JOIN redo ON redo.item_id = item.id
"""


@dataclass(slots=True)
class ItemRow:
    """An item and its outcome: the row that `COLUMNS` make. Money is nano-dollars."""

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
    """Why its lane chose that model; None: it was asked for."""
    traceparent: str | None
    """The span within which it was enqueued: what is sent with the document, and not in it."""
    tracestate: str | None
    """What tracing systems add to that."""
    deadline: datetime | None
    ok: bool | None
    """None: it has no outcome yet, and nothing of what follows."""
    problem: str | None
    detail: str | None
    retryable: bool | None
    message: str | bytes | None
    """The API's message, as JSON."""
    body_group: int | None
    """Where the message lies, until it is read."""
    body_place: int | None
    model: str | None
    cost_nano: int | None
    realtime_nano: int | None
    attempts: int
    via: str | None
    api_batch_id: str | None
    finished_at: datetime | None
    redos: int
    attempts_before: int
    cost_before_nano: int | None
    unreadable: str | None = field(default=None, kw_only=True)
    """Why its answer can't be read any more."""
    without_key: bool = field(default=False, kw_only=True)
    """Whether that is only for an encryption key that isn't there: it can be read again once it is."""


def delivery_id(receipt: UUID, redos: int = 0) -> str:
    """The same for every delivery of an item's outcome, on whichever road and however often.

    redos: how often it was tried again by somebody's word; what came of each is another outcome.
    """
    salt = b"" if redos == 0 else b"%d" % redos
    digest = blake2b(receipt.bytes + salt, digest_size=16, person=b"overnight").hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def document(row: ItemRow, usage: bytes | None = None) -> dict[str, object]:
    """The outcome's document, for orjson to write. The message is passed through unparsed.

    usage: the message's, as JSON, where that is at hand.
    """
    message = row.message
    counters: object = None
    if usage is not None:
        counters = orjson.Fragment(usage)
    elif message is not None:
        counters = orjson.loads(message).get("usage")
    return {
        "v": VERSION,
        "item_id": row.receipt,
        "key": row.key,
        "lane": row.lane,
        "tenant": row.tenant,
        "run": row.run,
        "delivery_id": delivery_id(row.receipt, row.redos),
        "ok": row.ok,
        "problem": row.problem,
        "detail": row.detail,
        "retryable": row.retryable,
        "message": None if message is None else orjson.Fragment(message),
        "model": row.model,
        "model_why": row.model_why,
        "usage": counters,
        "cost_usd": None if row.cost_nano is None else dollars(row.cost_nano),
        "realtime_cost_usd": None if row.realtime_nano is None else dollars(row.realtime_nano),
        "earlier_cost_usd": None if row.cost_before_nano is None else dollars(row.cost_before_nano),
        "cut": _cut(row),
        "attempts": row.attempts + row.attempts_before,
        "via": row.via,
        "batch_id": row.api_batch_id,
        "enqueued_at": row.enqueued_at,
        "finished_at": row.finished_at,
        "deadline": row.deadline,
        "late_s": _late_s(row),
        "trace_id": row.trace_id,
    }


def _late_s(row: ItemRow) -> float | None:
    """Seconds from its deadline to its outcome: 0 where it was in time, None where it had no deadline."""
    deadline, finished_at = row.deadline, row.finished_at
    if deadline is None or finished_at is None:
        return None
    return max((finished_at - deadline).total_seconds(), 0.0)


def _cut(row: ItemRow) -> dict[str, int] | None:
    """What was cut off its prompt; None when nothing was."""
    if row.cut_from_tokens is None or row.cut_to_tokens is None:
        return None
    return {"from_tokens": row.cut_from_tokens, "to_tokens": row.cut_to_tokens}


def pending(row: ItemRow) -> dict[str, object]:
    """The document of an item that has no outcome yet."""
    return {
        "v": VERSION,
        "item_id": row.receipt,
        "key": row.key,
        "lane": row.lane,
        "tenant": row.tenant,
        "run": row.run,
        "attempts": row.attempts + row.attempts_before,
        "enqueued_at": row.enqueued_at,
        "trace_id": row.trace_id,
    }
