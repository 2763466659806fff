"""`overnight replay`: outcomes go to their callbacks again."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from overnight_models.errors import PermanentError
from overnight_models.quantities import several
from overnight_workers.cli import console, item_options
from overnight_workers.cli.act import act
from overnight_workers.cli.moment import moment


def replay(
    delivered: Annotated[
        bool, typer.Option("--delivered", help="Those that were delivered, and not those that were given up.")
    ] = False,
    lane: Annotated[str | None, typer.Option(help="Only this lane's.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's.")] = None,
    key: Annotated[str | None, typer.Option(help="Only the item of this key.")] = None,
    queue: item_options.Queue = None,
    since: Annotated[
        str | None, typer.Option(help="Only what finished since then: '2h' ago, or 2026-11-23T18:00.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="With --delivered: all that there ever was.")] = False,
    reason: item_options.Reason = None,
    dry_run: item_options.DryRun = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send outcomes to their callbacks again: the dead ones, or delivered ones that a product has lost.

    Nothing is paid for again, so it doesn't ask. Each comes with the same delivery id as before: a product that has it
    already can tell. Killed in the middle, it goes on: by the workers, or by the same command. Ctrl-C ends it.
    """
    from overnight_models.ledger.deliver import replay as ledger
    from overnight_workers.operators import acting, filters

    filters.check(lane=lane, run=run, key=key, queue=queue)
    state: Literal["delivered", "dead"] = "delivered" if delivered else "dead"
    wanted = ledger.Replayed(state=state, lane=lane, run=run, key=key, since=moment(since), queue=queue)
    if delivered:
        options = "--lane, --run, --key, --queue, --since"
        item_options.require_one_of(wanted.is_everything, everything, "every outcome ever delivered", options)
    elif everything:
        raise PermanentError("--all belongs to --delivered: the dead ones are all taken, unless an option narrows it")
    preview = acting.preview_replay(wanted)
    acted = act(preview, question="", reason=reason, yes=True, dry_run=dry_run, as_json=as_json)
    if not as_json and not dry_run:
        done = 0 if acted is None else acted.done
        outcomes = "outcome that was delivered is", "outcomes that were delivered are"
        deliveries = "dead delivery is", "dead deliveries are"
        console.OUT.print(f"{several(done, *(outcomes if delivered else deliveries))} due again", markup=False)
