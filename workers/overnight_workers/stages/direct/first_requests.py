"""The first requests of a shape, counted (free) before many of them are sent in real time.

A refusal in real time is free and comes at once, so a single request needs no other check; but each refused call takes
its part of the rate limit, and hundreds may be under way before the first comes back.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from overnight_models.errors import BadSettings
from overnight_models.ledger.submit import shapes as ledger
from overnight_models.ledger.submit.shapes import Sample
from overnight_workers import process
from overnight_workers.anthropic_api import sample_checks
from overnight_workers.stages.direct.requests import Request

_SHAPES: Final = 4
"""No more are asked about at one look."""
_PATIENCE_S: Final = 10.0
"""Answers that came are recorded by the same thread."""
_ASKED_AGAIN_S: Final = 60.0
"""After the API gave no verdict."""


class FirstRequests:
    """Which shapes were asked about, of one run of the stage."""

    def __init__(self) -> None:
        self._not_before: dict[int, float] = {}
        """By shape, by the monotonic clock; infinite once it has passed."""

    def refused(self, requests: Sequence[Request]) -> dict[int, str]:
        """The items of one place that the API would turn down, each with its words; of shapes that came twice or more.

        Where it says nothing, or what it says is about something else, they go as they are.
        """
        now = time.monotonic()
        groups: dict[int, list[Request]] = {}
        for request in requests:
            shape_id = request.asked.shape_id
            if shape_id is not None and self._not_before.get(shape_id, 0.0) <= now:
                groups.setdefault(shape_id, []).append(request)
        many = {shape_id: group for shape_id, group in groups.items() if len(group) > 1}
        if not many:
            return {}
        with process.database().quick() as connection:
            unknown = ledger.unpassed(connection, many)
        self._not_before |= dict.fromkeys(many.keys() - unknown, float("inf"))
        largest = sorted(unknown, key=lambda shape_id: -len(many[shape_id]))[:_SHAPES]
        return self._ask({shape_id: many[shape_id] for shape_id in largest}, now) if largest else {}

    def _ask(self, groups: dict[int, list[Request]], now: float) -> dict[int, str]:
        self._not_before |= dict.fromkeys(groups, now + _ASKED_AGAIN_S)
        samples = [
            Sample(
                shape_id,
                {request.asked.item_id: request.body for request in (group[0], group[len(group) // 2], group[-1])},
            )
            for shape_id, group in groups.items()
        ]
        first = next(iter(groups.values()))[0]
        headers = {name: value for name, value in first.headers.items() if name != "content-type"}
        try:
            verdicts = sample_checks.ask(samples, first.claim.place.workspace, headers, patience_s=_PATIENCE_S)
        except BadSettings:
            return {}  # its key is gone: each call says so, and holds the workspace
        if verdicts.passed:
            with process.database().quick() as connection:
                ledger.passed(connection, verdicts.passed)
        self._not_before |= dict.fromkeys(verdicts.passed, float("inf")) | dict.fromkeys(verdicts.whole, 0.0)
        refusals = dict(verdicts.refused)
        for shape_id, why in verdicts.whole.items():
            refusals |= dict.fromkeys((request.asked.item_id for request in groups[shape_id]), why)
        return refusals
