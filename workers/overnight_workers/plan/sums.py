"""Items added up as they are counted: by model, by row of the price list, by length; each may stand for several."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

from overnight_models.money.prices import Prices, Rates
from overnight_workers.plan.counting import AtLeast, Count, Refused
from overnight_workers.plan.figure import Figure

Of: TypeAlias = tuple[str, str | None]
"""A model and a geography."""

_STEPS: Final = (1, 2, 5)
"""Bins of lengths grow by 1, 2, 5, 10, …, so that a histogram is short for any lengths."""


@dataclass(frozen=True, slots=True)
class Row:
    """The part of a model's items that is priced by one row of the price list, by the size of the prompt."""

    rates: Rates
    items: Fraction
    """Share of the items; what is missing to 1 is refused by the API, and not billed."""
    tokens: Fraction
    """Share of the tokens."""


@dataclass(frozen=True, slots=True)
class ModelTokens:
    """The tokens that go into one model."""

    model: str
    geo: str | None
    tokens: Figure
    nano: Figure
    """What they cost in real time at the ordinary price, geography apart: nano-dollars."""
    rows: tuple[Row, ...]
    items: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Items whose prompts have from `low` up to, and not including, `high` tokens."""

    low: int
    high: int
    items: int


class Histogram:
    """Items by length, each standing for so many."""

    def __init__(self) -> None:
        self._weights: defaultdict[int, Fraction] = defaultdict(Fraction)

    def add(self, tokens: int, weight: Fraction) -> None:
        """One item."""
        self._weights[_low(tokens)] += weight

    def bins(self) -> tuple[Bin, ...]:
        """From the shortest to the longest, empty ones between them too."""
        in_order: list[Bin] = []
        low = min(self._weights, default=1)
        while self._weights and low <= max(self._weights):
            in_order.append(Bin(low, _next(low), round(self._weights.get(low, Fraction(0)))))
            low = _next(low)
        return tuple(in_order)


class Sums:
    """What was counted so far."""

    def __init__(self, prices: Prices) -> None:
        self.refused: defaultdict[str, Fraction] = defaultdict(Fraction)
        self.uncounted: defaultdict[str, Fraction] = defaultdict(Fraction)
        """Items of which the API counts nothing although batches take them, by its words."""
        self.unknown: set[Of] = set()
        """Models with items that aren't counted whole."""
        self.histogram = Histogram()
        self._prices = prices
        self._items: defaultdict[Of, Fraction] = defaultdict(Fraction)
        self._rows: defaultdict[Of, dict[Rates, tuple[Fraction, Fraction]]] = defaultdict(dict)

    def add(self, model: str, geo: str | None, count: Count, weight: Fraction) -> int:
        """One item that stands for `weight` items. Returns its tokens, as far as they are known."""
        of = (model, geo)
        self._items[of] += weight
        if isinstance(count, Refused):
            self.refused[count.why] += weight
            return 0
        if isinstance(count, AtLeast):
            self.unknown.add(of)
            if count.why is not None:
                self.uncounted[count.why] += weight
            count = count.tokens
        self.histogram.add(count, weight)
        rates = self._rates(model, count)
        items, tokens = self._rows[of].get(rates, (Fraction(0), Fraction(0)))
        self._rows[of][rates] = (items + weight, tokens + weight * count)
        return count

    @property
    def models(self) -> list[Of]:
        """Models and geographies."""
        return list(self._items)

    def items(self, of: Of) -> Fraction:
        """Items of a model, those that the API doesn't take included."""
        return self._items[of]

    def tokens(self, of: Of) -> Fraction:
        """Tokens of a model."""
        return sum((tokens for _, tokens in self._rows[of].values()), Fraction(0))

    def nano(self, of: Of) -> Fraction:
        """What they cost in real time."""
        return sum((tokens * rates.input for rates, (_, tokens) in self._rows[of].items()), Fraction(0))

    def cost(self, model: str, tokens: int) -> int:
        """What one prompt costs in real time."""
        return round(self._rates(model, tokens).input * tokens)

    def rows(self, of: Of) -> tuple[Row, ...]:
        """The shares of each row of prices."""
        items, tokens = self.items(of), self.tokens(of)
        return tuple(
            Row(rates, n / items, sum_ / tokens if tokens else n / items) for rates, (n, sum_) in self._rows[of].items()
        )

    def _rates(self, model: str, tokens: int) -> Rates:
        known = self._prices.model(model)
        assert known is not None, "only priced models are surveyed"
        return known.rates_for(tokens)


def _low(tokens: int) -> int:
    """Where the bin begins that so many tokens are in."""
    low = int("1" + "0" * (len(str(max(tokens, 1))) - 1))
    return max(low * step for step in _STEPS if low * step <= max(tokens, 1))


def _next(low: int) -> int:
    return low * 5 // 2 if str(low)[0] == "2" else low * 2
