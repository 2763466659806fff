"""Purging: what a tenant, or anybody, has said is removed from Postgres, from Redis and from the API.

What is said first is what would go, and what stays and why. The groups are `actions`, as of everything about many
items; what waits in Redis to be accepted is taken out before the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Final

from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.purge import group
from overnight_models.ledger.operators.purge.wanted import Purge, items_of_key
from overnight_models.quantities import several
from overnight_workers.operators import item_filter, product_inboxes
from overnight_workers.operators.filters import UnknownName
from overnight_workers.operators.preview import Preview
from overnight_workers.process import database
from overnight_workers.stages import purging
from overnight_workers.stages.waiting_messages import Waiting

_WHY: Final = {
    "unsent": "not sent yet",
    "at the API": "at Anthropic",
    "undelivered": "whose outcome isn't delivered",
    "followed": "whose answer another item waits for: purge that one too, or when it has it",
    "in a run": "of a catalog's run that isn't over: `overnight runs` says when it is, or stop it",
    "being delivered": "being delivered at this moment: purge again in some minutes",
    "being sent": "being sent at this moment: purge again in some minutes",
}
"""Why items stay, by where they stand."""


def of(items: ItemFilter, *, cancel: bool, keys: bool, shared_batches: bool) -> Purge:
    """The purge of these items: a key is looked up, and only its hash and its items' numbers are gone by."""
    purge = Purge(items=items, cancel=cancel, keys=keys, shared_batches=shared_batches)
    if items.key is None:
        return purge
    with database().transaction() as connection:
        ids = items_of_key(connection, items.key)
    return replace(purge, items=replace(items, key=None, ids=ids), key_hash=key_hash(items.key))


def chosen(words: Mapping[str, str], spoken_as: Callable[[str], str] = str) -> ItemFilter:
    """The filter of these words. Raises UnknownName for a name that nobody has, in Redis and inboxes neither.

    spoken_as: see `item_filter.read`.
    """
    wanted = item_filter.read(words, spoken_as=spoken_as)
    try:
        item_filter.check(wanted)
    except UnknownName:
        purge = of(wanted, cancel=False, keys=False, shared_batches=False)
        lying = sum(inbox.waiting + inbox.aside for inbox in product_inboxes.not_reached(purge))
        if not lying and not sum(purging.in_redis(purge)):
            raise
    return wanted


def preview_purge(purge: Purge) -> Preview:
    """What would be purged, and what not. Raises TransientError when Redis can't be looked at."""
    with database().transaction() as connection:
        fates = group.prospect(connection, purge)
    waiting = purging.in_redis(purge)
    inboxes = product_inboxes.not_reached(purge)
    may_go = group.goes(purge)
    goes = sum(n for fate, n in fates.items() if fate in may_go)
    kept = {fate: n for fate, n in fates.items() if fate not in may_go and fate != "purged"}
    lines = [f"{several(goes, 'item')}: requests, answers, callbacks and keys go; state, times and money stay"]
    lines += _lines_of_waiting(purge, fates, waiting)
    lines += [f"kept: {several(n, 'item')} {_WHY[fate]}" for fate, n in sorted(kept.items())]
    lines += [line for inbox in inboxes for line in inbox.lines]
    if any(fate in group.GOES_CANCELED for fate in kept) or (waiting.queued and not purge.cancel):
        lines.append("--cancel takes back what is on its way, and purges that, too")
    if fates.get("purged"):
        lines.append(f"{several(fates['purged'], 'item')} purged before")
    in_inboxes = sum(inbox.waiting + inbox.aside for inbox in inboxes)
    stays = sum(kept.values()) + waiting.being_accepted + (0 if purge.cancel else waiting.queued) + in_inboxes
    document: dict[str, object] = {
        "items": goes,
        "not_accepted": waiting.queued if purge.cancel else 0,
        "kept": stays,
        "kept_why": kept
        | ({"being accepted": waiting.being_accepted} if waiting.being_accepted else {})
        | ({"not accepted": waiting.queued} if waiting.queued and not purge.cancel else {})
        | ({"in inboxes": in_inboxes} if in_inboxes else {}),
        "inboxes": [asdict(inbox) for inbox in inboxes],
        "purged_before": fates.get("purged", 0),
    }
    acts_on = goes + (waiting.queued if purge.cancel else 0)
    return Preview("purge", purge.wish, acts_on, None, "\n".join(lines), document)


def _lines_of_waiting(purge: Purge, fates: Mapping[str, int], waiting: Waiting) -> list[str]:
    """What is said of items that are on their way."""
    lines = []
    if purge.cancel:
        lines += [
            f"  of these {several(fates[fate], 'item')} {_WHY[fate]}: taken back"
            for fate in _CANCELED
            if fates.get(fate)
        ]
    if waiting.queued:
        treatment = "taken out of their messages" if purge.cancel else "kept"
        lines.append(f"{several(waiting.queued, 'item')} not accepted yet: {treatment}")
    if waiting.being_accepted:
        lines.append(f"kept: {several(waiting.being_accepted, 'item')} being accepted: purge again in some minutes")
    return lines


_CANCELED: Final = ("unsent", "at the API", "undelivered")
