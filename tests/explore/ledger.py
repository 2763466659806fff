"""The ledger's statements, one function each, over the model's rows. None where no row was updated.

The name of the product's function is the name here; `models/overnight_models/ledger/` has the SQL.
"""

from __future__ import annotations

from typing import Final

from overnight_models.states import BATCH
from tests.explore.restoring import at_home, may_send
from tests.explore.rules import Bounds, Part
from tests.explore.world import END, FORGOTTEN, GONE, NONE, STRANGER, Submission, World, moved

UNDER_WAY: Final = ("claimed", "sending", "unclear")


def lives(row: Submission, bounds: Bounds) -> bool:
    """The guard that claiming and recording share: a submission that may still run, as far as the ledger knows."""
    return row.state in (*UNDER_WAY, "open") or (
        row.state in ("lost", "void") and row.api_id != NONE and Part.R7_KNOWN not in bounds.without
    )


def sent_before(world: World, batch: int, bounds: Bounds) -> bool:
    """facts.sent_before."""
    whole = {batch} if Part.R7_WHOLE in bounds.without else set(world.whole(batch))
    return any(lives(row, bounds) for row in world.submissions if row.batch in whole)


def follow(world: World, batch: int, bounds: Bounds) -> World:
    """facts.follow: a batch of which a submission is open and none is under way is open, or ended, like that one."""
    if Part.R7_FOLLOW in bounds.without:
        return world
    rows = [row for row in world.submissions if row.batch == batch]
    if not any(row.state == "open" for row in rows) or any(row.state in UNDER_WAY for row in rows):
        return world
    opened = world.move_batch("open", batch)
    if opened is None:
        return world
    over = any(row.state == "open" and row.ended for row in rows)
    return (opened.move_batch("end", batch) if over else None) or opened


# --- submit.py -----------------------------------------------------------------------------------------------------


def members(world: World, batch: int) -> int:
    """The items that a body would have now: those still batched in it."""
    return sum(1 << n for n, item in enumerate(world.items) if item.batch == batch and item.state == "batched")


def claim(world: World, batch: int, owner: int, bounds: Bounds) -> World | None:
    """submit.claim."""
    if moved(BATCH, "claim", world.batches[batch]) is None or world.now == END or not may_send(world, bounds):
        return None
    if Part.R7_CLAIM not in bounds.without and sent_before(world, batch, bounds):
        return None
    if any(row.batch == batch and row.state in UNDER_WAY for row in world.submissions):
        return None  # one_submission_under_way_per_batch
    if world.batches[0] == "split" and batch > 1 and world.batches[batch - 1] not in BATCH.final:
        return None  # the model's: two halves have nothing to do with each other, so one goes after the other
    for number, item in enumerate(world.items):
        if item.batch == batch and item.cancel_wanted:
            world = world.move_item("unpack", number) or world
    if not members(world, batch):
        return world.move_batch("empty", batch)
    if world.attempts == bounds.submissions:
        return None
    claimed = world.move_batch("claim", batch)
    assert claimed is not None
    row = Submission(batch, "claimed", owner, world.now, world.now + bounds.lease, world.learned)
    return claimed._replace(submissions=(*world.submissions, row), creates=(*world.creates, type(world.stranger)()))


def send(world: World, number: int, bounds: Bounds) -> World | None:
    """submit.send, and the reading of the members before it."""
    row = world.submissions[number]
    if row.state != "claimed" or not row.lease_until > world.now:
        return None
    sent = world.move_submission("send", number)
    assert sent is not None
    send_by = world.now + bounds.create
    return sent.submission(
        number,
        sent.submissions[number]._replace(
            body=members(world, row.batch),
            lease_until=NONE,
            send_by=send_by,
            quiet_after=send_by + bounds.wire + bounds.quiet,
        ),
    )


def authorize_last_bytes(world: World, number: int, bounds: Bounds) -> World | None:
    """submit.authorize_last_bytes."""
    row = world.submissions[number]
    if not at_home(world, bounds):
        return None
    if Part.R2_GATE_STATE not in bounds.without and (row.state != "sending" or row.let_go):
        return None
    if Part.R2_GATE_TIME not in bounds.without and not world.now < row.send_by:
        return None
    before = world.others(number) if Part.R7_WHOLE in bounds.without else world.relatives(number)
    if Part.R7_VOID not in bounds.without and any(other.known for other in before):
        return None
    return world.submission(number, row._replace(let_go=True))


def note_api_id(world: World, number: int, api_id: int, bounds: Bounds) -> World:
    """facts.note_api_id: anyone, in any state; on a twin when the submission has another id already."""
    row = world.submissions[number]
    if row.state == FORGOTTEN or world.bearer(api_id) != NONE:
        return world
    if row.state == "void" and Part.R6_VOID in bounds.without:
        return world
    if Part.R6_FACTS in bounds.without and row.state != "sending":
        return world
    if row.api_id == NONE:
        return world.submission(number, row._replace(api_id=api_id))
    for other, twin in enumerate(world.submissions):
        if twin.twin_of == number and Part.R9_TWIN not in bounds.without:
            if number in world.remembered:
                world = world._replace(remembered=world.remembered | {other})
            return world.submission(other, twin._replace(batch=row.batch, state="open", api_id=api_id))
    return world


def open_submission(world: World, number: int, bounds: Bounds) -> World:
    """facts.open_submission; a twin is open from the start."""
    row = world.submissions[number]
    if row.api_id == NONE:
        return world
    opened = world if row.state == "open" else world.move_submission("open", number)
    if opened is None:
        return world
    for other, submission in enumerate(opened.submissions):
        if (
            other == number
            or submission.batch != row.batch
            or Part.R7_VOID in bounds.without
            or not at_home(world, bounds)
        ):
            continue
        if submission.state == "claimed" or (submission.state == "sending" and not submission.let_go):
            opened = opened.move_submission("void", other) or opened
    if Part.R7_FOLLOW not in bounds.without:
        return follow(opened, row.batch, bounds)
    if any(other.state in ("sending", "unclear", "open") for other in opened.others(number)):
        return opened
    return opened.move_batch("open", row.batch) or opened


def doubt(world: World, number: int) -> World | None:
    """submit.doubt."""
    doubted = world.move_submission("doubt", number)
    return None if doubted is None else doubted.move_batch("doubt", world.submissions[number].batch) or doubted


def release(world: World, number: int, bounds: Bounds) -> World | None:
    """submit.release; pauses are left out: any step may come late."""
    voided = world.move_submission("void", number)
    if voided is None:
        return None
    batch = world.submissions[number].batch
    return follow(voided.move_batch("release", batch) or voided, batch, bounds)


def reject(world: World, number: int, bounds: Bounds) -> World | None:
    """submit.reject."""
    voided = world.move_submission("void", number)
    if voided is None:
        return None
    batch = world.submissions[number].batch
    followed = follow(voided, batch, bounds)
    return followed.move_batch("reject", batch) or followed


def lose(world: World, number: int, bounds: Bounds) -> World | None:
    """submit.lose."""
    row = world.submissions[number]
    if Part.R7_KNOWN not in bounds.without and row.api_id != NONE:
        return None
    lost = world.move_submission("lose", number)
    if lost is None:
        return None
    return follow(lost.move_batch("free", row.batch) or lost, row.batch, bounds)


# --- rescue.py -----------------------------------------------------------------------------------------------------


def _is_gone(world: World, number: int, bounds: Bounds) -> bool:
    return world.submissions[number].owner == GONE and Part.PRESENCE not in bounds.without


def void_abandoned(world: World, number: int, bounds: Bounds) -> World | None:
    """rescue.void_abandoned, of one row."""
    row = world.submissions[number]
    deadline = row.send_by if row.send_by != NONE else row.lease_until
    if row.api_id != NONE or (row.let_go and Part.R2_LET_GO not in bounds.without) or not at_home(world, bounds):
        return None
    if not (deadline <= world.now or _is_gone(world, number, bounds)):
        return None
    voided = world.move_submission("void", number)
    if voided is None:
        return None
    return follow(voided.move_batch("release", row.batch) or voided, row.batch, bounds)


def doubt_abandoned(world: World, number: int, bounds: Bounds) -> World | None:
    """rescue.doubt_abandoned, of one row."""
    row = world.submissions[number]
    gone = _is_gone(world, number, bounds)
    if not row.let_go or not (row.send_by <= world.now or gone):
        return None
    doubted = world.move_submission("doubt", number)
    if doubted is None:
        return None
    if Part.R4_PRESENCE in bounds.without:
        quiet = min(row.quiet_after, world.now + bounds.wire + bounds.quiet)
        doubted = doubted.submission(number, doubted.submissions[number]._replace(quiet_after=quiet))
    if Part.R4_QUIET in bounds.without:
        doubted = doubted.submission(number, doubted.submissions[number]._replace(quiet_after=world.now))
    return doubted.move_batch("doubt", row.batch) or doubted


# --- poll.py -------------------------------------------------------------------------------------------------------


def end(world: World, number: int) -> World:
    """poll.end."""
    row = world.submissions[number]
    if row.api_id == NONE or row.ended:
        return world
    ended = world.submission(number, row._replace(ended=True))
    return (ended.move_batch("end", row.batch) or ended) if row.state == "open" else ended


def submission_of(world: World, api_id: int, bounds: Bounds) -> int | None:
    """poll.submission_of: whose token the results bear."""
    if api_id == STRANGER:
        return None
    token = world.token(api_id)
    if Part.R1_TOKEN_PER_CREATE in bounds.without:
        batch = world.submissions[token].batch
        return max(number for number, row in enumerate(world.submissions) if row.batch == batch and row.twin_of == NONE)
    return None if world.submissions[token].state == FORGOTTEN else token
