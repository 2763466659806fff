"""`overnight purge`: what somebody has said goes."""

from __future__ import annotations

from typing import Annotated

import typer

from overnight_models.quantities import several
from overnight_workers.cli import console, item_options
from overnight_workers.cli.act import act


def purge(
    tenant: item_options.Tenant = None,
    key: item_options.Key = None,
    lane: item_options.Lane = None,
    run: item_options.Run = None,
    before: Annotated[
        str | None, typer.Option(help="Only what was accepted before then: '2026-11-23T18:00', or older than '30d'.")
    ] = None,
    everything: item_options.Everything = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="What is on its way is taken back, and purged too.")] = False,
    keys: Annotated[
        bool, typer.Option("--keys", help="Keys' hashes, too: then the same key is another item, and is paid again.")
    ] = False,
    shared_batches: Annotated[
        bool, typer.Option("--shared-batches", help="Delete also batches at Anthropic that hold others' items.")
    ] = False,
    reason: item_options.Reason = None,
    dry_run: item_options.DryRun = False,
    yes: item_options.Yes = False,
    as_json: item_options.Json = False,
) -> None:
    """Remove what is kept of somebody's requests and answers: what goes, and what stays and why, is said first.

    It goes from Postgres, from messages in Redis that nobody has accepted yet, and from Anthropic (the workers delete
    its batches); what lies in the inbox of a product's own database is counted, and stays. State, times and money stay,
    and so does a record of who purged what (`overnight actions`). What was purged doesn't come back: a late answer is
    billed and dropped. Exit code 1: something is kept, or may be.

    Killed in the middle, it goes on: by the workers, or by the same command. Ctrl-C ends it.
    """
    from overnight_models.ledger.operators import actions
    from overnight_workers.operators import purging
    from overnight_workers.process import database
    from overnight_workers.stages.purging import counts

    words = {"tenant": tenant, "key": key, "lane": lane, "run": run, "older": before}
    wanted = purging.chosen(
        {word: value for word, value in words.items() if value is not None},
        spoken_as=lambda word: "--before" if word == "older" else f"--{word}",
    )
    options = "--tenant, --key, --lane, --run, --before"
    item_options.require_one_of(wanted.is_everything, everything, "everything", options)
    preview = purging.preview_purge(purging.of(wanted, cancel=cancel, keys=keys, shared_batches=shared_batches))
    acted = act(preview, question="remove it for good?", reason=reason, yes=yes, dry_run=dry_run, as_json=as_json)
    if acted is not None and not as_json:
        with database().transaction() as connection:
            action = actions.action(connection, acted.action_id)
        removed = "" if action is None else ", ".join(f"{n:,} {kind}" for kind, n in counts(action).items())
        purged = several(acted.done, "item is", "items are")
        console.OUT.print(f"{purged} purged{removed and f': {removed}'}", markup=False)
    # an inbox that nobody could look into may hold something, too
    if preview.document["kept"] or preview.document["inboxes"]:
        raise typer.Exit(1)
