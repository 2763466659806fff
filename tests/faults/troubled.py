"""An installation in which many things go wrong, each in a lane of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.faults.installed import Installed
from tests.faults.orders import Json
from tests.sandboxes import forked_sandbox

TROUBLES: Final[dict[str, list[Json]]] = {
    "none": [],
    "create_answer_lost": [{"at": "create", "do": "lose_answer", "count": 1}],
    "create_answered_too_late": [{"at": "create", "do": "delay", "seconds": 6, "count": 1}],
    "create_529_though_accepted": [{"at": "create", "do": "status", "status": 529, "accepted": True, "count": 1}],
    "create_500_though_accepted": [{"at": "create", "do": "status", "status": 500, "accepted": True, "count": 1}],
    "create_529": [{"at": "create", "do": "status", "status": 529, "count": 1}],
    "create_closed_after_body": [{"at": "create", "do": "close_after_body", "count": 1}],
    "create_closed_during_body": [{"at": "create", "do": "close_during_body", "count": 1}],
    "create_closed_before_body": [{"at": "create", "do": "close_before_body", "count": 1}],
    "create_429": [{"at": "create", "do": "status", "status": 429, "count": 1}],
    "create_429_with_retry_after": [{"at": "create", "do": "status", "status": 429, "retry_after": 2, "count": 2}],
    "retrieve_404_for_seconds": [
        {"at": "create", "do": "lose_answer", "count": 1},
        {"at": "retrieve", "do": "missing", "seconds": 9},
    ],
    "listed_late": [
        {"at": "create", "do": "lose_answer", "count": 1},
        {"at": "list", "do": "late", "seconds": 4},
    ],
    "list_500": [{"at": "list", "do": "status", "status": 500, "rate": 0.5, "count": 6}],
    "results_cut_mid_line": [{"at": "results", "do": "cut_mid_line", "count": 2}],
    "results_cut_at_line": [{"at": "results", "do": "cut_at_line", "count": 2}],
    "results_reset": [{"at": "results", "do": "reset", "count": 2}],
    "results_stalled": [{"at": "results", "do": "stall", "seconds": 3, "count": 2}],
    "results_404_for_seconds": [{"at": "results", "do": "missing", "seconds": 4}],
    "items_expired": [{"at": "item", "do": "expired", "rate": 0.2}],
    "items_errored": [{"at": "item", "do": "errored", "type": "overloaded_error", "rate": 0.2}],
}
"""What the API may do (`sandbox/faults.py`), each in a lane and workspace of that name."""

CLOCKS: Final = {"clock_ahead": "7m", "clock_behind": "-7m"}
"""Lanes whose workspace is at an API with another clock."""


def troubled(home: Path, lanes: Sequence[str], others: Mapping[str, str] | None = None) -> Iterator[Installed]:
    """One installation for the tests of a module, since its start takes longer than most of them.

    lanes: besides the default one, each with a workspace of its own.
    others: lanes whose workspace is at an API with another clock, and how far that is away.
    """
    offsets = others or {}
    with ExitStack() as apis:
        urls = {
            lane: apis.enter_context(forked_sandbox(home / lane, "--turnaround", "2s", f"--clock-offset={offset}")).url
            for lane, offset in offsets.items()
        }
        overnight = Installed(home, lanes=[*lanes, *offsets], apis=urls)
        try:
            overnight.start()
            yield overnight
        finally:
            overnight.close()
