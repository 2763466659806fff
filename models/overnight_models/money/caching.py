"""Whether to cache a prefix: only where that costs less than leaving it alone, and with the reason.

A cache write costs more than plain input and a read less, so there is a share of hits below which caching loses money.
It follows from the model's own prices: about 53% for an hour and 22% for five minutes where a read costs a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from overnight_models.money.forecast import Caching, Lifetime, Load, Tokens, total, write
from overnight_models.money.prices import Model, Rates


class Why(StrEnum):
    """Why a prefix is cached, or why not."""

    PAYS = "pays"
    NO_PREFIX = "no_prefix"
    """The requests have nothing in common."""
    ALONE = "alone"
    """There is nobody to read what one request wrote."""
    TOO_SHORT = "too_short"
    """The model doesn't cache so few tokens; it says nothing about it and bills them as ever."""
    TOO_FEW_HITS = "too_few_hits"
    """The writes would cost more than the reads save."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a prefix."""

    why: Why
    caching: Caching | None
    """The cheapest way; None: don't cache it."""
    saved: Fraction
    """Nano-dollars that this way saves against none, batched; 0 without caching."""
    text: str
    """The reason, as a sentence without a full stop."""


def decide(
    model: Model, load: Load, ways: Iterable[Caching], *, batch: bool = True, before_tokens: Tokens = 0
) -> Decision:
    """The cheapest of these ways to cache the load's prefix, or none, and why.

    before_tokens: what stands before the prefix in the prompt and is cached by itself; they count for the smallest
    number of tokens that the model caches, and are in the load's own ones.
    """
    if not load.prefix_tokens:
        return _no(Why.NO_PREFIX, "the requests have no prefix in common")
    if load.requests < 2:
        return _no(Why.ALONE, "one request alone has nobody to read what it writes")
    long, least = round(load.prefix_tokens + before_tokens), model.min_cacheable_tokens
    if long < least:
        return _no(Why.TOO_SHORT, f"{long:,} tokens are too few, {model.name} caches from {least:,}")
    plain = total(model, load, batch=batch)
    saved, _, best = max(
        ((plain - total(model, load, batch=batch, caching=way), -order, way) for order, way in enumerate(ways)),
        default=(Fraction(0), 0, None),
    )
    if best is None:
        return _no(Why.TOO_FEW_HITS, "there is no way to cache it")
    if saved <= 0:
        return _no(Why.TOO_FEW_HITS, _too_few(model, load, best))
    return Decision(Why.PAYS, best, saved, _pays(best))


def break_even(rates: Rates, lifetime: Lifetime) -> Fraction | None:
    """The share of hits above which caching costs less than not caching; None: it never does."""
    if rates.cache_read >= rates.input:
        return None
    dearer = Fraction(write(rates, lifetime) - rates.input)
    return max(dearer / (write(rates, lifetime) - rates.cache_read), Fraction(0))


def primed_from(rates: Rates, lifetime: Lifetime) -> int | None:
    """The smallest number of requests for which one write and reads by all others cost less; None: it never does."""
    if rates.cache_read >= rates.input:
        return None
    dearer = Fraction(write(rates, lifetime) - rates.cache_read)
    return max(math.floor(dearer / (rates.input - rates.cache_read)) + 1, 2)


def _no(why: Why, text: str) -> Decision:
    return Decision(why, None, Fraction(0), text)


def _too_few(model: Model, load: Load, way: Caching) -> str:
    rates = model.rates_for(round(load.prefix_tokens + load.own_tokens))
    needed = break_even(rates, way.lifetime)
    if needed is None:
        return f"{model.name} reads from its cache at no lower price than it reads anew"
    if way.primed:
        return f"{load.requests:,} requests are too few to repay the write that goes ahead"
    hits = _percent(way.hit_rate)
    return f"{hits} of hits are too few, a {way.lifetime} write of {model.name} needs more than {_percent(needed)}"


def _pays(way: Caching) -> str:
    if way.primed:
        return f"one goes ahead and writes it, for {way.lifetime}; {_percent(way.hit_rate)} of the others read it"
    return f"{_percent(way.hit_rate)} read it and the others write it, for {way.lifetime}"


def _percent(share: Fraction) -> str:
    return f"{float(share):.0%}"
