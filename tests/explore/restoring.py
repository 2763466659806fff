"""What a backup does to the ledger, and what the ledger does about it (`deployment.notice_move`, `restored.look`).

A forgotten submission keeps its number, so that what is true about its create stays known here; the ledger sees no row.
"""

from __future__ import annotations

from tests.explore.rules import Bounds, Fault, Part
from tests.explore.world import FORGOTTEN, GONE, NONE, Item, Reader, Step, Steps, Submission, World, fails


def restores(world: World, bounds: Bounds) -> Steps:
    """Every backup that the ledger may be restored from: one of before the first claim, or of during a create."""
    if (failed := fails(world, bounds, Fault.RESTORED)) is None or not world.submissions:
        return
    yield Step("the ledger is restored from before the first claim", Fault.RESTORED, _set_back(failed, 0, ()))
    for n, row in enumerate(world.submissions):
        if row.batch != 0 or row.state == FORGOTTEN or row.twin_of != NONE:
            continue
        for state, what in (("claimed", "claimed"), ("sending", "being sent"), ("let go", "let go")):
            if (state != "claimed" and row.send_by == NONE) or (state == "let go" and not row.let_go):
                continue
            yield Step(
                f"the ledger is restored from when submission {n} was {what}",
                Fault.RESTORED,
                _set_back(failed, n + 1, (_as_it_was(row, state),)),
            )


def _as_it_was(row: Submission, state: str) -> Submission:
    then = row._replace(api_id=NONE, ended=False, reads=0, owner=GONE)
    if state == "claimed":
        # its body stays: what is true at the API, and what the batch was packed with
        return then._replace(state="claimed", send_by=NONE, quiet_after=NONE, let_go=False)
    return then._replace(state="sending", let_go=state == "let go")


def _set_back(world: World, kept: int, newest: tuple[Submission, ...]) -> World:
    """The ledger as it was with so many submissions, the newest of them under way."""
    rows: list[Submission] = []
    for n, row in enumerate(world.submissions):
        if n < kept - len(newest) and row.batch == 0 and row.state != FORGOTTEN and row.twin_of == NONE:
            # whatever it became since, a successor was claimed only because it was over
            rows.append(row if row.state == "void" else row._replace(state="lost", api_id=NONE, ended=False))
        elif newest and n == kept - 1:
            rows.append(newest[0])
        else:
            rows.append(row._replace(batch=NONE, state=FORGOTTEN, owner=GONE, api_id=NONE, ended=False, reads=0))
    return world._replace(
        submissions=tuple(rows),
        batches=("submitting" if newest else "packed",),
        parents=(NONE,),
        items=tuple(
            # what was taken back before the newest claim was so then
            item if newest and item.state == "canceled" and not newest[0].body >> number & 1 else Item("batched", 0)
            for number, item in enumerate(world.items)
        ),
        epoch=world.epoch + 1,
        moved=True,
        looking=NONE,
        bill=frozenset(),
        sightings=(),
        remembered=frozenset(),
        reader=Reader(),
    )


def at_home(world: World, bounds: Bounds) -> bool:
    """deployment.AT_HOME: the ledger is where it was, or has noticed that it isn't."""
    return not world.moved or Part.R11_HOME in bounds.without


def may_send(world: World, bounds: Bounds) -> bool:
    """deployment.LOOKED."""
    return (at_home(world, bounds) and world.looking == NONE) or Part.R11_LOOK in bounds.without


def until(world: World, bounds: Bounds) -> int:
    """When all that was on its way when the ledger moved is listed."""
    allowance = 0 if Part.R11_QUIET in bounds.without else bounds.create + bounds.wire + bounds.quiet
    return world.looking + allowance


def notices(world: World, bounds: Bounds) -> Steps:
    """restored.notice: on the beat, before anything else."""
    if not world.moved:
        return
    noticed = world._replace(moved=False, looking=world.now)
    allowance = bounds.create + bounds.wire + bounds.quiet
    for n, row in enumerate(world.submissions):
        if row.state == "unclear" or (row.state in ("claimed", "sending") and Part.R11_DOUBT not in bounds.without):
            doubted = noticed.move_submission("doubt", n) or noticed
            body = row.body or sum(1 << item for item, _ in enumerate(world.items))
            doubted = doubted.submission(
                n, doubted.submissions[n]._replace(body=body, lease_until=NONE, quiet_after=world.now + allowance)
            )
            noticed = doubted.move_batch("doubt", row.batch) or doubted
    yield Step("rescue notices that the ledger was restored", None, noticed)


def remember(world: World, api_id: int) -> World:
    """deployment.remember: a row again, in a batch of its own that has ended."""
    owner = world.token(api_id)
    row = world.submissions[owner]
    back = row._replace(batch=len(world.batches), state="open", api_id=api_id, ended=True)
    return world.submission(owner, back)._replace(
        batches=(*world.batches, "ended"), parents=(*world.parents, NONE), remembered=world.remembered | {owner}
    )


def undecided(world: World, unproven: int, bounds: Bounds) -> int:
    """deployment.undecided."""
    unclear = sum(row.state == "unclear" for row in world.submissions)
    recorded = Part.R11_RECORD in bounds.without
    unread = 0 if recorded else sum(world.submissions[n].state != "done" for n in world.remembered)
    return unproven + unclear + unread
