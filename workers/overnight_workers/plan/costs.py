"""What the file costs on each road: in real time, batched, batched and cached; each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from overnight_models.money.caching import Decision, Why, break_even, primed_from
from overnight_models.money.forecast import Caching, Lifetime, write
from overnight_models.money.prices import Model, Prices, Rates, factor
from overnight_workers.plan.figure import Figure, How, added, weakest
from overnight_workers.plan.sharing import LIFETIMES, PRIMED, WAYS, Hits, Segment
from overnight_workers.plan.sums import ModelTokens, Of


@dataclass(frozen=True, slots=True)
class Column:
    """One road's cost in nano-dollars."""

    input: Figure
    output: Figure
    total: Figure


@dataclass(frozen=True, slots=True)
class Way:
    """What the whole file costs, batched, when what it shares is cached in one way."""

    caching: Caching
    total: Figure


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From when on caching pays for a model."""

    model: str
    lifetime: Lifetime
    hit_rate: Fraction | None
    primed_from: int | None
    """Requests that have to share a prefix."""


@dataclass(frozen=True, slots=True)
class Costs:
    """The file's costs."""

    realtime: Column
    batched: Column
    cached: Column | None
    """None when caching doesn't pay."""
    why_cached: str
    """Why it pays or not, of the beginning that most is shared of."""
    shared_items: int
    """Items whose prompts begin with something that pays to be cached."""
    hits: Hits
    ways: tuple[Way, ...]
    break_even: tuple[BreakEven, ...]
    as_marked: Column | None
    """Batched, with the cache_control that the file has itself; None when it has none."""
    worst_nano: int
    """Batched, if every answer took all of its max_tokens."""
    worst_realtime_nano: int
    ten_more_in_nano: int
    """What ten more tokens in each prompt cost, batched."""
    ten_more_out_nano: int
    lane_caches: bool
    """The lane caches what pays, where the file doesn't do so itself."""
    by_model: Mapping[Of, tuple[Figure, Figure]]
    """What goes to each model costs in real time, and batched without a cache."""

    @property
    def is_cached(self) -> bool:
        """Whether the lane will cache something of the file."""
        return self.expected is self.cached

    @property
    def expected(self) -> Column:
        """What the bill will say of the file in its lane, batched."""
        return self.as_marked or (self.cached if self.lane_caches else None) or self.batched


@dataclass(frozen=True, slots=True)
class Sharing:
    """What prompts share."""

    segments: Sequence[Segment]
    marked: Sequence[Segment]
    unshared_marks: Mapping[Of, int]
    """Tokens that the caller has cached and that no other prompt begins with: written, never read."""
    hits: Hits


def costs(
    models: Sequence[ModelTokens],
    out: Mapping[Of, Figure],
    max_tokens: Mapping[Of, int],
    sharing: Sharing,
    prices: Prices,
    *,
    lane_caches: bool,
) -> Costs:
    """The file's costs, from its tokens."""
    priced = [(model, _model(prices, model.model)) for model in models]
    realtime = _column(priced, out, batch=False)
    batched = _column(priced, out, batch=True)
    paying = [(segment, segment.decide(sharing.hits.ways)) for segment in sharing.segments]
    primed = [segment for segment in sharing.segments if segment.decide(PRIMED).caching is not None]
    cached = [(segment, decision.caching) for segment, decision in paying if decision.caching is not None]
    worst = {of: Figure(tokens, tokens, tokens, How.COUNTED) for of, tokens in max_tokens.items()}
    ten = {(model.model, model.geo): Figure(10 * model.items, 0, 10 * model.items, How.COUNTED) for model in models}
    return Costs(
        realtime=realtime,
        batched=batched,
        cached=_cached(batched, cached, sharing.hits) if cached else None,
        why_cached=_why(paying),
        shared_items=sum(segment.load.requests for segment, _ in cached if not segment.before_tokens),
        hits=sharing.hits,
        ways=tuple(_whole(batched, primed, way) for way in (*WAYS, *PRIMED)) if primed else (),
        break_even=tuple(_break_even(model, lifetime) for model in _each(priced) for lifetime in LIFETIMES),
        as_marked=_as_marked(batched, sharing, prices) if sharing.marked or sharing.unshared_marks else None,
        worst_nano=_column(priced, worst, batch=True).total.high,
        worst_realtime_nano=_column(priced, worst, batch=False).total.high,
        ten_more_in_nano=_priced(priced, ten, lambda rates: rates.input, batch=True).value,
        ten_more_out_nano=_priced(priced, ten, lambda rates: rates.output, batch=True).value,
        lane_caches=lane_caches,
        by_model={
            (tokens.model, tokens.geo): (
                _column([(tokens, model)], out, batch=False).total,
                _column([(tokens, model)], out, batch=True).total,
            )
            for tokens, model in priced
        },
    )


def _column(priced: Sequence[tuple[ModelTokens, Model]], out: Mapping[Of, Figure], *, batch: bool) -> Column:
    input_ = added(tokens.nano.times(factor(model, batch=batch, inference_geo=tokens.geo)) for tokens, model in priced)
    output = _priced(priced, out, lambda rates: rates.output, batch=batch)
    return Column(input_, output, added([input_, output]))


def _priced(
    priced: Sequence[tuple[ModelTokens, Model]],
    tokens: Mapping[Of, Figure],
    rate: Callable[[Rates], int | Fraction],
    *,
    batch: bool,
) -> Figure:
    """Tokens of each model at the mean rate of its items."""
    billed = []
    for counted, model in priced:
        answered = sum((row.items for row in counted.rows), Fraction(0))
        if answered and (counted.model, counted.geo) in tokens:
            mean = sum((row.items * rate(row.rates) for row in counted.rows), Fraction(0)) / answered
            billed.append(
                tokens[counted.model, counted.geo].times(mean * factor(model, batch=batch, inference_geo=counted.geo))
            )
    return added(billed)


def _cached(batched: Column, cached: Iterable[tuple[Segment, Caching]], hits: Hits) -> Column:
    """The batched column less what the caches save; its doubt is the share of hits."""
    value = low = high = Fraction(0)
    for segment, way in cached:
        value += segment.saved(way)
        low += segment.saved(Caching(way.lifetime, hits.low))
        high += segment.saved(Caching(way.lifetime, hits.high))
    return _less(batched, value, low, high, hits.how)


def _less(column: Column, value: Fraction, low: Fraction, high: Fraction, how: How) -> Column:
    """A column whose input costs less by a saving between `low` and `high`."""

    def less(figure: Figure) -> Figure:
        weak = weakest(figure.how, how)
        difference = figure.value - round(value)
        lowest, highest = figure.low - math.ceil(high), figure.high - math.floor(low)
        return Figure(max(difference, 0), max(min(lowest, difference), 0), max(highest, difference, 0), weak)

    return Column(less(column.input), column.output, less(column.total))


def _whole(batched: Column, segments: Iterable[Segment], way: Caching) -> Way:
    saved = sum((segment.saved(way) for segment in segments), Fraction(0))
    return Way(way, _less(batched, saved, saved, saved, How.COUNTED).total)


def _as_marked(batched: Column, sharing: Sharing, prices: Prices) -> Column:
    """With the caller's own marks: what they save where prompts share, and what they cost where none does."""
    value = low = high = Fraction(0)
    for segment in sharing.marked:
        lifetime = segment.mark or "5m"
        if segment.load.prefix_tokens + segment.before_tokens >= segment.model.min_cacheable_tokens:
            value += segment.saved(Caching(lifetime, sharing.hits.value))
            low += segment.saved(Caching(lifetime, sharing.hits.low))
            high += segment.saved(Caching(lifetime, sharing.hits.high))
    for (name, geo), tokens in sharing.unshared_marks.items():
        model = _model(prices, name)
        dearer = (write(model.rates, "5m") - model.rates.input) * factor(model, batch=True, inference_geo=geo)
        value, low, high = (sum_ - tokens * dearer for sum_ in (value, low, high))
    return _less(batched, value, low, high, sharing.hits.how)


def _why(paying: Sequence[tuple[Segment, Decision]]) -> str:
    """The reason of the largest beginning that pays, else of the largest."""
    pays = [decision for _, decision in paying if decision.why is Why.PAYS]
    if pays:
        return max(pays, key=lambda decision: decision.saved).text
    return paying[0][1].text if paying else "the requests have no prefix in common"


def _break_even(model: Model, lifetime: Lifetime) -> BreakEven:
    return BreakEven(model.name, lifetime, break_even(model.rates, lifetime), primed_from(model.rates, lifetime))


def _each(priced: Iterable[tuple[ModelTokens, Model]]) -> list[Model]:
    return list({model.name: model for _, model in priced}.values())


def _model(prices: Prices, name: str) -> Model:
    model = prices.model(name)
    assert model is not None, "only priced models are surveyed"
    return model
