"""What all commands share that act on many items: say it first, ask, do it group by group, say what was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import typer

from overnight_models.errors import PermanentError, TransientError
from overnight_models.quantities import several
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


class Acted(NamedTuple):
    """What a command did."""

    action_id: int
    done: int
    """Items."""


def act(
    preview: Preview, *, question: str, reason: str | None, yes: bool, dry_run: bool, as_json: bool
) -> Acted | None:
    """Say what would be done, ask, and do it. None when nothing was done.

    Killed in the middle, the workers' sweep goes on with it, and so does the same command. Ctrl-C aborts it.

    Raises PermanentError for JSON without a word of what is wanted: nothing is asked there.
    """
    if as_json and not yes and not dry_run:
        raise PermanentError("--json asks nothing: say --yes to do it, or --dry-run to see what it would do")
    if not as_json:
        console.OUT.print(preview.text, markup=False)
    wanted = yes or (not as_json and not dry_run and preview.items > 0 and console.ask(question))
    begun, step = _do(preview, reason) if wanted and not dry_run and preview.items else (None, None)
    if as_json:
        done = {_DONE[preview.name]: 0 if step is None else step.done}
        console.as_json(done | preview.document | _standing(step))
    if step is not None and step.is_aborted:
        console.fail(f"aborted by somebody after {several(step.done, 'item')} (`overnight actions`)")
    if step is not None and (step.is_aborted or not step.is_over):
        raise typer.Exit(1)
    return None if begun is None or step is None else Acted(begun, step.done)


def _standing(step: Step | None) -> dict[str, object]:
    """What JSON says of an action that wasn't done to its end."""
    if step is None or (step.is_over and not step.is_aborted):
        return {}
    return {"aborted": True} if step.is_aborted else {"goes_on": True}


def _do(preview: Preview, reason: str | None) -> tuple[int, Step]:
    """Do it: the action's id, and how far it is.

    Where something is away that it needs, it is said that the workers go on with it.
    """
    from overnight_models.ledger.bodies.encryption import NoKey
    from overnight_models.ledger.operators import actions
    from overnight_models.ledger.operators.actions import Step
    from overnight_workers.operators import acting
    from overnight_workers.process import database

    begun = acting.begin(preview, by(reason))
    try:
        with console.progress(preview.name, preview.items) as seen:
            return begun.id, acting.finish(begun.id, seen)
    except (NoKey, TransientError) as error:
        console.fail(
            f"{error}. Action {begun.id} isn't over: the workers go on with it as soon as they can, and so does the"
            f" same command. `overnight actions` says how far it is, `overnight abort {begun.id}` ends it"
        )
        return begun.id, Step(_done_so_far(begun.id), is_over=False, is_aborted=False)
    except KeyboardInterrupt:
        with database().transaction() as connection:
            aborted = actions.abort(connection, begun.id, user())
        said = "what is done stays done, and the same command goes on" if aborted else "all of them"
        console.say(f"stopped after {several(_done_so_far(begun.id), 'item')}: {said}")
        raise typer.Exit(130) from None


def _done_so_far(action_id: int) -> int:
    """How many items an action has changed; 0 also when the ledger can't say it."""
    from overnight_models.ledger.operators import actions
    from overnight_workers.process import database

    try:
        with database().transaction() as connection:
            action = actions.action(connection, action_id)
    except TransientError:
        return 0
    return 0 if action is None else action.done
