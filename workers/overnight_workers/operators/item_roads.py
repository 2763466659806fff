"""Items as rows of the overview, and why each takes its road: with what a batch saves of it, billed or expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from overnight_models.money.prices import Usage, both_costs
from overnight_workers import process
from overnight_workers.roads import memory
from overnight_workers.roads.why import Told, why


def told(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Why each of them takes its road, or took it."""
    now = datetime.now(UTC)
    return [why(_told(row), now) for row in rows]


def _told(row: Mapping[str, Any]) -> Told:
    return Told(
        state=row["state"],
        deadline=row["deadline"],
        batch_chance=row["batch_chance"],
        to_be_sent=row["direct_at"] is not None,
        in_batch=row["batch_id"] is not None,
        via=row["via"],
        problem=row["problem"],
        finished_at=row["finished_at"],
        half_nano=_half_nano(row),
        took_s=row["took_s"],
        held=row["held"],
    )


def _half_nano(row: Mapping[str, Any]) -> int | None:
    """What a batch saves of it."""
    if row["via"] is not None:
        cost, realtime = row["cost_nano"], row["realtime_nano"]
        if cost is None or realtime is None or not realtime:
            return None
        return int(realtime - cost) if cost < realtime else int(cost // 2)
    model = process.prices().model(row["asked_model"])
    if model is None:
        return None
    tokens_in, tokens_out = memory.expected_tokens(row["model_id"], row["size"], row["max_tokens"])
    batched, realtime = both_costs(model, Usage(input_tokens=tokens_in, output_tokens=tokens_out))
    return realtime - batched
