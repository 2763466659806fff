"""Operator overrides: what a person may say of a batch that the API's list can't settle (R10), and what happens next.

None of them weakens the protocol: an id that a person gives still has to be proven by its token, and what is declared
never created or gone is looked for all the same, collected when it turns up, billed, and shown.
"""

from __future__ import annotations

from collections.abc import Callable

from overnight_models import routes
from overnight_models.errors import PermanentError
from overnight_models.ledger import poll as ledger
from overnight_models.ledger.operators import troubles
from overnight_models.ledger.operators.troubles import UnclearView
from overnight_models.ledger.poll import UnknownBatch
from overnight_models.ledger.submit import submit as submissions
from overnight_models.quantities import several
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.stages import doorbell, protocol
from overnight_workers.stages.collect import collect
from overnight_workers.stages.poll import unknown_batches


class CantDecide(PermanentError):
    """What a person says of a batch can't be so; the message says why."""


def adopt(batch_id: int, api_id: str) -> str:
    """An unclear batch is the one of this id at the API, a person says.

    Raises CantDecide when it can't be, ApiUnavailable when the API doesn't show it.
    """
    unclear = _unclear(batch_id)
    listed = api.retrieve(unclear.workspace, api_id)
    seen = UnknownBatch(api_id, listed.items, listed.created_at, listed.ended_at, believed_of=unclear.submission_id)
    with process.database().transaction() as connection:
        if ledger.known_api_ids(connection, [api_id]):
            raise CantDecide(f"{api_id} is another batch of ours already (`overnight batches` shows which)")
        ledger.believe(connection, unclear.workspace, seen)
    since = listed.created_at - protocol.CLOCK_SKEW
    unknown_batches.judge(unclear.workspace)
    with process.database().transaction() as connection:
        unproven = ledger.unknown_batches(connection, unclear.workspace, since)
        proven = not troubles.unclear(connection, batch_id)
    if proven:
        doorbell.ring(routes.COLLECT)
        return f"{api_id} bears the token of batch {batch_id}: its results are collected now"
    if any(batch.api_id == api_id for batch in unproven):
        sizes = f"{listed.items:,} requests by its counts, {unclear.items:,} in the batch"
        differs = "" if listed.items == unclear.items else f" ({sizes}: that proves nothing)"
        return (
            f"batch {batch_id} waits for {api_id}: its token proves it, or disproves it, when it can be read{differs}"
        )
    raise CantDecide(f"{api_id} bears another token: it isn't batch {batch_id}, whatever it looks like")


def never_created(batch_id: int, by: str) -> str:
    """An unclear batch was never created, a person says: it is sent again. Raises CantDecide."""
    unclear = _unclear(batch_id)
    with process.database().transaction() as connection:
        if not submissions.lose(connection, unclear.submission_id, batch_id, f"never created, says {by}"):
            raise CantDecide(f"batch {batch_id} isn't unclear any more: look at it again")
    doorbell.ring(routes.SUBMIT)
    return f"batch {batch_id} is sent again; should it have been created after all, it is found, collected and billed"


def gone(batch_id: int, by: str) -> str:
    """The results of a batch can't be had any more, a person says: its items fail. Raises CantDecide."""
    submission_id = _at_the_api(batch_id)
    recorded = collect.give_up(submission_id, batch_id, f"given up, says {by}")
    failed = several(recorded.failed, "item")
    return f"batch {batch_id} is given up: {failed} failed as given_up, and may be billed all the same"


def why_not_unclear(batch_id: int) -> str | None:
    """Why nobody can say of a batch what it became; None when it is unclear."""
    return _why_not(_unclear, batch_id)


def why_not_at_the_api(batch_id: int) -> str | None:
    """Why a batch's results can't be given up; None when it is at the API."""
    return _why_not(_at_the_api, batch_id)


def _why_not(look: Callable[[int], object], batch_id: int) -> str | None:
    try:
        look(batch_id)
    except CantDecide as error:
        return str(error)
    return None


def _at_the_api(batch_id: int) -> int:
    """The submission of a batch that is open at the API. Raises CantDecide."""
    with process.database().transaction() as connection:
        submission_id = submissions.open_submission_of(connection, batch_id)
    if submission_id is None:
        raise CantDecide(f"batch {batch_id} isn't at the API, or is recorded: nothing of it can be given up")
    return submission_id


def _unclear(batch_id: int) -> UnclearView:
    with process.database().transaction() as connection:
        unclear = troubles.unclear(connection, batch_id)
    if not unclear:
        raise CantDecide(f"batch {batch_id} isn't unclear: `overnight batches --unclear` lists those that are")
    return unclear[0]
