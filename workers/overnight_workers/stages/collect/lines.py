"""What a line of a batch's results means for its item, also when nobody can read it.

Such a line is kept as bytes, with its bill as far as its outline shows it: the answer is paid, and the API keeps it for
29 days only.
"""

from __future__ import annotations

import base64
from typing import Final

from overnight_models import exact_json
from overnight_models.ledger.collect.arrivals import Arrival, Fate
from overnight_models.money.prices import Prices
from overnight_models.wire.judgement import Check
from overnight_models.wire.outcome import Problem
from overnight_workers.stages.collect.results import read_result
from overnight_workers.stages.result_lines import Line, outline

_NO_ANSWER: Final = frozenset({"errored", "expired", "canceled"})


def arrival(item_id: int, line: Line, prices: Prices, check: Check | None, *, batch: bool = True) -> Arrival:
    """What a line means for its item; see `results.read_result`."""
    if line.result is None:
        return _unreadable(item_id, line, prices, line.why, batch=batch)
    try:
        read = read_result(item_id, line.result, prices, check, batch=batch)
        if read.message is None:
            return read
        # what is written again as it came is exact; otherwise an integer may have become a float
        if not line.exact and not line.raw.endswith(read.message, 0, -2) and exact_json.holds_long_number(line.raw):
            line = line._replace(result=exact_json.mended(line.raw)["result"], exact=True)
            read = read_result(item_id, line.result or {}, prices, check, batch=batch)
        return read
    except (ValueError, TypeError) as error:
        return _unreadable(item_id, line, prices, str(error), batch=batch)


def _unreadable(item_id: int, line: Line, prices: Prices, why: str, *, batch: bool) -> Arrival:
    """An arrival that keeps the line as it came. What is billed and what it cost is said where the outline shows it."""
    fields, _ = outline(line.raw)
    kind, usage = fields.get("kind"), fields.get("usage")
    if kind in _NO_ANSWER:
        return read_result(item_id, {"type": kind}, prices, None)
    message = {name: fields[name] for name in ("model", "stop_reason") if isinstance(fields.get(name), str)} | {
        "type": "unreadable",
        "content": [],
        "usage": usage if isinstance(usage, dict) else None,
        "line_base64": base64.b64encode(line.raw).decode(),
    }
    read = read_result(item_id, {"type": "succeeded", "message": message}, prices, None, batch=batch)
    billed = read.billed and (kind == "succeeded" or isinstance(usage, dict))
    unknown: dict[str, object] = {} if isinstance(usage, dict) else {"cost_nano": None, "realtime_nano": None}
    return read._replace(
        fate=Fate.FAIL,
        problem=Problem.INVALID_OUTPUT if billed else Problem.ERRORED,
        detail=f"its result can't be read ({why}): it is kept as it came, in the message's `line_base64`",
        retryable=True,
        is_raw=True,
        billed=billed,
        **(unknown if billed else {"cost_nano": 0, "realtime_nano": 0}),
    )
