"""`overnight pause`, `drain` and `resume`: stop spending at once, empty a lane, and go on."""

from __future__ import annotations

from typing import Annotated

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli.act import by
from overnight_workers.cli.console import OUT

Lane = Annotated[str | None, typer.Argument(help="The lane's name.")]
All = Annotated[bool, typer.Option("--all", help="Every lane.")]


def pause(
    lane: Lane = None,
    everything: All = False,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "paused by an operator",
) -> None:
    """Stop spending at once: nothing more is packed or submitted.

    Items are still accepted, and wait. What is already at Anthropic goes on, is billed, collected and delivered.
    """
    from overnight_models.ledger.operators import actions, lanes
    from overnight_workers.process import database, names

    who = by(reason)
    for name in _named(lane, everything):
        with database().transaction() as connection:
            paused = lanes.pause(connection, names().lane(name), reason, who.actor)
            if paused:
                actions.note(connection, "pause", {"lane": name}, who)
        OUT.print(f"lane {name} {'is paused' if paused else 'was paused already'}", markup=False)


def drain(
    lane: Annotated[str, typer.Argument(help="The lane's name.")],
    reason: Annotated[str | None, typer.Option(help="Why, for whoever looks later.")] = None,
) -> None:
    """Empty a lane: what is in it goes at once, whatever its thresholds and hours say; then it is paused.

    Nothing is turned away: what comes later may go along while it drains, and then waits for `overnight resume`. It is
    paused when all that was in it has its outcome; what a budget holds isn't waited for.
    """
    from overnight_models import routes
    from overnight_models.ledger.operators import actions, lanes
    from overnight_workers.process import database, names
    from overnight_workers.stages import doorbell

    (name,) = _named(lane, False)
    who = by(reason)
    with database().transaction() as connection:
        waiting = lanes.drain(connection, names().lane(name), who.actor)
        if waiting is not None:
            actions.note(connection, "drain", {"lane": name}, who, items=waiting)
    if waiting is None:
        raise PermanentError(f"lane {name} is paused, so nothing of it is sent: `overnight resume {name}` first")
    doorbell.ring(routes.PACK)
    OUT.print(f"lane {name} drains: {waiting:,} items that wait are packed at once", markup=False)


def resume(
    lane: Lane = None,
    everything: All = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="With --all: send after a restore although not everything was looked at.")
    ] = False,
) -> None:
    """Go on with a paused lane; batches of it that were rejected are tried whole.

    With --all also with workspaces that money or permission held, and with a ledger that moved to another database.
    """
    from overnight_models.ledger.operators import actions, lanes
    from overnight_workers.process import database, names

    for name in _named(lane, everything):
        with database().transaction() as connection:
            again = lanes.resume(connection, names().lane(name))
            if again is not None:
                actions.note(connection, "resume", {"lane": name}, by(None))
        OUT.print(f"lane {name} {'was not paused' if again is None else 'goes on'}", markup=False)
        if again:
            OUT.print(f"{again:,} of its rejected batches are tried whole again", markup=False)
    if everything:
        _resume_workspaces(anyway)


def _resume_workspaces(anyway: bool) -> None:
    from overnight_models.ledger import deployment, workspaces
    from overnight_models.ledger.operators import actions
    from overnight_workers.process import database

    with database().transaction() as connection:
        released = [
            workspace.name
            for workspace in workspaces.workspaces(connection)
            if workspace.held_reason and workspaces.release(connection, workspace.name)
        ]
        if released:
            actions.note(connection, "release", {"workspaces": released}, by(None))
        may_send = deployment.give_word(connection)
        unlooked = deployment.unlooked(connection)
        moved_at = deployment.read(connection).moved_at
        if anyway and moved_at is not None:
            unlooked = [name for name in unlooked if deployment.looked(connection, name, moved_at)]
    for workspace in released:
        OUT.print(f"workspace {workspace} is tried again", markup=False)
    if may_send:
        OUT.print("this ledger may send: its original doesn't run any more", markup=False)
    for workspace in unlooked:
        news = "is sent to without a look" if anyway else "is sent to when everything at the API was looked at"
        OUT.print(f"workspace {workspace} {news}", markup=False)


def _named(lane: str | None, everything: bool) -> list[str]:
    from overnight_workers.settings import settings

    known = list(settings().lanes)
    if everything == (lane is not None):
        raise PermanentError(f"name a lane ({', '.join(known)}) or say --all")
    if lane is not None and lane not in known:
        raise PermanentError(f"there is no lane {lane!r}: the configuration has {', '.join(known)}")
    return known if lane is None else [lane]
