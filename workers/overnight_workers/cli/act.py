"""What all commands share that act on many items: say it first, ask, do it group by group, say what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from overnight_workers.cli import console
from overnight_workers.cli.decide import user

if TYPE_CHECKING:
    from overnight_models.ledger.operators.actions import By, Step
    from overnight_workers.operators.preview import Preview

_DONE: Final = {"redo": "redone", "cancel": "canceled", "replay": "replayed", "purge": "purged"}


def by(reason: str | None) -> By:
    """Who acts: the user of this machine."""
    from overnight_models.ledger.operators.actions import By

    return By(user(), reason=reason)


def act(preview: Preview, *, question: str, reason: str | None, yes: bool, dry_run: bool, as_json: bool) -> Step | None:
    """Say what would be done, ask, and do it. None when nothing was done.

    Killed in the middle, the workers' sweep goes on with it, and so does the same command. Ctrl-C aborts it.
    """
    if not as_json:
        console.OUT.print(preview.text, markup=False)
    wanted = yes or (not as_json and not dry_run and preview.items > 0 and typer.confirm(question, default=False))
    step = _do(preview, reason) if wanted and not dry_run and preview.items else None
    if as_json:
        done = {_DONE[preview.name]: 0 if step is None else step.done}
        aborted = {"aborted": True} if step is not None and step.is_aborted else {}
        console.as_json(done | preview.document | aborted)
    if step is not None and step.is_aborted:
        console.fail(f"aborted by somebody after {step.done:,} items (`overnight actions`)")
        raise typer.Exit(1)
    return step


def _do(preview: Preview, reason: str | None) -> Step:
    from overnight_models.ledger.operators import actions
    from overnight_workers.operators import acting
    from overnight_workers.process import database

    begun = acting.begin(preview, by(reason))
    try:
        with console.progress(preview.name, preview.items) as seen:
            return acting.finish(begun.id, seen)
    except KeyboardInterrupt:
        with database().transaction() as connection:
            aborted = actions.abort(connection, begun.id, user())
            action = actions.action(connection, begun.id)
        done = 0 if action is None else action.done
        said = "what is done stays done, and the same command goes on" if aborted else "all of them"
        console.say(f"stopped after {done:,} items: {said}")
        raise typer.Exit(130) from None
