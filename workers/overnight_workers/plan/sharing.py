"""What the shared beginnings of a file's prompts would save if they were cached, and at which share of hits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from overnight_models.ledger.money.history import Answers
from overnight_models.money.caching import Decision, decide
from overnight_models.money.forecast import Caching, Lifetime, Load, total
from overnight_models.money.prices import Model, Prices
from overnight_workers.plan.figure import How
from overnight_workers.plan.prefixes import Shared
from overnight_workers.plan.sums import Of
from overnight_workers.plan.survey import Marks

LIFETIMES: Final[tuple[Lifetime, ...]] = ("5m", "1h")
_ROUGHLY: Final = 0.05
FEWEST_TOKENS: Final = 100_000
"""Of earlier prompts that were cached; from fewer no share of hits is learned."""


@dataclass(frozen=True, slots=True)
class Hits:
    """The share of requests that find their prefix in the cache."""

    value: Fraction
    low: Fraction
    high: Fraction
    how: How
    lifetimes: tuple[Lifetime, ...] = LIFETIMES

    @property
    def ways(self) -> list[Caching]:
        """The ways to cache at this share of hits."""
        return [Caching(lifetime, self.value) for lifetime in self.lifetimes]


DOCUMENTED: Final = Hits(Fraction(60, 100), Fraction(30, 100), Fraction(98, 100), How.ASSUMED)
"""What the API's documentation says of batches: "ranging from 30% to 98%"."""

PRIMING: Final = Hits(Fraction(87, 100), DOCUMENTED.value, Fraction(1), How.ASSUMED, lifetimes=("1h",))
"""What a lane that primes expects before it has measured: as `cache_choices` does."""

PRIMED: Final = tuple(Caching(lifetime, Fraction(1), primed=True) for lifetime in LIFETIMES)
WAYS: Final = tuple(
    Caching(lifetime, rate) for lifetime in LIFETIMES for rate in (DOCUMENTED.low, DOCUMENTED.value, DOCUMENTED.high)
)


@dataclass(frozen=True, slots=True)
class Segment:
    """A shared beginning, without the part that a shorter one of it has already."""

    model: Model
    load: Load
    """`prefix_tokens` are the segment's, `own_tokens` the rest of the prompt, before it and after it."""
    before_tokens: int
    """Of the rest, those before it."""
    mark: Lifetime | None
    """The caller caches it."""

    def decide(self, ways: Iterable[Caching]) -> Decision:
        """The cheapest way to cache it, or none."""
        return decide(self.model, self.load, ways, before_tokens=self.before_tokens)

    def saved(self, way: Caching) -> Fraction:
        """Nano-dollars that this way saves, batched; below zero where it loses."""
        plain, cached = (total(self.model, self.load, batch=True, caching=caching) for caching in (None, way))
        return plain - cached


def segments(
    shared: Sequence[Shared], tokens: Sequence[int], prompt_tokens: Mapping[Of, Fraction], prices: Prices
) -> list[Segment]:
    """The shared beginnings, each less its parent's part.

    tokens: of each beginning, from the start of the prompt.
    prompt_tokens: of a prompt, on average.
    """
    return [_segment(prefix, tokens, at, prefix.parent, prompt_tokens, prices) for at, prefix in enumerate(shared)]


def marked(
    shared: Sequence[Shared], tokens: Sequence[int], prompt_tokens: Mapping[Of, Fraction], prices: Prices
) -> list[Segment]:
    """Those that the caller caches, each less the part that it caches before."""
    marks = []
    for at, segment in enumerate(shared):
        parent = segment.parent
        while parent is not None and shared[parent].mark is None:
            parent = shared[parent].parent
        if segment.mark is not None:
            marks.append(_segment(segment, tokens, at, parent, prompt_tokens, prices))
    return marks


def _segment(
    prefix: Shared,
    tokens: Sequence[int],
    at: int,
    parent: int | None,
    prompt_tokens: Mapping[Of, Fraction],
    prices: Prices,
) -> Segment:
    model = prices.model(prefix.model)
    assert model is not None, "only priced models are surveyed"
    before = 0 if parent is None else min(tokens[parent], tokens[at])
    own = max(prompt_tokens.get((prefix.model, prefix.geo), Fraction(0)) - (tokens[at] - before), Fraction(before))
    load = Load(prefix.items, tokens[at] - before, own, inference_geo=prefix.geo)
    return Segment(model, load, before, prefix.mark)


def learned_hits(past: Iterable[Answers]) -> Hits | None:
    """The share of hits of earlier prompts; None when too few were cached."""
    read = written = 0
    for batch in past:
        read += batch.cache_read_tokens
        written += batch.cache_write_5m_tokens + batch.cache_write_1h_tokens
    if read + written < FEWEST_TOKENS:
        return None
    rate = Fraction(read, read + written)
    # how much it varies from batch to batch isn't known from the sum: a tenth either way
    return Hits(rate, max(rate - Fraction(1, 10), Fraction(0)), min(rate + Fraction(1, 10), Fraction(1)), How.LEARNED)


def unshared_marks(
    marks: Mapping[Of, Marks], cached: Sequence[Segment], per_byte: float, prices: Prices
) -> dict[Of, int]:
    """Tokens up to the caller's own marks that no other prompt begins with: each item writes them, and none reads."""
    unshared = {}
    for (name, geo), mark in marks.items():
        shared = sum(
            segment.load.requests * round(segment.load.prefix_tokens)
            for segment in cached
            if (segment.model.name, segment.load.inference_geo) == (name, geo)
        )
        model, all_ = prices.model(name), round(mark.size * per_byte)
        assert model is not None, "only priced models are surveyed"
        # a few percent are the difference between counting and bytes; too short ones aren't cached at all
        if all_ - shared > all_ * _ROUGHLY and all_ >= mark.items * model.min_cacheable_tokens:
            unshared[name, geo] = all_ - shared
    return unshared
