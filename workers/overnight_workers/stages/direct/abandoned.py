"""Calls whose process died: what wasn't let go is sent again, the rest may have been billed. A part of the sweep."""

from __future__ import annotations

from typing import Final

from overnight_models import routes
from overnight_models.ledger.collect.arrivals import Source
from overnight_models.ledger.direct import claim as claims
from overnight_models.ledger.direct import record as ledger
from overnight_workers import process
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell
from overnight_workers.stages.direct.turns import LEASE_S
from overnight_workers.telemetry import logs

_AT_ONCE: Final = 50
_WHY: Final = "its worker died before it knew the answer"

log = logs.get(__name__)


def bring_home() -> None:
    """Take back what dead processes were sending."""
    due = unsent = doubtful = 0
    with process.database().transaction() as connection:
        for claim in ledger.abandoned(connection, lease_s=LEASE_S, limit=_AT_ONCE):
            unsent += claims.give_back(connection, claim.id, claim.number, claim.unsent)
            doubtful += len(claim.maybe_billed)
            source = Source(claim.id, claim.number, None, only_live=True, via="direct")
            lost = dict.fromkeys(claim.maybe_billed, _WHY)
            lane = settings().lane(claim.lane)
            tries = ledger.Rules(lane.max_attempts, lane.max_maybe_billed)
            due += ledger.record(connection, source, [], lost, process.prices(), tries).due
    if doubtful:
        log.error("may have been billed: their worker died", items=doubtful)
    if unsent:
        log.warning("brought home", items_not_sent=unsent)
    if due:
        doorbell.ring(routes.DELIVER)
