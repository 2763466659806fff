"""`overnight decide`: a person's word about a batch that the API's list can't settle."""

from __future__ import annotations

import getpass
import os
from typing import Annotated

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli.console import OUT, ask


def decide(
    batch: Annotated[int, typer.Argument(help="The batch's number (`overnight batches --unclear`).")],
    adopt: Annotated[
        str | None, typer.Option(help="This id at the API is it; its token still has to prove it.")
    ] = None,
    never_created: Annotated[bool, typer.Option("--never-created", help="It never was: send it again.")] = False,
    gone: Annotated[
        bool, typer.Option("--gone", help="It is at the API and its results can't be had any more: fail its items.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
) -> None:
    """Decide about a batch by hand: adopt an id, declare it never created, or give its results up.

    Overnight settles nearly all of them by itself. If you are wrong, nothing is lost: an adopted id must be proven by
    its token, and a batch that turns up after all is collected, billed, and shown as paid twice.
    """
    if [adopt is not None, never_created, gone].count(True) != 1:
        raise PermanentError("say one of --adopt ID, --never-created and --gone")
    question = f"Batch {batch} is sent again. If it was created after all, it is paid twice. Go on?"
    if gone:
        question = f"The unfinished items of batch {batch} fail, and may be billed all the same. Go on?"
    if adopt is None and not yes and not ask(question):
        raise typer.Exit(1)
    from overnight_models.ledger.operators.actions import By
    from overnight_workers.operators import steering

    by = By(user())
    if adopt is not None:
        answer = steering.adopt(batch, adopt, by)
    else:
        answer = (steering.never_created if never_created else steering.gone)(batch, by)
    OUT.print(answer, markup=False)


def user() -> str:
    """Who decides: a name, or the number of a user that has none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"
