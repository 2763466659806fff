"""Poll: one list of the API's batches tells what ended, what was created after all, and what never was.

A list costs one request for 1,000 batches, and shows the ones that nobody told us about.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from overnight_models import routes
from overnight_models.errors import BadSettings
from overnight_models.ledger import poll as ledger
from overnight_models.ledger import rescue, workspaces
from overnight_models.ledger import submit as submissions
from overnight_models.ledger.poll import Sighted, Watched
from overnight_workers import api, doorbell, logs, process, protocol
from overnight_workers.app import app
from overnight_workers.protocol import Candidate, Listing, Sent
from overnight_workers.submit import created

_PROBE_AFTER_S: Final = 60.0
_LOOKED_UP: Final = 5

log = logs.get(__name__)


@app.task(name=routes.POLL, send_events=False)  # ticks would hide the work in Flower
def poll(**_later: Any) -> str:
    """Look at every workspace in which something is open or unclear. One that can't be read stalls no other."""
    doorbell.heard(routes.POLL)
    with process.database().transaction() as connection:
        rescue.doubt_abandoned(connection)
        known = workspaces.workspaces(connection)
    ended = 0
    for workspace in known:
        try:
            ended += _poll(workspace.name)
            if workspace.held_reason is not None:
                _probe_held(workspace)
        except (api.ApiUnavailable, BadSettings) as error:
            log.warning("workspace not polled", workspace=workspace.name, error=str(error))
    if ended:
        doorbell.ring(routes.COLLECT)
    return f"{ended} ended"


def _probe_held(workspace: workspaces.WorkspaceState) -> None:
    """A held workspace whose API answers again is tried again; a create that is turned down holds it anew."""
    if (workspace.held_for_s or 0) < _PROBE_AFTER_S:
        return
    api.list_batches(workspace.name, limit=1)
    with process.database().transaction() as connection:
        workspaces.release(connection, workspace.name)
    log.info("workspace tried again", workspace=workspace.name, was_held_for=workspace.held_reason)
    doorbell.ring(routes.SUBMIT)


def _poll(workspace: str) -> int:
    """One look at one workspace. Returns how many of our batches have ended."""
    with process.database().transaction() as connection:
        watched = ledger.watched(connection, workspace)
        started_at = ledger.now(connection)
    if not watched:
        return 0
    listing, listed = _list(workspace, watched, started_at)
    listed += _look_up(workspace, watched, listed)
    ended = _note(workspace, watched, listing, listed)
    _judge_sightings(workspace, watched, listing)
    _decide(workspace, watched, listing)
    return ended


def _list(workspace: str, watched: list[Watched], started_at: datetime) -> tuple[Listing, list[api.Listed]]:
    """The list, back to the oldest submission that it could say something about."""
    page = api.list_batches(workspace)
    ahead = api.ahead(page, started_at)
    oldest = (
        min(one.api_created_at or one.claimed_at + ahead for one in watched)
        - protocol.CLOCK_SKEW
        - timedelta(minutes=1)
    )
    listed = list(page.batches)
    while page.more and page.batches and page.batches[-1].created_at >= oldest:
        page = api.list_batches(workspace, after_id=page.batches[-1].api_id)
        listed += page.batches
    # an empty page that says there is more proves nothing
    back_to = (listed[-1].created_at if listed else page.date) if page.more else None
    return Listing(started_at, ahead, page.api_workspace_id, back_to), listed


def _look_up(workspace: str, watched: list[Watched], listed: list[api.Listed]) -> list[api.Listed]:
    """Some of the open batches that the list doesn't show (it may lag, they may be deleted): looked up one by one."""
    shown = {one.api_id for one in listed}
    found = []
    for api_id in [one.api_id for one in watched if one.api_id is not None and one.api_id not in shown][:_LOOKED_UP]:
        try:
            found.append(api.retrieve(workspace, api_id))
        except api.ApiUnavailable as error:
            # 404 on a batch that exists heals by itself; it is never a reason to send it again
            log.warning("an open batch isn't listed and can't be looked up", api_id=api_id, error=str(error))
    return found


def _note(workspace: str, watched: list[Watched], listing: Listing, listed: list[api.Listed]) -> int:
    """What the list says: which of ours ended, and which batches we don't know that might be ours."""
    by_id = {one.api_id: one for one in watched if one.api_id is not None}
    doubtful = [_sent(one) for one in watched if one.api_id is None]
    ended = 0
    with process.database().transaction() as connection:
        strangers = [one for one in listed if one.api_id not in by_id]
        ours = ledger.known_api_ids(connection, [one.api_id for one in strangers])
        ledger.sight(
            connection,
            workspace,
            [
                Sighted(one.api_id, one.items, one.created_at, one.ended_at)
                for one in strangers
                if one.api_id not in ours
                and any(
                    protocol.worth_a_look(sent, Candidate(one.items, one.created_at), listing)
                    for sent in doubtful
                    if sent
                )
            ],
        )
        for one in listed:
            known = by_id.get(one.api_id)
            if known is not None and one.ended_at is not None and known.ended_at is None:
                ended += ledger.end(connection, known.submission_id, one.ended_at, one.counts)
    return ended


def _sent(one: Watched) -> Sent | None:
    if one.items is None or one.quiet_after is None:
        return None
    return Sent(one.items, one.claimed_at, one.quiet_after, one.api_workspace_id)


def _judge_sightings(workspace: str, watched: list[Watched], listing: Listing) -> None:
    """Batches of unknown origin that have ended: one line is read, its token compared, its content dropped (R9)."""
    oldest = min(one.claimed_at for one in watched) + listing.api_clock_ahead - protocol.CLOCK_SKEW
    with process.database().transaction() as connection:
        unknown = ledger.sightings(connection, workspace, oldest)
    for seen in unknown:
        if seen.ended_at is None or seen.ours is not None:
            continue
        try:
            with api.results(workspace, seen.api_id) as lines:
                token = _first_token(lines)
        except (api.ApiUnavailable, orjson.JSONDecodeError) as error:
            log.warning("a batch of unknown origin can't be read yet", api_id=seen.api_id, error=str(error))
            continue
        with process.database().transaction() as connection:
            submission_id = None if token is None else ledger.submission_of(connection, token)
        if submission_id is not None:
            log.warning("found a batch whose create had no answer", api_id=seen.api_id, submission_id=submission_id)
            created(submission_id, api.NewBatch(seen.api_id, seen.created_at, None))
        # only now: until the id is saved on its submission, the sighting is the only trace of it
        with process.database().transaction() as connection:
            ledger.judge(connection, seen.api_id, ours=submission_id is not None)


def _first_token(lines: Iterator[bytes]) -> str | None:
    """The token on the first line; None when that one isn't ours. Raises ApiUnavailable when there is no line."""
    first = next(lines, None)
    if first is None:
        raise api.ApiUnavailable("results without a line, which prove nothing")
    document = orjson.loads(first)
    read = protocol.read_custom_id(str(document.get("custom_id", ""))) if isinstance(document, dict) else None
    return read[0] if read else None


def _decide(workspace: str, watched: list[Watched], listing: Listing) -> None:
    """Unclear submissions that no list shows are lost, and their batches may be sent again (R4, R5)."""
    unclear = [one for one in watched if one.state == "unclear" and one.api_id is None]
    if not unclear:
        return
    oldest = min(one.claimed_at for one in unclear) + listing.api_clock_ahead - protocol.CLOCK_SKEW
    with process.database().transaction() as connection:
        unproven = ledger.sightings(connection, workspace, oldest)
    candidates = [Candidate(one.items, one.created_at) for one in unproven if one.ours is None]
    for one in unclear:
        sent = _sent(one)
        why = "it isn't known what was sent" if sent is None else protocol.still_unclear(sent, listing, candidates)
        bound = log.bind(batch_id=one.batch_id, submission_id=one.submission_id)
        if why is not None:
            bound.info("still unclear", why=why)
            continue
        with process.database().transaction() as connection:
            lost = submissions.lose(connection, one.submission_id, one.batch_id)
        if lost:
            bound.warning("believed never created: it will be sent again")
            doorbell.ring(routes.SUBMIT)
