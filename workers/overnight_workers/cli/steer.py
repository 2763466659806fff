"""`overnight pause` and `overnight resume`: stop spending at once, and go on."""

from __future__ import annotations

from typing import Annotated

import typer

from overnight_models.errors import PermanentError
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
    from overnight_models.ledger.operators import lanes
    from overnight_workers.process import database, names

    for name in _named(lane, everything):
        with database().transaction() as connection:
            paused = lanes.pause(connection, names().lane(name), reason)
        OUT.print(f"lane {name} {'is paused' if paused else 'was paused already'}", markup=False)


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
    from overnight_models.ledger.operators import lanes
    from overnight_workers.process import database, names

    for name in _named(lane, everything):
        with database().transaction() as connection:
            again = lanes.resume(connection, names().lane(name))
        OUT.print(f"lane {name} {'was not paused' if again is None else 'goes on'}", markup=False)
        if again:
            OUT.print(f"{again:,} of its rejected batches are tried whole again", markup=False)
    if everything:
        _resume_workspaces(anyway)


def _resume_workspaces(anyway: bool) -> None:
    from overnight_models.ledger import deployment, workspaces
    from overnight_workers.process import database

    with database().transaction() as connection:
        released = [
            workspace.name
            for workspace in workspaces.workspaces(connection)
            if workspace.held_reason and workspaces.release(connection, workspace.name)
        ]
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
