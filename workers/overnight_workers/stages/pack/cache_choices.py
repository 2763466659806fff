"""What is done with a prefix, by prices and measured hit rates: cached or not, for how long, whether one goes ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from overnight_models.ledger.collect.caching import Choice, Group, Subject
from overnight_models.ledger.pack.priming import Cold
from overnight_models.money.caching import Decision, Why, decide, primed_from
from overnight_models.money.forecast import Caching, Lifetime, Load
from overnight_models.money.prices import Model
from overnight_models.request.prefix import FEWEST_BYTES_PER_TOKEN
from overnight_workers import process
from overnight_workers.settings import settings

Measured = Mapping[Subject, Fraction]
"""Hit rates of a lane, as its answers said."""

_UNMEASURED: Final[Mapping[Lifetime, Fraction]] = {"5m": Fraction(30, 100), "1h": Fraction(87, 100)}
"""Hit rates to begin with. The API's documentation says 30% to 98% for batches: what pays at the low end is tried.
An hour's write costs more and pays only from 53% on, so it is for prefixes that one item has written ahead."""


def choose(group: Group, measured: Measured) -> Choice:
    """Whether and for how long a group's prefix is cached."""
    lane, model = settings().lane(group.lane), process.prices().model(group.model)
    if lane.caching == "off":
        return Choice(group, None, "the lane's caching is off")
    if group.has_marks:
        return Choice(group, None, "its caller has set breakpoints")
    if model is None:
        return Choice(group, None, "the model has no price")
    if group.primed == "writes":
        return Choice(group, "1h", "it goes ahead and writes it for those after it", priming="ahead")
    lifetimes: tuple[Lifetime, ...] = ("1h", "5m") if group.primed else ("5m",)
    decision = decide(
        model, _load(group), [Caching(lifetime, _expected(group, lifetime, measured)) for lifetime in lifetimes]
    )
    lifetime = None if decision.caching is None else decision.caching.lifetime
    choice = Choice(group, lifetime, decision.text, loses=decision.why == Why.TOO_FEW_HITS)
    if not lane.prime or not _gives_priming_up(group, model, measured):
        return choice
    read = f"{float(_expected(group, '1h', measured)):.0%} of those after one that goes ahead read it"
    return replace(choice, why=f"{choice.why}; {read}, which doesn't repay its write", priming="given up")


def is_worth_priming(cold: Cold, measured: Measured) -> bool:
    """Whether so many read what one writes that it costs the least, by what was measured."""
    model = process.prices().model(cold.model)
    return model is not None and _enough_to_prime(cold, model) and _primes(cold, model, measured)


def _gives_priming_up(group: Group, model: Model, measured: Measured) -> bool:
    """Whether one would go ahead, but for what was measured of those after it."""
    was_tried = any(subject in measured for subject in _subjects(group, "1h"))
    return was_tried and _enough_to_prime(group, model) and not _primes(group, model, measured)


def _enough_to_prime(group: Cold | Group, model: Model) -> bool:
    """Whether it would pay if all of them read it."""
    enough = primed_from(model.rates, "1h")
    return enough is not None and group.requests >= enough


def _primes(group: Cold | Group, model: Model, measured: Measured) -> bool:
    ways = (
        Caching("1h", _expected(group, "1h", measured), primed=True),
        Caching("5m", _expected(group, "5m", measured)),
    )
    decision: Decision = decide(model, _load(group), ways)
    return decision.caching is not None and decision.caching.primed


def _load(group: Cold | Group) -> Load:
    return Load(requests=group.requests, prefix_tokens=group.prefix_bytes // FEWEST_BYTES_PER_TOKEN)


def _expected(group: Cold | Group, lifetime: Lifetime, measured: Measured) -> Fraction:
    """The hit rate as it was measured for this prefix, else for its lane and model, else the one to begin with."""
    for subject in _subjects(group, lifetime):
        if subject in measured:
            return measured[subject]
    return _UNMEASURED[lifetime]


def _subjects(group: Cold | Group, lifetime: Lifetime) -> tuple[Subject, Subject]:
    return Subject(group.prefix_id, group.model_id, lifetime), Subject(None, group.model_id, lifetime)
