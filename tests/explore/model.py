"""The whole model: every step that anybody may take, and states without what no longer matters."""

from __future__ import annotations

from collections.abc import Iterator

from tests.explore.collecting import collector, others
from tests.explore.looking import pollers, rescuer
from tests.explore.restoring import restores
from tests.explore.rules import Bounds
from tests.explore.submitting import api, submitters, time
from tests.explore.world import FORGOTTEN, GONE, NONE, Create, Step, Submission, World


def steps(world: World, bounds: Bounds) -> Iterator[Step]:
    """Every step from a state."""
    for takers in (submitters, api, pollers, rescuer, collector, others, restores, time):
        for step in takers(world, bounds):
            yield Step(step.what, step.fault, tidy(step.world))


def tidy(world: World) -> World:
    """The same state for everything that can still happen: times that nobody reads any more are forgotten."""
    held = {slot.submission for slot in world.slots}
    rows = tuple(row if n in held else _tidy_row(row) for n, row in enumerate(world.submissions))
    creates = tuple(_tidy_create(create, world, n) for n, create in enumerate(world.creates))
    if rows == world.submissions and creates == world.creates:
        return world
    return world._replace(submissions=rows, creates=creates)


def _tidy_row(row: Submission) -> Submission:
    if row.state in ("claimed", "sending"):
        return row
    if row.state in ("unclear", "lost") and row.api_id == NONE:
        return row._replace(owner=GONE, lease_until=NONE, send_by=NONE, let_go=False)
    over = row.state in ("void", "done", FORGOTTEN)
    return Submission(
        row.batch,
        row.state,
        owner=GONE,
        claimed_at=0,
        lease_until=NONE,
        workspace_known=True,
        body=row.body,
        let_go=row.let_go and row.state == "void",
        api_id=row.api_id,
        ended=row.ended or row.state == "done",
        reads=0 if over else row.reads,
        twin_of=row.twin_of,
    )


def _tidy_create(create: Create, world: World, n: int) -> Create:
    if create.place != "there":
        return create
    if create.listed_from != NONE and create.listed_from <= world.now:
        create = create._replace(listed_from=NONE)
    return create._replace(at=0) if create.at and world.bearer(n) != NONE else create
