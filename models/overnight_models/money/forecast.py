"""What many requests will cost: in real time, batched, batched and cached.

Sums are exact fractions of nano-dollars; whoever shows one rounds it. A bill rounds each answer by itself, so that of
n answers may differ from the sum here by n/2 nano-dollars.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from overnight_models.money.prices import Model, Rates, factor

Lifetime: TypeAlias = Literal["5m", "1h"]
"""How long a cached prefix is kept after it was last read."""

Tokens: TypeAlias = int | Fraction


@dataclass(frozen=True, slots=True)
class Load:
    """Requests to one model that are alike. Tokens are of one request, on average, so they may be fractions."""

    requests: int
    prefix_tokens: Tokens = 0
    """The start of the prompt, the same in all of them."""
    own_tokens: Tokens = 0
    """The rest of the prompt."""
    output_tokens: Tokens = 0
    inference_geo: str | None = None


@dataclass(frozen=True, slots=True)
class Caching:
    """How a prefix is cached. Whoever doesn't find it writes it anew: every miss is paid at the write's price."""

    lifetime: Lifetime
    hit_rate: Fraction
    """Share of the requests that read the prefix, between 0 and 1; when primed, of those after the first."""
    primed: bool = False
    """One request goes ahead, alone, and writes it."""

    def reads(self, requests: int) -> Fraction:
        """How many of so many requests read the prefix; the others write it."""
        return self.hit_rate * max(requests - self.primed, 0)


def total(model: Model, load: Load, *, batch: bool, caching: Caching | None = None) -> Fraction:
    """Nano-dollars for the whole load, as batch requests or in real time; without `caching` nothing is cached."""
    rates = model.rates_for(round(load.prefix_tokens + load.own_tokens))
    each = rates.input * load.own_tokens + rates.output * load.output_tokens
    sum_ = load.requests * Fraction(each) + prefix_total(rates, load, caching)
    return sum_ * factor(model, batch=batch, inference_geo=load.inference_geo)


def prefix_total(rates: Rates, load: Load, caching: Caching | None) -> Fraction:
    """What the prefix alone costs, at the ordinary price: no factor for batches or geography is in it."""
    if caching is None:
        return Fraction(rates.input) * load.requests * load.prefix_tokens
    reads = caching.reads(load.requests)
    return (rates.cache_read * reads + write(rates, caching.lifetime) * (load.requests - reads)) * load.prefix_tokens


def write(rates: Rates, lifetime: Lifetime) -> int | Fraction:
    """Nano-dollars a token for writing to the cache."""
    return rates.write_5m if lifetime == "5m" else rates.write_1h
