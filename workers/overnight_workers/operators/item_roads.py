"""Items as rows of the overview, and why each takes its road: with what a batch saves of it, billed or expected."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from overnight_models.ledger.operators.item_views import ItemView
from overnight_models.money.prices import Usage, both_costs
from overnight_workers import process
from overnight_workers.roads import memory
from overnight_workers.roads.why import Told, why


def reasons(items: Sequence[ItemView]) -> list[str]:
    """Why each of them takes its road, or took it."""
    now = datetime.now(UTC)
    return [why(_told(item), now) for item in items]


def _told(item: ItemView) -> Told:
    return Told(
        state=item.state,
        deadline=item.deadline,
        batch_chance=item.batch_chance,
        to_be_sent=item.direct_at is not None,
        in_batch=item.batch_id is not None,
        via=item.via,
        problem=item.problem,
        finished_at=item.finished_at,
        half_nano=_half_nano(item),
        took_s=item.took_s,
        held=item.held,
    )


def _half_nano(item: ItemView) -> int | None:
    """What a batch saves of it."""
    if item.via is not None:
        cost, realtime = item.cost_nano, item.realtime_nano
        if cost is None or realtime is None or not realtime:
            return None
        return realtime - cost if cost < realtime else cost // 2
    model = process.prices().model(item.asked_model)
    if model is None:
        return None
    tokens_in, tokens_out = memory.expected_tokens(item.model_id, item.size, item.max_tokens)
    batched, realtime = both_costs(model, Usage(input_tokens=tokens_in, output_tokens=tokens_out))
    return realtime - batched
