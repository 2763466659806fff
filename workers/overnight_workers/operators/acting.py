"""Acting on many items: what an action would do and cost is said first; then it is done group by group.

The same for the command line, which does the groups itself, and for Flower, which leaves them to the sweep. Whichever
process dies, the sweep goes on.
"""

from __future__ import annotations

from collections.abc import Callable

from overnight_models.ledger.deliver import replay
from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.operators import actions, canceling, redoing
from overnight_models.ledger.operators.actions import ActionView, By, Step
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.quantities import several
from overnight_models.wire.outcome import dollars
from overnight_workers.operators.preview import Preview
from overnight_workers.process import database, prices
from overnight_workers.stages import purging


def preview_redo(wanted: ItemFilter) -> Preview:
    """Items that failed or were canceled would be tried again."""
    with database().transaction() as connection:
        prospect = redoing.prospect(connection, wanted, prices())
    unpriced = f", beside {prospect.unpriced:,} whose model has no price" if prospect.unpriced else ""
    text = (
        f"{several(prospect.items, 'item')}: their last tries were billed ${dollars(prospect.billed_nano)};"
        f" another costs ${dollars(prospect.most_nano)} at the most{unpriced}"
        if prospect.items
        else "nothing failed or was canceled that fits"
    )
    document: dict[str, object] = {
        "items": prospect.items,
        "billed_usd": dollars(prospect.billed_nano),
        "most_usd": dollars(prospect.most_nano),
        "unpriced": prospect.unpriced,
    }
    return Preview("redo", actions.wish_of(wanted), prospect.items, prospect.most_nano, text, document)


def preview_cancel(wanted: ItemFilter) -> Preview:
    """Unfinished items would be canceled; those that may have been sent are billed all the same."""
    with database().transaction() as connection:
        prospect = canceling.prospect(connection, wanted, prices())
    parts = []
    if prospect.unsent:
        saved = f"that saves ${dollars(prospect.unsent_nano)} at the most"
        parts.append(f"{several(prospect.unsent, 'item')} not sent yet: canceled and never billed; {saved}")
    if prospect.sent:
        cost = f"they cost up to ${dollars(prospect.sent_nano)} all the same"
        why = "what is sent can't be un-bought"
        parts.append(f"{several(prospect.sent, 'item')} sent: billed and recorded, and not delivered; {why}, {cost}")
    if prospect.unpriced:
        parts.append(f"{several(prospect.unpriced, 'item')} of these have a model without a price")
    document: dict[str, object] = {
        "items": prospect.items,
        "unsent": prospect.unsent,
        "saves_usd": dollars(prospect.unsent_nano),
        "sent": prospect.sent,
        "billed_all_the_same_usd": dollars(prospect.sent_nano),
        "unpriced": prospect.unpriced,
    }
    text = "\n".join(parts) or "nothing that fits is unfinished"
    return Preview("cancel", actions.wish_of(wanted), prospect.items, prospect.unsent_nano, text, document)


def preview_replay(wanted: Replayed) -> Preview:
    """Outcomes would go to their callbacks again."""
    with database().transaction() as connection:
        number = replay.count(connection, wanted)
    given = {name: value for name, value in vars(wanted).items() if value is not None}
    wish = given | ({} if wanted.since is None else {"since": wanted.since.isoformat()})
    dead, delivered = (
        ("dead delivery", "dead deliveries"),
        ("outcome that was delivered", "outcomes that were delivered"),
    )
    text = f"{several(number, *(dead if wanted.state == 'dead' else delivered))}; nothing is paid again"
    return Preview("replay", wish, number, None, text, {"items": number, "state": wanted.state})


def begin(preview: Preview, by: By) -> ActionView:
    """An action begins, or the one of the same wish that is under way goes on. The sweep does it unless `finish` does.

    What is done is the wish, to all items that there are now: the preview was a count of them.
    """
    with database().transaction() as connection:
        number, _ = actions.begin(
            connection, preview.name, preview.wish, by, items=preview.items, most_nano=preview.most_nano
        )
        begun = actions.action(connection, number)
    assert begun is not None
    return begun


def finish(action_id: int, seen: Callable[[int], None] = lambda done: None) -> Step:
    """Do an action's groups until it is over, by whomever. seen: is told how many items it has changed so far.

    A group is a transaction: a million items take no memory, and hold nobody up.
    """
    purging.prepare(action_id)
    while True:
        with database().transaction() as connection:
            step = actions.step(connection, action_id)
            if step is None:  # somebody else was faster, or ended it
                action = actions.action(connection, action_id)
                assert action is not None
                return Step(action.done, is_over=True, is_aborted=action.aborted_at is not None)
        seen(step.done)
        if step.is_over:
            purging.tidy(action_id)
            return step
