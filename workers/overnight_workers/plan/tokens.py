"""How many tokens go in: of every item, of a random sample, or assumed from bytes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from overnight_models.money.prices import Prices
from overnight_workers.plan.counting import Count, known_tokens
from overnight_workers.plan.figure import Figure, How, around, exactly
from overnight_workers.plan.sampling import FIRST, Estimate, Sample, combined, estimate, needed, shared_out
from overnight_workers.plan.strata import Group
from overnight_workers.plan.sums import Bin, ModelTokens, Of, Sums
from overnight_workers.plan.survey import LONGEST, Unit
from overnight_workers.roads.lengths import BYTES_PER_TOKEN

FEWEST_BYTES, MOST_BYTES = Fraction(5, 2), Fraction(5)
"""What a token may have, by language and model."""
IMAGE_TOKENS: Final = 1_500

_ROUNDS: Final = 3
"""How often the sample is made larger before its interval is left as it is."""

Look = Callable[[Group, Sequence[Unit]], Sequence[Count]]
"""Counts the tokens of some units of a stratum."""


@dataclass(frozen=True, slots=True)
class TokensIn:
    """What goes in."""

    total: Figure
    by_model: tuple[ModelTokens, ...]
    looked_at: int
    """Items that were counted."""
    strata: int
    by: str
    """How a sample was raised to all: by its "mean" or by its "ratio" of tokens to bytes; "all", or "bytes"."""
    per_byte: float
    """Tokens per byte of text."""
    refused: tuple[tuple[str, int], ...]
    """What the API says of prompts that it doesn't take, and of about how many items."""
    uncounted: tuple[tuple[str, int], ...]
    """Why the API counts nothing of prompts that batches take, and of about how many items."""
    unknown: frozenset[Of]
    """Models with items that weren't counted whole: their figures are the least."""
    bins: tuple[Bin, ...]
    longest: tuple[tuple[str, int], ...]
    """Keys and tokens."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One item and what the API counted."""

    model: str
    geo: str | None
    key: str
    size: int
    tokens: Count


def counted(each: Iterable[Counted], prices: Prices) -> TokensIn:
    """From every item."""
    sums = Sums(prices)
    longest: list[tuple[int, str]] = []
    size = looked_at = 0
    for count in each:
        tokens = sums.add(count.model, count.geo, count.tokens, Fraction(1))
        longest = sorted([*longest, (tokens, count.key)], reverse=True)[:LONGEST]
        size, looked_at = size + count.size, looked_at + 1
    by_model = [
        ModelTokens(
            *of, exactly(int(sums.tokens(of))), exactly(round(sums.nano(of))), sums.rows(of), int(sums.items(of))
        )
        for of in sums.models
    ]
    return _tokens_in(by_model, sums, looked_at, 0, "all", size, [(key, tokens) for tokens, key in longest])


def sampled(
    strata: Sequence[Group],
    keys: Mapping[Unit, str],
    look: Look,
    prices: Prices,
    *,
    within: float,
    at_most: int,
    asked: int | None = None,
) -> TokensIn:
    """From a random sample, and from the longest items, which are all looked at.

    keys: of the longest items.
    within: half the wanted 95% interval, as a share of the total (0.01 is 1%).
    at_most: items that are looked at at most, whatever the interval.
    asked: look at so many and take the interval that comes.
    """
    counts = [list(look(group, group.order[:n])) for group, n in zip(strata, _first(strata, asked), strict=True)]
    for _ in range(_ROUNDS):
        wanted = _wanted(strata, counts, within, at_most, asked)
        if all(n <= len(some) for n, some in zip(wanted, counts, strict=True)):
            break
        for group, some, n in zip(strata, counts, wanted, strict=True):
            some.extend(look(group, group.order[len(some) : n]))
    return _raised(strata, counts, keys, prices)


def assumed(strata: Sequence[Group], keys: Mapping[Unit, str], prices: Prices) -> TokensIn:
    """From bytes, without asking anybody."""

    def look(group: Group, units: Sequence[Unit]) -> list[Count]:
        return [-(-unit.size // BYTES_PER_TOKEN) + IMAGE_TOKENS * group.media for unit in units]

    counted = sampled(strata, keys, look, prices, within=0.01, at_most=2_000)
    by_model = tuple(
        replace(model, tokens=_widened(model.tokens), nano=_widened(model.nano)) for model in counted.by_model
    )
    return replace(counted, total=_widened(counted.total), by_model=by_model, looked_at=0, by="bytes")


def at_least(counted: TokensIn, models: Collection[Of]) -> TokensIn:
    """The same, with the figures of models said to be the least, since some of their prompts can't be counted whole."""
    unknown = counted.unknown | frozenset(models)
    if not unknown:
        return counted

    def least(figure: Figure) -> Figure:
        return replace(figure, how=How.UNKNOWN)

    by_model = tuple(
        replace(model, tokens=least(model.tokens), nano=least(model.nano))
        if (model.model, model.geo) in unknown
        else model
        for model in counted.by_model
    )
    return replace(counted, by_model=by_model, total=least(counted.total), unknown=unknown)


def _widened(figure: Figure) -> Figure:
    fewest, dearest = (figure.value * BYTES_PER_TOKEN / bytes_ for bytes_ in (MOST_BYTES, FEWEST_BYTES))
    return Figure(figure.value, math.floor(fewest), math.ceil(dearest), How.ASSUMED)


def _first(strata: Sequence[Group], asked: int | None) -> list[int]:
    """How many units of each stratum are looked at first."""
    each = FIRST if asked is None else max(min(asked // (2 * max(len(strata), 1)), FIRST), 2)
    return [group.stratum.units if group.whole else min(each, group.stratum.units) for group in strata]


def _wanted(
    strata: Sequence[Group], counts: Sequence[Sequence[Count]], within: float, at_most: int, asked: int | None
) -> list[int]:
    """How many units of each stratum should be looked at, those included that were."""
    parts = [group.stratum for group in strata]
    samples = [_sample(group, some) for group, some in zip(strata, counts, strict=True)]
    wanted = needed(parts, samples, within) if asked is None else []
    there = sum(len(some) for some in counts)
    if asked is not None or sum(max(n, len(some)) for n, some in zip(wanted, counts, strict=True)) > at_most:
        whole = sum(group.stratum.units for group in strata if group.whole)
        wanted = shared_out(parts, samples, (at_most if asked is None else asked) - whole)
    if there >= (at_most if asked is None else asked):
        return [0] * len(strata)
    return [min(n, len(group.order)) for group, n in zip(strata, wanted, strict=True)]


def _sample(group: Group, counts: Sequence[Count]) -> Sample:
    values = [known_tokens(count) for count in counts]
    return Sample([unit.size for unit in group.order[: len(counts)]], values)


def _most_first(reasons: Mapping[str, Fraction]) -> tuple[tuple[str, int], ...]:
    return tuple((why, max(round(n), 1)) for why, n in sorted(reasons.items(), key=lambda pair: -pair[1]))


def _raised(
    strata: Sequence[Group], counts: Sequence[Sequence[Count]], keys: Mapping[Unit, str], prices: Prices
) -> TokensIn:
    """From the sample to all."""
    sums = Sums(prices)
    longest: list[tuple[str, int]] = []
    estimates: defaultdict[tuple[str, str | None], list[tuple[Estimate, Estimate]]] = defaultdict(list)
    for group, some in zip(strata, counts, strict=True):
        weight = Fraction(group.stratum.units, len(some))
        for unit, count in zip(group.order, some, strict=False):
            tokens = sums.add(group.model, group.geo, count, weight)
            if group.whole:
                longest.append((keys[unit], tokens))
        sample = _sample(group, some)
        nano = [sums.cost(group.model, tokens) for tokens in sample.values]
        first = min(FIRST, len(some))
        estimates[group.model, group.geo].append(
            (
                estimate(group.stratum, sample, first=first),
                estimate(group.stratum, Sample(sample.sizes, nano), first=first),
            )
        )
    by_model = []
    for of, parts in estimates.items():
        in_all = _figure(combined([tokens for tokens, _ in parts]))
        rows = sums.rows(of)
        # where there is one row of prices, the cost is the tokens', exactly
        cost = (
            in_all.times(Fraction(rows[0].rates.input)) if len(rows) == 1 else _figure(combined([n for _, n in parts]))
        )
        items = sum(group.stratum.units for group in strata if (group.model, group.geo) == of)
        by_model.append(ModelTokens(*of, in_all, cost, rows, items))
    every = combined([estimated for parts in estimates.values() for estimated, _ in parts])
    size = sum(group.stratum.size for group in strata)
    looked_at = sum(len(some) for some in counts)
    longest.sort(key=lambda pair: -pair[1])
    whole = _tokens_in(by_model, sums, looked_at, len(strata), every.by, size, longest)
    return replace(whole, total=_figure(every))


def _figure(estimated: Estimate) -> Figure:
    return around(estimated.total, estimated.deviation, How.COUNTED if estimated.by == "all" else How.SAMPLED)


def _tokens_in(
    by_model: Sequence[ModelTokens],
    sums: Sums,
    looked_at: int,
    strata: int,
    by: str,
    size: int,
    longest: Sequence[tuple[str, int]],
) -> TokensIn:
    total = sum(model.tokens.value for model in by_model)
    return TokensIn(
        total=exactly(total),
        by_model=tuple(sorted(by_model, key=lambda model: -model.nano.value)),
        looked_at=looked_at,
        strata=strata,
        by=by,
        per_byte=total / max(size, 1),
        refused=_most_first(sums.refused),
        uncounted=_most_first(sums.uncounted),
        unknown=frozenset(sums.unknown),
        bins=sums.histogram.bins(),
        longest=tuple(longest),
    )
