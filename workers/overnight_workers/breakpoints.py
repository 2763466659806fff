"""Breakpoints: a batch's requests, spliced from prefix and own part, the prefix marked where caching it pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from sqlalchemy import Connection

from overnight_models.caching import Why, decide
from overnight_models.forecast import Caching, Lifetime, Load
from overnight_models.ledger import caching, prefixes
from overnight_models.ledger import submit as ledger
from overnight_models.ledger.caching import Choice, Group, Subject
from overnight_models.prefix import FEWEST_BYTES_PER_TOKEN, has_room_for_a_breakpoint
from overnight_workers import process
from overnight_workers.settings import settings

_UNMEASURED: Final[Mapping[Lifetime, Fraction]] = {"5m": Fraction(30, 100), "1h": Fraction(87, 100)}
"""Hit rates to begin with. The API's documentation says 30% to 98% for batches: what pays at the low end is tried.
An hour's write costs more and pays only from 53% on, so it is for prefixes that one item has written ahead."""


def whole_requests(connection: Connection, claim: ledger.Claim) -> Iterator[tuple[int, str]]:
    """The items of a batch that has prefixes, and their requests as JSON text, equal prefixes together."""
    groups = caching.groups(connection, claim.batch_id)
    rates = caching.hit_rates(connection, groups[0].lane) if groups else {}
    choices = [choose(group, rates) for group in groups]
    caching.note(connection, claim.submission_id, choices)
    lifetimes = {(one.group.prefix_id, one.group.model_id): one.lifetime for one in choices}
    prefix, marked, at_model = None, None, 0
    for item_id, own, prefix_id, model_id in ledger.requests_by_prefix(connection, claim):
        if prefix_id is None:
            yield item_id, own
            continue
        lifetime = lifetimes.get((prefix_id, model_id))
        if prefix is None or (prefix.id, at_model) != (prefix_id, model_id):
            prefix, at_model = prefixes.read(connection, prefix_id), model_id
            marked = None if lifetime is None else prefix.marked_head(lifetime)
        written = own.encode()
        if lifetime is not None and marked is not None and has_room_for_a_breakpoint(written, lifetime):
            yield item_id, (marked + prefix.after_head(written)).decode()
        else:
            yield item_id, prefix.splice(written).decode()


def choose(group: Group, rates: Mapping[Subject, Fraction]) -> Choice:
    """Whether and for how long a group's prefix is cached. rates: as measured."""
    lane, model = settings().lanes.get(group.lane), process.prices().model(group.model)
    if lane is not None and lane.caching == "off":
        return Choice(group, None, "the lane's caching is off")
    if group.has_marks:
        return Choice(group, None, "its caller has set breakpoints")
    if model is None:
        return Choice(group, None, "the model has no price")
    if group.primed == "writes":
        return Choice(group, "1h", "it goes ahead and writes it for those after it")
    lifetime: Lifetime = "1h" if group.primed else "5m"
    load = Load(requests=group.requests, prefix_tokens=group.prefix_bytes // FEWEST_BYTES_PER_TOKEN)
    decision = decide(model, load, [Caching(lifetime, _expected(group, lifetime, rates))])
    return Choice(
        group, None if decision.caching is None else lifetime, decision.text, loses=decision.why == Why.TOO_FEW_HITS
    )


def _expected(group: Group, lifetime: Lifetime, rates: Mapping[Subject, Fraction]) -> Fraction:
    """The hit rate as it was measured for this prefix, else for its lane and model, else the one to begin with."""
    for prefix_id in (group.prefix_id, None):
        measured = rates.get(Subject(prefix_id, group.model_id, lifetime))
        if measured is not None:
            return measured
    return _UNMEASURED[lifetime]
