"""`overnight cancel`: items are taken back."""

from __future__ import annotations

from overnight_models.quantities import several
from overnight_workers.cli import console, item_options
from overnight_workers.cli.act import act


def cancel(
    named: item_options.Named = None,
    lane: item_options.Lane = None,
    tenant: item_options.Tenant = None,
    run: item_options.Run = None,
    batch: item_options.Batch = None,
    state: item_options.State = None,
    model: item_options.Model = None,
    late: item_options.Late = False,
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
    """Take unfinished items back: how many, what that saves and what not, is said first.

    What isn't sent yet is canceled and never billed. What is sent can't be un-bought: it is billed and recorded, and
    only not delivered; should its batch turn out never to have been created, it is taken out of it then. `overnight
    redo` tries canceled items again.

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
        model=model,
        late=late,
        prefix=prefix,
    )
    preview = acting.preview_cancel(item_options.narrowed(wanted, everything, "everything that is unfinished"))
    acted = act(preview, question="take them back?", reason=reason, yes=yes, dry_run=dry_run, as_json=as_json)
    if acted is not None and not as_json:
        console.OUT.print(f"{several(acted.done, 'item is', 'items are')} taken back", markup=False)
