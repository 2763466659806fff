"""The pulse: a stage that runs says so in the ledger, so that its silence can be seen."""

from __future__ import annotations

import time
from typing import Final

from overnight_models.ledger.operators import pulse as ledger
from overnight_workers import process

_EVERY_S: Final = 10.0
"""How often one process says it: often enough for an alarm within two minutes, too seldom to be felt."""


def at_work(stage: str) -> None:
    """Say that a stage runs. Said in the loop of whatever takes long, too. Raises DatabaseUnavailable."""
    said_at, now = process.pulse_said_at(), time.monotonic()
    if now - said_at.get(stage, float("-inf")) < _EVERY_S:
        return
    with process.database().transaction() as connection:
        ledger.note_run(connection, stage)
    said_at[stage] = now
