"""Poll: one list of the API's batches tells what ended, what was created after all, and what never was.

A list costs one request for 1,000 batches, and shows the ones that nobody told us about.
"""

from __future__ import annotations

import random
import time
from datetime import datetime, timedelta
from typing import Final

from overnight_models import routes
from overnight_models.errors import BadSettings
from overnight_models.ledger import deployment, rescue, workspaces
from overnight_models.ledger import poll as ledger
from overnight_models.ledger.poll import UnknownBatch, Watched
from overnight_models.ledger.submit import submit as submissions
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell, protocol, pulse
from overnight_workers.stages.poll import restored, unknown_batches
from overnight_workers.stages.poll.listing import LOOK_S, read_list
from overnight_workers.stages.protocol import Candidate, Listing, Sent
from overnight_workers.telemetry import logs

_PROBE_AFTER_S: Final = 60.0
_LONGEST_PROBE_PAUSE_S: Final = 3600.0
_LOOKED_UP: Final = 5
_NOTED_EVERY_S: Final = 10.0
"""How often a look without a fault is noted: for whoever watches how old the last is."""
_PAUSE_FACTOR: Final = 10.0
"""A workspace that can't be read takes no more than a tenth of the time."""
_LONGEST_PAUSE_S: Final = 300.0

log = logs.get(__name__)


@app.task(name=routes.POLL, send_events=False)  # ticks would hide the work in Flower
def poll(**_later: object) -> str:
    """Look at every workspace in which something is open or unclear. One that can't be read stalls no other.

    Those whose list could be read come first; one whose API takes long waits ten times as long for its next look.
    """
    doorbell.heard(routes.POLL)
    with process.database().transaction() as connection:
        rescue.doubt_abandoned(connection)
        known = workspaces.workspaces(connection)
        moved_at = deployment.read(connection).moved_at
        # for a day longer than anybody waits for it: what is listed later than every allowance is found as well
        again = moved_at is not None and ledger.now(connection) < moved_at + restored.LONGEST_BATCH
        unlooked = [workspace.name for workspace in known] if again else deployment.unlooked(connection)
    ended = 0
    for workspace in sorted(known, key=lambda workspace: workspace.unread_for_s is not None):
        if workspace.look_in_s <= 0:
            ended += _look(workspace, moved_at if workspace.name in unlooked else None)
            pulse.at_work(routes.POLL)
    if ended or unlooked:
        doorbell.ring(routes.COLLECT)
    return f"{ended} ended"


def _look(workspace: workspaces.WorkspaceState, moved_at: datetime | None) -> int:
    """One look at one workspace, whatever its API answers. Returns how many of our batches have ended.

    moved_at: when the ledger moved, if this workspace is still to be looked at for that.
    """
    ended, unread, is_read = 0, None, False
    began_at = time.monotonic()
    try:
        about = f"workspace {workspace.name}"
        with pulse.alone(routes.POLL, about, again_in_s=_LONGEST_PAUSE_S, expected=(BadSettings,)) as tried:
            api.client(workspace.name)
            began_at = time.monotonic()  # to read certificates isn't the workspace's fault
            ended, unread = _poll(workspace.name)
            if moved_at is not None:
                unread = restored.look(workspace.name, moved_at) or unread
            if workspace.held_reason is not None:
                _probe_held(workspace)
            is_read = True
        if tried.error is not None:
            # nothing that one workspace's API says may keep the others from being looked at
            unread = pulse.said(tried.error)
    except (api.ApiUnavailable, BadSettings) as error:
        unread = str(error)
        log.warning("workspace not polled", workspace=workspace.name, error=unread)
    pause_s = 0.0 if is_read else min(_PAUSE_FACTOR * (time.monotonic() - began_at), _LONGEST_PAUSE_S)
    if unread or workspace.unread_for_s is not None or (workspace.read_s or _NOTED_EVERY_S) >= _NOTED_EVERY_S:
        with process.database().transaction() as connection:
            workspaces.note_look(connection, workspace.name, unread, pause_s=pause_s)
    return ended


def _probe_held(workspace: workspaces.WorkspaceState) -> None:
    """A held workspace whose API answers is tried again; a create that is turned down holds it anew, for longer.

    One that only a person can bring back is left alone.
    """
    if workspace.until_resumed:
        return
    pause_s = min(_PROBE_AFTER_S * 2.0 ** min(max(workspace.holds - 1, 0), 10), _LONGEST_PROBE_PAUSE_S)
    if (workspace.held_for_s or 0) < pause_s:
        return
    api.list_batches(workspace.name, limit=1)
    with process.database().transaction() as connection:
        released = workspaces.release(connection, workspace.name)
    if not released:
        return  # a person was faster
    log.info("workspace tried again", workspace=workspace.name, was_held_for=workspace.held_reason)
    doorbell.ring(routes.SUBMIT)


def _poll(workspace: str) -> tuple[int, str | None]:
    """One look at one workspace. Returns how many of our batches have ended, and what of its list can't be read.

    Raises ApiUnavailable.
    """
    give_up_at = time.monotonic() + LOOK_S
    with process.database().transaction() as connection:
        watched = ledger.watched(connection, workspace)
        sought_since, sweep = ledger.sought_since(connection, workspace, sweep_every_s=settings().timing.quiet)
        started_at = ledger.now(connection)
        unproven = ledger.running_sightings(connection, workspace) if watched or sought_since else []
    claimed = [batch.claimed_at for batch in watched]
    if sought_since is not None:
        claimed.append(sought_since)
    if not claimed:
        return 0, None
    since = min(claimed)
    listing, listed = read_list(workspace, started_at, lambda ahead: _oldest(watched, since, ahead))
    expected = {*unproven, *(batch.api_id for batch in watched if batch.api_id is not None)}
    listed += _look_up(workspace, expected - {batch.api_id for batch in listed}, give_up_at)
    ended = _note(workspace, watched, unproven, since, listing, listed)
    ended += unknown_batches.judge(workspace, give_up_at)
    _decide(workspace, watched, listing)
    _stop(workspace, give_up_at)
    if sweep and listing.odd is None and protocol.goes_back_to(since, listing):
        with process.database().transaction() as connection:
            ledger.swept(connection, workspace, started_at)
    return ended, listing.odd and f"list of batches: {listing.odd}"


def _oldest(watched: list[Watched], since: datetime, ahead: timedelta) -> datetime:
    """By the API's clock: what was created before says nothing about any of these."""
    created = min((batch.api_created_at or batch.claimed_at + ahead for batch in watched), default=since + ahead)
    return min(created, since + ahead) - protocol.CLOCK_SKEW - timedelta(minutes=1)


def _look_up(workspace: str, missing: set[str], give_up_at: float) -> list[api.Listed]:
    """Some of the batches that should be on the list and aren't (it may lag, they may be deleted), one by one."""
    batches = []
    for api_id in random.sample(sorted(missing), min(_LOOKED_UP, len(missing))):
        try:
            batches.append(api.retrieve(workspace, api_id))
        except api.ApiUnavailable as error:
            # 404 on a batch that exists heals by itself; it is never a reason to send it again
            log.warning("a batch isn't listed and can't be looked up", api_id=api_id, error=str(error))
            if time.monotonic() > give_up_at:
                break
    return batches


def _note(
    workspace: str,
    watched: list[Watched],
    unproven: list[str],
    since: datetime,
    listing: Listing,
    listed: list[api.Listed],
) -> int:
    """What the list says: which of ours ended, and which batches we don't know that might be ours (R9)."""
    by_id = {batch.api_id: batch for batch in watched if batch.api_id is not None}
    ended = 0
    with process.database().transaction() as connection:
        strangers = [batch for batch in listed if batch.api_id not in by_id]
        ours = ledger.known_api_ids(connection, [batch.api_id for batch in strangers])
        ledger.note_unknown_batches(
            connection,
            workspace,
            [
                UnknownBatch(batch.api_id, batch.items, batch.created_at, batch.ended_at)
                for batch in strangers
                if batch.api_id not in ours
                and (batch.api_id in unproven or protocol.worth_a_look(since, Candidate(batch.created_at), listing))
            ],
        )
        for batch in listed:
            known = by_id.get(batch.api_id)
            if known is not None and batch.ended_at is not None and known.ended_at is None:
                ended += ledger.end(connection, known.submission_id, batch.ended_at, batch.counts)
    return ended


def _sent(batch: Watched) -> Sent | None:
    return None if batch.quiet_after is None else Sent(batch.claimed_at, batch.quiet_after, batch.api_workspace_id)


def _stop(workspace: str, give_up_at: float) -> None:
    """What is canceled at the API; what was done of it is billed.

    A create that turned out to be one too many, as its id is known (R9); and batches whose deadlines are at risk, where
    their lane says so.
    """
    with process.database().transaction() as connection:
        doubles = ledger.doubles(connection, workspace)
        late = ledger.to_stop(connection, workspace)
    for submission_id, api_id in (late | doubles).items():
        if time.monotonic() > give_up_at:
            break  # the next look goes on
        try:
            api.cancel(workspace, api_id)
        except api.ApiUnavailable as error:
            if error.status is None or error.status == 404 or error.status >= 429:
                log.warning("a batch can't be canceled yet", api_id=api_id, error=str(error))
                continue
            # it has ended already, or can't be stopped: its results are collected all the same
        with process.database().transaction() as connection:
            ledger.cancel_asked(connection, submission_id)
        if submission_id in doubles:
            log.error("paid twice in part: a double is canceled", submission_id=submission_id, api_id=api_id)
        else:
            log.warning("canceled for its deadlines", submission_id=submission_id, api_id=api_id)


def _decide(workspace: str, watched: list[Watched], listing: Listing) -> None:
    """Unclear submissions that no list shows are lost, and their batches may be sent again (R4, R5)."""
    unclear = [batch for batch in watched if batch.state == "unclear" and batch.api_id is None]
    if not unclear:
        return
    oldest = min(batch.claimed_at for batch in unclear) + listing.api_clock_ahead - protocol.CLOCK_SKEW
    with process.database().transaction() as connection:
        unproven = ledger.unknown_batches(connection, workspace, oldest)
    for batch in unclear:
        sent = _sent(batch)
        candidates = [Candidate(seen.created_at, believed=seen.believed_of == batch.submission_id) for seen in unproven]
        why = "it isn't known what was sent" if sent is None else protocol.why_not_lost(sent, listing, candidates)
        bound = log.bind(batch_id=batch.batch_id, submission_id=batch.submission_id)
        if why is not None:
            with process.database().transaction() as connection:
                submissions.say_why_unclear(connection, batch.batch_id, why)
            bound.info("still unclear", why=why)
            continue
        with process.database().transaction() as connection:
            lost = submissions.lose(connection, batch.submission_id, batch.batch_id)
        if lost:
            bound.warning("believed never created: it will be sent again")
            doorbell.ring(routes.SUBMIT)
