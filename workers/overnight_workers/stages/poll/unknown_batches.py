"""Unknown batches: at the API, and not in the ledger. When such a batch has ended, its token says whose it is (R9)."""

from __future__ import annotations

import math
import time
from typing import Final

from overnight_models.ledger import deployment
from overnight_models.ledger import poll as ledger
from overnight_models.ledger.deployment import Forgotten
from overnight_models.ledger.poll import UnknownBatch
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.stages import protocol
from overnight_workers.stages.result_lines import read_line
from overnight_workers.stages.submit.submit import created
from overnight_workers.telemetry import logs

_MEMBERS_READ: Final = 1000
_READ_AT_ONCE: Final = 50
"""Tokens that one poll reads in a workspace; the others are read by the next ones."""

log = logs.get(__name__)


def judge(workspace: str, give_up_at: float = math.inf) -> int:
    """Read the token of batches that are unknown and have ended. Returns how many of them are ours.

    give_up_at: by the monotonic clock; no more is read after that, the next look goes on.

    Their content is dropped. What can't be read yet is looked at again; nothing is ever canceled on a likeness.
    """
    with process.database().transaction() as connection:
        unknown = ledger.readable_sightings(connection, workspace, _READ_AT_ONCE)
    judged = 0
    for seen in unknown:
        if time.monotonic() > give_up_at:
            break
        try:
            ours = _is_ours(workspace, seen, read_token(workspace, seen.api_id))
        except (api.ApiUnavailable, IdTaken) as error:
            with process.database().transaction() as connection:
                ledger.postpone_reading(connection, seen.api_id)
            log.warning("a batch of unknown origin can't be read yet", api_id=seen.api_id, error=str(error))
            continue
        # only now: until the id is saved on its submission, the sighting is the only trace of it
        with process.database().transaction() as connection:
            ledger.judge(connection, seen.api_id, ours=ours)
        judged += ours
    return judged


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


class IdTaken(Exception):
    """A token says whose a batch is, and its id stands on another submission: that one's results will disprove it."""


def _is_ours(workspace: str, seen: UnknownBatch, token: str | None) -> bool:
    """Note what a token proves: whose the batch is. A token may stand on several batches: all of them are ours."""
    if token is None:
        return False
    with process.database().transaction() as connection:
        submission_id = ledger.submission_of(connection, token)
    if submission_id is None:
        if not protocol.is_marked(process.deployment(), token):
            return False
        submission_id = _remember(workspace, seen, token)
    log.warning("found a batch that the ledger didn't know", api_id=seen.api_id, submission_id=submission_id)
    noted = created(submission_id, api.NewBatch(seen.api_id, seen.created_at, None))
    if noted is None:
        raise IdTaken(f"{seen.api_id} is on another submission than {submission_id}, whose token it bears")
    if seen.ended_at is not None:
        with process.database().transaction() as connection:
            news = ledger.end(connection, noted, seen.ended_at, None)
        log.info("its results are to be read", api_id=seen.api_id, submission_id=noted, was_known=not news)
    return True


def _remember(workspace: str, seen: UnknownBatch, token: str) -> int:
    """A batch of this deployment that its ledger has forgotten: it was restored to an earlier state (R11)."""
    assert seen.ended_at is not None, "a token is read of what has ended"
    members: list[int] = []
    lines = 0
    with api.results(workspace, seen.api_id) as results:
        for line in results:
            lines += 1
            if len(members) < _MEMBERS_READ and (item_id := _member(line)) is not None:
                members.append(item_id)
    # the list's counts may be one short, the results too: what is missing of either is waited for
    items = max(seen.items, lines)
    forgotten = Forgotten(seen.api_id, token, items, seen.created_at, seen.ended_at, tuple(members))
    with process.database().transaction() as connection:
        submission_id = deployment.remember(connection, workspace, forgotten)
    log.error("found a batch that the ledger had forgotten", api_id=seen.api_id, submission_id=submission_id)
    return submission_id
