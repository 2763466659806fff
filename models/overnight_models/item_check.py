"""Whether an item may be accepted: the same check at enqueue and at accept."""

from __future__ import annotations

from overnight_models import request
from overnight_models.message import ItemLine
from overnight_models.policy import Policy


def lane_faults(lane: str, policy: Policy) -> list[str]:
    """What is wrong with a lane's name."""
    if lane in policy.lanes:
        return []
    return [f"there is no lane {lane!r}: the configuration has {', '.join(sorted(policy.lanes))}"]


def item_faults(item: ItemLine, *, lane: str, size: int, policy: Policy) -> list[str]:
    """What is wrong with an item, one sentence each; empty when it may be accepted.

    size: bytes of the item as it is sent.
    """
    wrong_lane = lane_faults(lane, policy)
    if wrong_lane:
        return wrong_lane
    rules = policy.lanes[lane]
    found = request.faults(item.get("params"), models=policy.models, api_version=rules.api_version)
    if size > rules.max_bytes:
        found.append(f"the request has {size:,} bytes; lane {lane!r} takes {rules.max_bytes:,} at most")
    if not item.get("key") or len(item["key"]) > 512:
        found.append("`key` must have 1 to 512 characters")
    callback = item.get("callback")
    if callback is not None:
        task = callback.get("task")
        if not task or not callback.get("queue"):
            found.append("`callback` needs a `task` and the `queue` its workers listen on")
        elif not rules.allows(task):
            found.append(f"lane {lane!r} doesn't allow the callback {task!r}: it allows {', '.join(rules.callbacks)}")
        broker = callback.get("broker")
        if broker is not None and broker not in policy.brokers:
            known = ", ".join(policy.brokers) or "none"
            found.append(f"no broker {broker!r} is configured (known: {known}): add [brokers.{broker}]")
    return found
