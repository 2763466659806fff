"""What is told of an item that isn't accepted: its place in the message, its key, and why."""

from __future__ import annotations

import json

from overnight_models import exact_json
from overnight_models.wire.verdict import Fault


def unreadable(position: int, line: str) -> Fault | None:
    """What is wrong with a line that only other readers of JSON take, by its place; None when none does."""
    try:
        item = json.loads(line)
        why = exact_json.fault_in(item["params"], "params", most_levels=exact_json.MOST_LEVELS)
        key = str(item["key"]).encode(errors="replace").decode()[:512]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return None if why is None else fault(position, key, why)


def fault(position: int, key: str | None, why: str, receipt: str | None = None) -> Fault:
    """What is told of an item that isn't accepted. receipt: where its line has one."""
    said: Fault = {"index": position, "key": key, "why": why}
    if receipt is not None:
        said["id"] = receipt.lower()
    return said
