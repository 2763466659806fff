"""What the API does wrong while a whole installation is attacked: one more thing now and then, in one workspace."""

from __future__ import annotations

from random import Random
from typing import Final

from tests.chaos.lanes import IN_BATCHES, IN_REAL_TIME, LANES
from tests.faults.installed import Installed
from tests.faults.orders import Json

_OF_BATCHES: Final[tuple[Json, ...]] = (
    {"at": "create", "do": "lose_answer"},
    {"at": "create", "do": "close_before_body"},
    {"at": "create", "do": "close_during_body"},
    {"at": "create", "do": "close_after_body"},
    {"at": "create", "do": "status", "status": 529},
    {"at": "create", "do": "status", "status": 529, "accepted": True},
    {"at": "create", "do": "status", "status": 500, "accepted": True},
    {"at": "create", "do": "status", "status": 502, "html": True},
    {"at": "create", "do": "status", "status": 429},
    {"at": "create", "do": "status", "status": 429, "accepted": True},
    {"at": "create", "do": "status", "status": 409, "accepted": True},
    {"at": "create", "do": "status", "status": 400, "accepted": True, "count": 1},
    {"at": "create", "do": "status", "status": 403, "accepted": True, "count": 1},
    {"at": "create", "do": "twice"},
    {"at": "create", "do": "null_id"},
    {"at": "create", "do": "redirect", "status": 302},
    {"at": "create", "do": "delay", "seconds": 9},
    {"at": "list", "do": "extra_counts"},
    {"at": "list", "do": "counts_lag"},
    {"at": "list", "do": "nested_counts"},
    {"at": "list", "do": "repeat_page"},
    {"at": "list", "do": "null_row"},
    {"at": "list", "do": "no_created_at"},
    {"at": "list", "do": "no_has_more"},
    {"at": "list", "do": "odd_date"},
    {"at": "list", "do": "odd_date", "message": "yesterday"},
    {"at": "list", "do": "status", "status": 500},
    {"at": "list", "do": "close_before_body"},
    {"at": "retrieve", "do": "missing"},
    {"at": "results", "do": "cut_mid_line"},
    {"at": "results", "do": "cut_at_line"},
    {"at": "results", "do": "reset"},
    {"at": "results", "do": "stall", "seconds": 2},
    {"at": "results", "do": "status", "status": 500},
    {"at": "results", "do": "redirect", "status": 302},
    {"at": "results", "do": "expired_first"},
    {"at": "results", "do": "short", "seconds": 3},
    {"at": "item", "do": "expired"},
)
_OF_MESSAGES: Final[tuple[Json, ...]] = (
    {"at": "messages", "do": "status", "status": 429},
    {"at": "messages", "do": "status", "status": 429, "retry_after": 1},
    {"at": "messages", "do": "status", "status": 529},
    {"at": "messages", "do": "status", "status": 500},
    {"at": "messages", "do": "status", "status": 500, "accepted": True},
    {"at": "messages", "do": "status", "status": 502, "html": True},
    {"at": "messages", "do": "status", "status": 200, "html": True, "accepted": True},
    {"at": "messages", "do": "status", "status": 403, "count": 1},
    {"at": "messages", "do": "lose_answer"},
    {"at": "messages", "do": "delay", "seconds": 3},
    {"at": "messages", "do": "close_before_body"},
    {"at": "messages", "do": "close_during_body"},
    {"at": "messages", "do": "close_after_body"},
    {"at": "messages", "do": "cut_body"},
    {"at": "messages", "do": "break_body"},
    {"at": "messages", "do": "reset"},
    {"at": "messages", "do": "stall", "seconds": 2},
)
_OF_BOTH: Final[tuple[Json, ...]] = (
    {"at": "item", "do": "errored", "type": "overloaded_error"},
    {"at": "item", "do": "lone_surrogate"},
    {"at": "item", "do": "not_a_number"},
    {"at": "item", "do": "huge_number"},
    {"at": "item", "do": "big_integer"},
    {"at": "item", "do": "deep"},
    {"at": "item", "do": "garbled"},
)
"""Of `cut_line` nothing is here: such a line is read again for days."""


def trouble(overnight: Installed, draw: Random) -> str:
    """One more thing that the API does wrong in one workspace, so often and then no more. Returns what.

    What looks at a batch's age goes on until it is calm.
    """
    lane = draw.choice(LANES)
    batched = () if lane == IN_REAL_TIME else _OF_BATCHES
    messages = () if lane in IN_BATCHES else _OF_MESSAGES
    rule = draw.choice((*batched, *messages, *_OF_BOTH))
    times = draw.randint(1, 10 if rule["at"] == "messages" else 3)
    overnight.faults(lane, rule if rule["do"] == "short" else {"count": times} | rule)
    said = " ".join(str(rule[word]) for word in ("at", "do", "status") if word in rule)
    return f"{said}, accepted" if rule.get("accepted") else said
