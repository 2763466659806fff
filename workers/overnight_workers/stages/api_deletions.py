"""Batches at the API are deleted there: those that a purge named, and those whose lane keeps them for so long only."""

from __future__ import annotations

import time
from typing import Final

from overnight_models.errors import BadSettings
from overnight_models.ledger.operators.purge import api_batches
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs

_FOR_S: Final = 10.0
"""How long one sweep deletes; the rest is for the next one."""
_AGAIN_S: Final = 600.0
"""After the API wouldn't, or couldn't be reached."""

log = logs.get(__name__)


def delete_batches() -> int:
    """Delete what is to be deleted, a little in each sweep. Returns how many were. Again, it changes nothing.

    Only what is collected: a batch whose results aren't recorded is never deleted.
    """
    until = time.monotonic() + _FOR_S
    after_s = {name: lane.delete_batches for name, lane in settings().lanes.items() if lane.delete_batches is not None}
    with process.database().transaction() as connection:
        if after_s:
            api_batches.schedule(connection, after_s)
        due = api_batches.deletable(connection)
    deleted = 0
    for batch in due:
        if time.monotonic() > until:
            break
        deleted += _delete(batch)
    if deleted:
        log.info("batches deleted at the API", batches=deleted)
    return deleted


def _delete(batch: api_batches.Deletable) -> bool:
    try:
        api.delete(batch.workspace, batch.api_id)
    except (api.ApiUnavailable, BadSettings) as error:
        log.warning("a batch isn't deleted at the API, and will be later", api_id=batch.api_id, error=str(error))
        with process.database().transaction() as connection:
            api_batches.put_off(connection, batch.submission_id, _AGAIN_S)
        return False
    with process.database().transaction() as connection:
        api_batches.note_deleted(connection, batch.submission_id)
    return True
