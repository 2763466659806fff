"""Choosing: the model of an item between two of its lane's, by the API's own count of its prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from overnight_models import exact_json
from overnight_models.ledger.measure import Chosen, Unmeasured
from overnight_models.request.countable import divide
from overnight_models.request.prefix import MARK_BYTES
from overnight_models.request.prompt import shape_of
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.anthropic_api.count_refusals import is_refusal
from overnight_workers.settings import Lane
from overnight_workers.sizes.chooser import Chooser


def choose(
    item: Unmeasured, lane: Lane, count: Callable[[Mapping[str, object]], int]
) -> tuple[dict[str, object], Chosen | None]:
    """The item's whole request with the model that the count chooses, and what of it is to be written.

    Where the API counts nothing of it, the next model up stays, and its outcome says so. Raises what `count` raises
    when the API gives no answer.
    """
    asked: dict[str, Any] = exact_json.loads(item.own)
    before = asked.pop("model")
    whole = exact_json.loads(item.whole)

    def counted(model: str) -> int | None:
        params = whole | {"model": model}
        if divide(params).left_out:
            return None
        try:
            return count(params)
        except api.ApiUnavailable as error:
            if is_refusal(error):
                return None
            raise

    size = len(item.whole) + (0 if item.prefix is None else MARK_BYTES)
    params, choice = Chooser(item.lane, lane).choose(
        asked, item.betas.split(",") if item.betas else (), item.prefix, size, counted
    )
    assert choice is not None, "it names no model"
    own = exact_json.dumps(params) if item.prefix is None else item.prefix.own(params)
    whole["model"] = choice.model
    shape = process.names().shape(item.headers_id, shape_of(whole)) if lane.check_first else None
    size += len(choice.model) - len(before)
    return whole, Chosen(item.item_id, process.names().model(choice.model), shape, choice.why, own, size)
