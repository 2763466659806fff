"""Breakpoints: a batch's requests, spliced from prefix and own part, the prefix marked where caching it pays."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from overnight_models.ledger import prefixes
from overnight_models.ledger.collect import caching
from overnight_models.ledger.submit import submit as ledger
from overnight_models.request.prefix import has_room_for_a_breakpoint
from overnight_workers.stages.pack import cache_choices


def whole_requests(connection: Connection, claim: ledger.Claim) -> Iterator[tuple[int, bytes]]:
    """The items of a batch that has prefixes, and their requests, equal prefixes together.

    Raises Unreadable at the end.
    """
    groups = caching.groups(connection, claim.batch_id)
    rates = caching.hit_rates(connection, groups[0].lane) if groups else {}
    choices = [cache_choices.choose(group, rates) for group in groups]
    caching.note(connection, claim.submission_id, choices)
    lifetimes = {(choice.group.prefix_id, choice.group.model_id): choice.lifetime for choice in choices}
    without = prefixes.unreadable(connection, {group.prefix_id for group in groups})
    put_aside: dict[int, str] = {}
    prefix, marked, at_model = None, None, 0
    for item_id, own, prefix_id, model_id in ledger.requests_by_prefix(connection, claim):
        if prefix_id is None:
            yield item_id, own
            continue
        if prefix_id in without:
            put_aside[item_id] = without[prefix_id]
            continue
        lifetime = lifetimes.get((prefix_id, model_id))
        if prefix is None or (prefix.id, at_model) != (prefix_id, model_id):
            prefix, at_model = prefixes.read(connection, prefix_id), model_id
            marked = None if lifetime is None else prefix.marked_head(lifetime)
        if lifetime is not None and marked is not None and has_room_for_a_breakpoint(own, lifetime):
            yield item_id, marked + prefix.after_head(own)
        else:
            yield item_id, prefix.splice(own)
    if put_aside:
        raise ledger.Unreadable(put_aside)
