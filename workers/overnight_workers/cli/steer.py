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
    from overnight_workers.operators import steering

    who = by(reason)
    for name in _named(lane, everything):
        OUT.print(steering.pause(name, who), markup=False)


def drain(
    lane: Annotated[str, typer.Argument(help="The lane's name.")],
    reason: Annotated[str | None, typer.Option(help="Why, for whoever looks later.")] = None,
) -> None:
    """Empty a lane: what is in it goes at once, whatever its thresholds and hours say; then it is paused.

    Nothing is turned away: what comes later may go along while it drains, and then waits for `overnight resume`. It is
    paused when all that was in it has its outcome; what a budget holds isn't waited for.
    """
    from overnight_workers.operators import steering

    OUT.print(steering.drain(lane, by(reason)), markup=False)


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
    from overnight_workers.operators import steering

    if anyway and not everything:
        raise PermanentError("--anyway belongs to --all: it lets a ledger go on that was restored")
    for name in _named(lane, everything):
        OUT.print(steering.resume(name, by(None)), markup=False)
    if everything:
        for line in steering.release(by(None), anyway=anyway):
            OUT.print(line, markup=False)


def _named(lane: str | None, everything: bool) -> list[str]:
    from overnight_workers.settings import settings

    known = list(settings().lanes)
    if everything == (lane is not None):
        raise PermanentError(f"name a lane ({', '.join(known)}) or say --all")
    if lane is not None and lane not in known:
        raise PermanentError(f"there is no lane {lane!r}: the configuration has {', '.join(known)}")
    return known if lane is None else [lane]
