"""Submit: a packed batch is created at the API, once. `protocol.py` has the rules.

Claim it (R1, R7), build the body into a private file, say durably that bytes are about to be sent and until when,
stream them, hold the last ones back until the database agrees that there is still time (R2), and note the API's id
before all else (R6).
"""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import BinaryIO, Final

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.errors import BadSettings, TransientError
from overnight_models.ledger import traces, workspaces
from overnight_models.ledger.bodies import said
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.submit import facts, unsent
from overnight_models.ledger.submit import submit as ledger
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.anthropic_api.api import Reply
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell, protocol, pulse
from overnight_workers.stages.submit import breakpoints, shapes
from overnight_workers.stages.submit.rejected import divide_rejected
from overnight_workers.telemetry import counted, logs, tracing

_WRITE_BYTES: Final = 1 << 20
_MARGIN_S: Final = 1.0
"""The last bytes are let go only while so much time is left."""

_LONGEST_PAUSE_S: Final = 300.0
"""After a failure of our own: it may be mended at any moment."""

log = logs.get(__name__)


class TooLate(TransientError):
    """The time to write this submission's last bytes is over, or somebody else took it over."""


@app.task(name=routes.SUBMIT)
def submit(**_later: object) -> str:
    """Submit what is packed, one batch after the other, for a while; the rest is rung for again."""
    doorbell.heard(routes.SUBMIT)
    stop_at = time.monotonic() + 240
    divided = divide_rejected()
    sent = 0
    while time.monotonic() < stop_at:
        pulse.at_work(routes.SUBMIT)
        owner = process.database().owner()
        token = protocol.new_token(process.deployment())
        with process.database().transaction() as connection:
            claim = ledger.claim(
                connection,
                token=token,
                owner=owner,
                lease_s=settings().timing.lease,
                queue_limits={name: workspace.queue_limit for name, workspace in settings().workspaces.items()},
            )
        if claim is None:
            break
        sent += _submit_or_release(claim)
        divided += divide_rejected()
    else:
        doorbell.ring(routes.SUBMIT)
    if sent:
        # once for all of them: a list for each of 1,000 creates is 1,000 calls, and most batches run for minutes
        doorbell.ring(routes.POLL)
    return f"{sent} batches submitted" + (f", {divided} divided" if divided else "")


def _submit_or_release(claim: ledger.Claim) -> bool:
    """Submit it. What goes wrong here before the last bytes gives it back with the reason: no room for its body, say.

    So it isn't begun again at each lease, the other batches aren't delayed, and an alarm says what is to be mended.
    """
    try:
        _submit(claim)
    except ledger.Unreadable as error:
        _put_aside(claim, error)
        return False
    except Exception as error:
        pause_s = min(10.0 * 2 ** min(claim.releases, 10), _LONGEST_PAUSE_S)
        given_back = _give_back(claim, pulse.said(error), pause_s)
        # not given back: its last bytes had gone, or the database is away; the sweep finds out what became of it
        log.warning("a batch can't be sent from here", batch_id=claim.batch_id, given_back=given_back)
        pulse.failed(routes.SUBMIT, error, about=f"batch {claim.batch_id}", again_in_s=pause_s)
        if not pulse.is_our_own(error):
            raise
        return False
    pulse.succeeded(routes.SUBMIT, f"batch {claim.batch_id}")
    return True


def _put_aside(claim: ledger.Claim, error: ledger.Unreadable) -> None:
    """Items whose requests can't be read are held; the others of their batch are claimed again at once."""
    with process.database().transaction() as connection:
        if ledger.release(connection, claim.submission_id, claim.batch_id, str(error), pause_s=0):
            unsent.put_aside(connection, claim.batch_id, error.damaged)
    log.error("held: their requests can't be read", batch_id=claim.batch_id, items=len(error.damaged), why=str(error))


def _give_back(claim: ledger.Claim, why: str, pause_s: float) -> bool:
    try:
        with process.database().transaction() as connection:
            return ledger.release_unsent(connection, claim.submission_id, claim.batch_id, why, pause_s=pause_s)
    except TransientError:
        return False


def _submit(claim: ledger.Claim) -> None:
    bound = log.bind(batch_id=claim.batch_id, submission_id=claim.submission_id, workspace=claim.workspace)
    try:
        api.client(claim.workspace)
    except BadSettings as error:
        # its key is gone: the others' batches must not wait behind it
        with process.database().transaction() as connection:
            released = ledger.release(connection, claim.submission_id, claim.batch_id, str(error), pause_s=0)
            held = workspaces.hold(connection, claim.workspace, str(error))
        bound.error("not sent: its workspace can't be used", why=str(error), released=released, newly_held=held)
        return
    if not _workspace_is_known(claim) or _refused(claim):
        return
    spans = _spans(claim)
    with tempfile.TemporaryFile(prefix="overnight-") as body:
        items = _build(body, claim)
        size = body.tell()
        body.seek(0)
        with tracing.batch(spans, {"overnight.items": items, "overnight.bytes": size}) as said:
            answer = _send(claim, body, size, items)
            if isinstance(answer, api.NewBatch):
                said["overnight.batch_id"] = answer.api_id
    if answer is None:
        bound.warning("its lease ran out while the body was built")
        return
    counted.api_call("create", 200 if isinstance(answer, api.NewBatch) else answer.status)
    if isinstance(answer, api.NewBatch) and created(claim.submission_id, answer) is None:
        answer = Reply(200, True, f"the answer names {answer.api_id}, which is another batch")
    if isinstance(answer, api.NewBatch):
        with process.database().transaction() as connection:
            workspaces.is_well(connection, claim.workspace)
        counted.items(routes.SUBMIT, items)
        bound.info("submitted", api_id=answer.api_id, items=items, bytes=size)
    else:
        _not_answered(claim, answer)


def _send(claim: ledger.Claim, body: BinaryIO, size: int, items: int) -> api.NewBatch | Reply | None:
    """The one call that may cost something. Returns None when the lease ran out before it, and nothing was sent."""
    timing = settings().timing
    # the timer first: started after send_by is written, it could end later than that
    with _dead_by(timing.create_timeout):
        with process.database().transaction() as connection:
            ours = ledger.send(
                connection,
                claim.submission_id,
                items=items,
                create_timeout_s=timing.create_timeout,
                allowance_s=timing.wire + timing.quiet,
            )
        if not ours:
            return None
        return api.create(
            claim.workspace,
            body,
            size,
            lambda: _gate(claim.submission_id),
            headers=_headers(claim),
            # the answer is waited for a little less long than the process may live
            timeout_s=max(timing.create_timeout - 2 * _MARGIN_S, timing.create_timeout / 2),
        )


def _spans(claim: ledger.Claim) -> Sequence[str]:
    """Within which the batch's items were enqueued, where anybody wants to know."""
    if not tracing.is_on():
        return ()
    with process.database().transaction() as connection:
        return traces.of_batch(connection, claim.batch_id, limit=tracing.MOST_LINKS)


def _refused(claim: ledger.Claim) -> bool:
    """Whether some of its requests would be turned down: they fail now, unpaid, and the rest is claimed again."""
    patience_s = min(shapes.PATIENCE_S, settings().timing.lease / 4)
    refused = shapes.refused(claim.batch_id, claim.workspace, _headers(claim), patience_s=patience_s)
    if not refused:
        return False
    arrivals = [
        Arrival(item_id, Fate.FAIL_OWN, problem=Problem.REJECTED, detail=why) for item_id, why in refused.items()
    ]
    source = Source(submission_id=None, batch_id=claim.batch_id, api_batch_id=None, only_live=True)
    with process.database().transaction() as connection:
        words = said.listed_for(connection, claim.batch_id, arrivals[0].detail or "")
        why = f"{len(refused)} of its items were refused before it was sent: {words}"
        if ledger.release(connection, claim.submission_id, claim.batch_id, why, pause_s=0):
            outcomes.record(connection, source, arrivals, max_attempts=1)
    log.warning("refused before it was paid", batch_id=claim.batch_id, items=len(refused), why=words)
    return True


def _build(body: BinaryIO, claim: ledger.Claim) -> int:
    """Write the create's body; returns its requests. Flat: parts of it are in memory, never all."""
    items = 0
    pending = bytearray(b'{"requests":[')
    with process.database().transaction() as connection:
        requests = breakpoints.whole_requests if claim.has_prefixes else _plain_requests
        for item_id, params in requests(connection, claim):
            custom_id = protocol.custom_id(claim.token, item_id).encode()
            pending += b'%b{"custom_id":"%b","params":%b}' % (b"," if items else b"", custom_id, params)
            items += 1
            if len(pending) >= _WRITE_BYTES:
                reach("building the body")
                body.write(pending)
                pending.clear()
    body.write(pending + b"]}")
    return items


def _plain_requests(connection: Connection, claim: ledger.Claim) -> Iterator[tuple[int, bytes]]:
    """The items of a batch without prefixes, and their requests."""
    return ((request.item_id, request.own) for request in ledger.requests(connection, claim))


def _headers(claim: ledger.Claim) -> dict[str, str]:
    headers = {"anthropic-version": claim.api_version}
    return headers | {"anthropic-beta": claim.betas} if claim.betas else headers


def _gate(submission_id: int) -> None:
    """Before the last bytes: this submission must still be ours to send, and there must be time (R2)."""
    with process.database().transaction() as connection:
        ours = ledger.authorize_last_bytes(connection, submission_id, margin_s=_MARGIN_S)
    if not ours:
        raise TooLate("the time to send it is over, or somebody took it over")


@contextmanager
def _dead_by(seconds: float) -> Iterator[None]:
    """A process that was frozen past its time must not write when it wakes: the kernel ends it first (R3)."""
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    timer = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def created(submission_id: int, batch: api.NewBatch) -> int | None:
    """The API created it: the fact first, in a transaction of its own, tried until it commits (R6); then the moves.

    Returns the submission that bears the batch's id: this one, or its twin when the API executed its create twice. None
    when the id is another submission's.
    """
    noted: int | None = None
    for pause_s in (0.1, 0.5, 2.0, 5.0, 10.0, None):
        try:
            with process.database().transaction() as connection:
                noted = facts.note_api_id(connection, submission_id, batch.api_id, batch.created_at, batch.expires_at)
            break
        except TransientError:
            log.exception("the API's id couldn't be saved yet", submission_id=submission_id, api_id=batch.api_id)
            if pause_s is None:
                raise
            time.sleep(pause_s)  # the database is away: there is no condition to wait for but time
    if noted is None:
        log.error("an API id is another submission's", submission_id=submission_id, api_id=batch.api_id)
        return None
    with process.database().transaction() as connection:
        alone = facts.open_submission(connection, noted)
    if noted != submission_id:
        log.error(
            "its token stands on two batches: its create was executed twice",
            submission_id=submission_id,
            api_id=batch.api_id,
        )
    elif not alone:
        log.error("paid twice: its batch went on without it", submission_id=submission_id, api_id=batch.api_id)
    return noted


def _not_answered(claim: ledger.Claim, reply: Reply) -> None:
    conclusion = protocol.classify_create_reply(reply, releases=claim.releases)
    with process.database().transaction() as connection:
        words = said.listed_for(connection, claim.batch_id, reply.text) if reply.status else reply.text
    log.warning(
        "create didn't work",
        batch_id=claim.batch_id,
        submission_id=claim.submission_id,
        conclusion=type(conclusion).__name__,
        why=words,
        status=reply.status,
    )
    ids = (claim.submission_id, claim.batch_id)
    held = moved = False
    with process.database().transaction() as connection:
        match conclusion:
            case protocol.Unclear(why):
                moved = ledger.doubt(connection, *ids, why)
            case protocol.Reject(why):
                moved = ledger.reject(connection, *ids, why)
            case protocol.NotCreated(why, pause_s):
                moved = ledger.release(connection, *ids, why, pause_s=pause_s)
            case protocol.SlowDown(why, pause_s):
                moved = ledger.release(connection, *ids, why, pause_s=pause_s)
                workspaces.slow_down(connection, claim.workspace, pause_s)
            case protocol.HoldWorkspace(why, until_resumed):
                moved = ledger.release(connection, *ids, why, pause_s=0)
                held = workspaces.hold(connection, claim.workspace, why, until_resumed=until_resumed)
            case protocol.Created():
                raise AssertionError("a reply that names a batch is handled before")
    if held:
        log.error("workspace held", workspace=claim.workspace, why=words)
    if not moved:
        # a sweep took its submitter for dead, or an earlier submission of its batch turned out to live
        log.warning("its submission had moved on meanwhile", batch_id=claim.batch_id, submission_id=claim.submission_id)


def _workspace_is_known(claim: ledger.Claim) -> bool:
    """Learn what the API calls this workspace before the first create: a list from another proves nothing (R5)."""
    with process.database().transaction() as connection:
        known = {workspace.name: workspace.api_workspace_id for workspace in workspaces.workspaces(connection)}
        api_workspace_id = known.get(claim.workspace)
        if api_workspace_id is not None:
            # another batch's submitter may have learned it since this one was claimed
            ledger.set_workspace(connection, claim.submission_id, api_workspace_id)
            return True
    try:
        page = api.list_batches(claim.workspace, limit=1)
    except api.ApiUnavailable as error:
        _not_answered(claim, _asked_nothing(error))
        return False
    with process.database().transaction() as connection:
        workspaces.learn(connection, claim.workspace, page.api_workspace_id)
        ledger.set_workspace(connection, claim.submission_id, page.api_workspace_id)
    return True


def _asked_nothing(error: api.ApiUnavailable) -> Reply:
    """A list that was turned down, as the answer to a create of which nothing was sent."""
    reply = Reply(
        error.status,
        last_byte_authorized=False,
        text=str(error),
        error_code=error.error_code,
        retry_after_s=error.retry_after_s,
    )
    # what a list is turned down for says nothing about the batch: it isn't divided for that
    if isinstance(protocol.classify_create_reply(reply, releases=0), protocol.Reject):
        return replace(reply, status=None)
    return reply
