"""An outcome as the ledger has it, and as the document that everybody reads."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from overnight_models.wire.outcome import VERSION, dollars

REDONE: Final = """
    coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before, 0) AS attempts_before,
    CASE WHEN redo.item_id IS NULL THEN 0 ELSE redo.cost_before_nano END AS cost_before_nano
"""
"""What a document says of the tries before an item that has taken another's place: LEFT JOIN redo."""

COLUMNS: Final = f"""
    item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens,
    request.model_why, item.deadline,
    outcome.ok, outcome.problem, outcome.detail, outcome.retryable,
    outcome.message, outcome.model, outcome.cost_nano, outcome.realtime_nano,
    coalesce(outcome.attempts, item.attempts) AS attempts, outcome.via, outcome.api_batch_id, outcome.finished_at,
    {REDONE}
"""
"""What a document is made of."""

JOINS: Final = """
    JOIN request ON request.item_id = item.id
    LEFT JOIN outcome ON outcome.item_id = item.id
    JOIN lane ON lane.id = item.lane_id
    LEFT JOIN run ON run.id = item.run_id
    LEFT JOIN redo ON redo.item_id = item.id
"""


def delivery_id(receipt: UUID, redos: int = 0) -> str:
    """The same for every delivery of an item's outcome, on whichever road and however often.

    redos: how often it was tried again by somebody's word; what came of each is another outcome.
    """
    salt = b"" if redos == 0 else b"%d" % redos
    digest = blake2b(receipt.bytes + salt, digest_size=16, person=b"overnight").hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:]}"


def document(row: Mapping[str, Any] | RowMapping) -> dict[str, Any]:
    """The outcome's document, for orjson to write, from a row of `COLUMNS`, and its `usage` where that is at hand.

    The message is passed through unparsed.
    """
    message = row["message"]
    usage = row.get("usage") or (None if message is None else orjson.loads(message).get("usage"))
    return {
        "v": VERSION,
        "item_id": row["receipt"],
        "key": row["key"],
        "lane": row["lane"],
        "tenant": row["tenant"],
        "run": row["run"],
        "delivery_id": delivery_id(row["receipt"], row["redos"]),
        "ok": row["ok"],
        "problem": row["problem"],
        "detail": row["detail"],
        "retryable": row["retryable"],
        "message": None if message is None else orjson.Fragment(message),
        "model": row["model"],
        "model_why": row["model_why"],
        "usage": usage,
        "cost_usd": None if row["cost_nano"] is None else dollars(row["cost_nano"]),
        "realtime_cost_usd": None if row["realtime_nano"] is None else dollars(row["realtime_nano"]),
        "earlier_cost_usd": None if row["cost_before_nano"] is None else dollars(row["cost_before_nano"]),
        "cut": _cut(row),
        "attempts": row["attempts"] + row["attempts_before"],
        "via": row["via"],
        "batch_id": row["api_batch_id"],
        "enqueued_at": row["enqueued_at"],
        "finished_at": row["finished_at"],
        "deadline": row["deadline"],
        "late_s": _late_s(row),
        "trace_id": row["trace_id"],
    }


def _late_s(row: Mapping[str, Any] | RowMapping) -> float | None:
    """Seconds from its deadline to its outcome: 0 where it was in time, None where it had no deadline."""
    deadline, finished_at = row["deadline"], row["finished_at"]
    if deadline is None or finished_at is None:
        return None
    late_s: float = (finished_at - deadline).total_seconds()
    return max(late_s, 0.0)


def _cut(row: Mapping[str, Any] | RowMapping) -> dict[str, int] | None:
    """What was cut off its prompt; None when nothing was."""
    if row["cut_from_tokens"] is None:
        return None
    return {"from_tokens": row["cut_from_tokens"], "to_tokens": row["cut_to_tokens"]}


def pending(row: Mapping[str, Any] | RowMapping) -> dict[str, Any]:
    """The document of an item that has no outcome yet."""
    return {
        "v": VERSION,
        "item_id": row["receipt"],
        "key": row["key"],
        "lane": row["lane"],
        "tenant": row["tenant"],
        "run": row["run"],
        "attempts": row["attempts"] + row["attempts_before"],
        "enqueued_at": row["enqueued_at"],
        "trace_id": row["trace_id"],
    }
