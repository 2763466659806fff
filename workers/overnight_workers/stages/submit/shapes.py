"""Shapes: the API is asked about the first requests of each kind, free, before a batch of them is paid for.

A batch reports what is wrong with its requests only when it has ended, up to a day later; `count_tokens` refuses the
same at once. Three of a shape are asked about, so that one bad text among good ones doesn't fail the others. What
`count_tokens` refuses although batches take it isn't asked about, and goes unchecked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from overnight_models.ledger.submit import shapes as ledger
from overnight_workers import process
from overnight_workers.anthropic_api import sample_checks
from overnight_workers.telemetry import logs

_SHAPES: Final = 20
"""No more are asked about for one batch."""
PATIENCE_S: Final = 20.0
"""Nor for longer: a batch doesn't wait for an API that doesn't answer."""

log = logs.get(__name__)


def refused(batch_id: int, workspace: str, headers: Mapping[str, str], *, patience_s: float) -> dict[int, str]:
    """The items of a batch that the API would turn down, each with its words; what passes is remembered.

    Where the API gives no answer, or one that is about something else, the batch goes as it is.
    """
    with process.database().transaction() as connection:
        samples = ledger.to_be_asked(connection, batch_id, limit=_SHAPES)
    if not samples:
        return {}
    verdicts = sample_checks.ask(samples, workspace, headers, patience_s=patience_s)
    refusals = dict(verdicts.refused)
    with process.database().transaction() as connection:
        ledger.passed(connection, verdicts.passed)
        for shape_id, why in verdicts.whole.items():
            refusals |= dict.fromkeys(ledger.members(connection, batch_id, shape_id), why)
    return refusals
