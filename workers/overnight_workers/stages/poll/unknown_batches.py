"""Unknown batches: at the API, and not in the ledger. When such a batch has ended, its token says whose it is (R9)."""

from __future__ import annotations

import math
import time
from datetime import datetime
from itertools import islice
from typing import Final

from overnight_models import routes
from overnight_models.ledger import deployment
from overnight_models.ledger import poll as ledger
from overnight_models.ledger.deployment import Forgotten
from overnight_models.ledger.poll import UnknownBatch
from overnight_workers import api, logs, process
from overnight_workers.stages import doorbell, protocol
from overnight_workers.stages.result_lines import read_line
from overnight_workers.stages.submit.submit import created

_MEMBERS_READ: Final = 1000

log = logs.get(__name__)


def judge(workspace: str, since: datetime, give_up_at: float = math.inf) -> None:
    """Read the token of what is unknown, was created since then (by the API's clock), and has ended.

    give_up_at: by the monotonic clock; no more is read after that, the next look goes on.

    Its content is dropped. What can't be read yet is looked at again; nothing is ever canceled on a likeness.
    """
    with process.database().transaction() as connection:
        unknown = ledger.unknown_batches(connection, workspace, since)
    for seen in unknown:
        if time.monotonic() > give_up_at:
            break
        if seen.ended_at is None or seen.ours is not None:
            continue
        try:
            ours = _is_ours(workspace, seen, read_token(workspace, seen.api_id))
        except api.ApiUnavailable as error:
            log.warning("a batch of unknown origin can't be read yet", api_id=seen.api_id, error=str(error))
            continue
        # only now: until the id is saved on its submission, the sighting is the only trace of it
        with process.database().transaction() as connection:
            ledger.judge(connection, seen.api_id, ours=ours)


def read_token(workspace: str, api_id: str) -> str | None:
    """The token on the first line of a batch's results; None when it isn't one of Overnight's.

    Raises ApiUnavailable, also when there is no whole line: that proves nothing.
    """
    with api.results(workspace, api_id) as lines:
        first = next(lines, b"")
    line = read_line(first)
    if line is None or not line.whole:
        raise api.ApiUnavailable(f"results of {api_id} without a whole line, which prove nothing")
    read = protocol.read_custom_id(line.custom_id)
    return None if read is None else read[0]


def _member(raw: bytes) -> int | None:
    """The item that a line is of; None when it can't be read or isn't one of Overnight's."""
    line = read_line(raw)
    read = None if line is None else protocol.read_custom_id(line.custom_id)
    return None if read is None else read[1]


def _is_ours(workspace: str, seen: UnknownBatch, token: str | None) -> bool:
    """Note what a token proves: whose the batch is."""
    if token is None:
        return False
    with process.database().transaction() as connection:
        submission_id = ledger.submission_of(connection, token)
    if submission_id is not None:
        log.warning("found a batch whose create had no answer", api_id=seen.api_id, submission_id=submission_id)
        created(submission_id, api.NewBatch(seen.api_id, seen.created_at, None))
        doorbell.ring(routes.POLL)  # it has ended, and the next list says so
        return True
    if not protocol.is_marked(process.deployment(), token):
        return False
    _remember(workspace, seen, token)
    return True


def _remember(workspace: str, seen: UnknownBatch, token: str) -> None:
    """A batch of this deployment that its ledger has forgotten: it was restored to an earlier state (R11)."""
    assert seen.ended_at is not None, "a token is read of what has ended"
    with api.results(workspace, seen.api_id) as lines:
        members = tuple(item_id for raw in islice(lines, _MEMBERS_READ) if (item_id := _member(raw)) is not None)
    forgotten = Forgotten(seen.api_id, token, seen.items, seen.created_at, seen.ended_at, members)
    with process.database().transaction() as connection:
        submission_id = deployment.remember(connection, workspace, forgotten)
    log.error("found a batch that the ledger had forgotten", api_id=seen.api_id, submission_id=submission_id)
