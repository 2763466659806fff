"""`overnight redo`: what failed or was canceled is tried again."""

from __future__ import annotations

from overnight_models.quantities import several
from overnight_workers.cli import console, item_options
from overnight_workers.cli.act import act


def redo(
    named: item_options.Named = None,
    lane: item_options.Lane = None,
    tenant: item_options.Tenant = None,
    run: item_options.Run = None,
    batch: item_options.Batch = None,
    state: item_options.State = None,
    problem: item_options.ProblemName = None,
    model: item_options.Model = None,
    newer: item_options.Newer = None,
    older: item_options.Older = None,
    key: item_options.Key = None,
    prefix: item_options.Prefix = None,
    everything: item_options.Everything = False,
    reason: item_options.Reason = None,
    dry_run: item_options.DryRun = False,
    yes: item_options.Yes = False,
    as_json: item_options.Json = False,
) -> None:
    """Try items again that failed or were canceled: how many, and what that may cost, is said first.

    Each is sent and paid for again, as it was enqueued; its earlier bill stays. Its outcome comes to its callback with
    a new delivery id, and its receipt and key stand for the new try. `overnight retry` is the same command.

    Killed in the middle, it goes on: by the workers, or by the same command. Ctrl-C ends it.
    """
    from overnight_workers.operators import acting

    wanted = item_options.chosen(
        named,
        key=key,
        newer=newer,
        older=older,
        lane=lane,
        tenant=tenant,
        run=run,
        batch=batch,
        state=state,
        problem=problem,
        model=model,
        prefix=prefix,
    )
    preview = acting.preview_redo(item_options.narrowed(wanted, everything, "everything that ever failed"))
    acted = act(preview, question="try them again?", reason=reason, yes=yes, dry_run=dry_run, as_json=as_json)
    if acted is not None and not as_json:
        console.OUT.print(f"{several(acted.done, 'item waits', 'items wait')} to be tried again", markup=False)
