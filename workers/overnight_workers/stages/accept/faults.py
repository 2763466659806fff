"""What is told of an item that isn't accepted: its place in the message, its key, and why."""

from __future__ import annotations

import json
from typing import Any

from overnight_models import exact_json


def unreadable(position: int, line: str) -> dict[str, object] | None:
    """What is wrong with a line that only other readers of JSON take, by its place; None when none does."""
    try:
        item = json.loads(line)
        why = exact_json.fault_in(item["params"], "params", most_levels=exact_json.MOST_LEVELS)
        key = str(item["key"]).encode(errors="replace").decode()[:512]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return None if why is None else fault(position, key, why)


def fault(position: int, key: str | None, why: str, receipt: str | None = None) -> dict[str, Any]:
    """What is told of an item that isn't accepted. receipt: where its line has one."""
    found = {"index": position, "key": key, "why": why}
    return found if receipt is None else found | {"id": receipt.lower()}
