"""What a request costs: the price list, the API's usage counters, and the sum.

Money is whole nano-dollars (10^-9 $). One dollar per million tokens is exactly 1,000 nano-dollars a
token, so nothing is rounded until the end, once per answer, half up. The numbers are in `prices.toml`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from overnight_models.quantities import NANO_PER_DOLLAR

SHIPPED = Path(__file__).with_name("prices.toml")
#: A price per million tokens, times this, is nano-dollars a token.
NANO_PER_TOKEN = 1_000
_MOST_COUNTED = 2_000_000_000
"""No answer has so many of anything: more is a fault of whoever counted."""


class PricesInvalid(ValueError):
    """A price file that can't be used. The message names the key and what it should hold."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars a token, by kind of token: whole numbers, fractions only where a price asks for it."""

    input: int | Fraction
    write_5m: int | Fraction
    write_1h: int | Fraction
    cache_read: int | Fraction
    output: int | Fraction


@dataclass(frozen=True, slots=True)
class Tier:
    """The rates of a request whose whole prompt is larger than `above_prompt_tokens`."""

    above_prompt_tokens: int
    rates: Rates


@dataclass(frozen=True, slots=True)
class Model:
    """One model: its rates and its limits. `tiers` go from the largest prompt down."""

    name: str
    display_name: str
    rates: Rates
    tiers: tuple[Tier, ...]
    batch_factor: Fraction
    geography: Mapping[str, Fraction]
    web_search: int
    context_tokens: int
    max_output_tokens: int
    min_cacheable_tokens: int
    long_output: bool
    rejects: frozenset[str]
    aliases: tuple[str, ...]
    released: date | None
    end_of_life: date | None
    """The last day on which it answers."""
    price_ends: date | None
    """The last day on which its rates are known to hold."""
    sources: tuple[str, ...]
    note: str

    def rates_for(self, prompt_tokens: int) -> Rates:
        """The rates of a request with this many prompt tokens, cached ones included."""
        for tier in self.tiers:
            if prompt_tokens > tier.above_prompt_tokens:
                return tier.rates
        return self.rates


class Usage(NamedTuple):
    """The billed counters of one answer. `input_tokens` is the uncached remainder only, as the API has it."""

    input_tokens: int = 0
    write_5m_tokens: int = 0
    write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    """Part of the output tokens, and billed as such."""
    web_search_requests: int = 0
    inference_geo: str | None = None

    @property
    def prompt_tokens(self) -> int:
        """All tokens of the prompt, however they were billed."""
        return self.input_tokens + self.write_5m_tokens + self.write_1h_tokens + self.cache_read_tokens

    @classmethod
    def of(cls, usage: Mapping[str, object] | None) -> Usage:
        """Read the API's usage object. What is absent, null or not a number counts as 0.

        Cache writes without the split by lifetime count as 5-minute writes.
        """
        if not isinstance(usage, dict):
            return cls()
        get = usage.get
        write_5m = write_1h = 0
        split = get("cache_creation")
        if isinstance(split, dict):
            write_5m = _count(split.get("ephemeral_5m_input_tokens"))
            write_1h = _count(split.get("ephemeral_1h_input_tokens"))
        # The total is the older counter. What the split doesn't explain was written for 5 minutes.
        write_5m += max(0, _count(get("cache_creation_input_tokens")) - write_5m - write_1h)
        details, tools, geo = get("output_tokens_details"), get("server_tool_use"), get("inference_geo")
        return cls(
            _count(get("input_tokens")),
            write_5m,
            write_1h,
            _count(get("cache_read_input_tokens")),
            _count(get("output_tokens")),
            _count(details.get("thinking_tokens")) if isinstance(details, dict) else 0,
            _count(tools.get("web_search_requests")) if isinstance(tools, dict) else 0,
            geo if isinstance(geo, str) else None,
        )


@dataclass(frozen=True, slots=True)
class Prices:
    """A price list: models by name, and every other name a model goes by."""

    as_of: date
    models: Mapping[str, Model]
    sources: Mapping[str, str]
    _by_alias: Mapping[str, Model] = field(repr=False)

    def model(self, name: str) -> Model | None:
        """The model of this name or alias; None if the list doesn't know it."""
        return self.models.get(name) or self._by_alias.get(name)

    def names(self) -> list[str]:
        """Every model's name, without aliases, in the order of the file."""
        return list(self.models)

    def near(self, name: str) -> list[str]:
        """The known names most like this one, best first: for "did you mean"."""
        return difflib.get_close_matches(name, [*self.models, *self._by_alias], n=3, cutoff=0.5)


def cost(model: Model, usage: Usage, *, batch: bool) -> int:
    """Nano-dollars for one answer with this usage, as a batch request or in real time."""
    batched, realtime = both_costs(model, usage)
    return batched if batch else realtime


def both_costs(model: Model, usage: Usage) -> tuple[int, int]:
    """Nano-dollars for one answer with this usage: as a batch request, and in real time."""
    tokens = _tokens_nano(model, usage)
    searches = model.web_search * usage.web_search_requests
    realtime = tokens if isinstance(tokens, int) else _rounded(tokens, _ONE)
    return _rounded(tokens, model.batch_factor) + searches, realtime + searches


def costs_of(parts: Sequence[tuple[Model, Usage]]) -> tuple[int, int]:
    """Nano-dollars for one answer on which several calls worked, rounded once: as a batch request, and in real time."""
    if len(parts) == 1:
        return both_costs(*parts[0])
    exact = [(_tokens_nano(model, usage), model.batch_factor) for model, usage in parts]
    searches = sum(model.web_search * usage.web_search_requests for model, usage in parts)
    batched = sum((tokens * factor for tokens, factor in exact), Fraction(0))
    realtime = sum((Fraction(tokens) for tokens, _ in exact), Fraction(0))
    return _rounded(batched, _ONE) + searches, _rounded(realtime, _ONE) + searches


def _tokens_nano(model: Model, usage: Usage) -> int | Fraction:
    """What the tokens cost in real time, unrounded."""
    rates = model.rates_for(usage.prompt_tokens)
    tokens = (
        rates.input * usage.input_tokens
        + rates.write_5m * usage.write_5m_tokens
        + rates.write_1h * usage.write_1h_tokens
        + rates.cache_read * usage.cache_read_tokens
        + rates.output * usage.output_tokens
    )
    if usage.inference_geo is not None:
        tokens *= model.geography.get(usage.inference_geo, 1)
    return tokens


def thinking_cost(model: Model, usage: Usage, *, batch: bool = True) -> int:
    """Nano-dollars for what an answer thought: a part of its cost, rounded for itself."""
    tokens = model.rates_for(usage.prompt_tokens).output * usage.thinking_tokens
    return _rounded(tokens, factor(model, batch=batch, inference_geo=usage.inference_geo))


_ONE: Final = Fraction(1)


def _rounded(nano: int | Fraction, by: Fraction) -> int:
    """The product, halves up; in whole numbers, as a product of fractions takes ten times as long."""
    divisor = nano.denominator * by.denominator
    return (2 * nano.numerator * by.numerator + divisor) // (2 * divisor)


def factor(model: Model, *, batch: bool, inference_geo: str | None) -> Fraction:
    """What every token's price is multiplied by."""
    of_batch = model.batch_factor if batch else _ONE
    geography = None if inference_geo is None else model.geography.get(inference_geo)
    return of_batch if geography is None else geography * of_batch


def load(path: Path | None = None) -> Prices:
    """The shipped price list, overlaid key by key with the file at `path`.

    Raises PricesInvalid when a file can't be read, lacks a key or holds something that is no price.
    """
    return _shipped_prices() if path is None else _checked(_overlaid(_shipped(), _read(path)), path)


@cache
def _shipped() -> Mapping[str, object]:
    """The shipped list as it stands in the file; a process reads it once."""
    return _read(SHIPPED)


@cache
def _shipped_prices() -> Prices:
    return _checked(_shipped(), SHIPPED)


def _checked(table: Mapping[str, object], path: Path) -> Prices:
    """Prices of a list. path: the file to name when something in it is no price."""
    try:
        return _prices(table)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        if isinstance(error, PricesInvalid):
            raise
        raise PricesInvalid(f"{path}: {error!r} is missing or not of the right kind") from error


def _prices(table: Mapping[str, object]) -> Prices:
    batch_factor = _fraction(table["batch_factor"])
    geography = {name: _fraction(factor) for name, factor in _table(table["geography"]).items()}
    search = _fraction(table["web_search_per_1000"]) * NANO_PER_DOLLAR / 1000
    models: dict[str, Model] = {}
    for name, row in _table(table["models"]).items():
        try:
            models[name] = _model(name, _table(row), batch_factor, geography, round(search))
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise PricesInvalid(f"models.{name}: {error!r} is missing or not of the right kind") from error
    by_alias = {alias: model for model in models.values() for alias in model.aliases}
    as_of = _day(table, "as_of")
    if as_of is None:
        raise KeyError("as_of")
    sources = {name: str(source) for name, source in _table(table["sources"]).items()}
    return Prices(as_of, models, sources, by_alias)


def _model(
    name: str, row: Mapping[str, object], batch_factor: Fraction, geography: Mapping[str, Fraction], search: int
) -> Model:
    tiers = [Tier(_whole(tier["above_prompt_tokens"]), _rates(tier)) for tier in map(_table, _list(row, "tiers"))]
    return Model(
        name=name,
        display_name=str(row.get("display_name", name)),
        rates=_rates(row),
        tiers=tuple(sorted(tiers, key=lambda tier: -tier.above_prompt_tokens)),
        batch_factor=batch_factor,
        geography=geography if row.get("geography", False) else {},
        web_search=search,
        context_tokens=_whole(row["context_tokens"]),
        max_output_tokens=_whole(row["max_output_tokens"]),
        min_cacheable_tokens=_whole(row["min_cacheable_tokens"]),
        long_output=bool(row.get("long_output", False)),
        rejects=frozenset(_strings(row, "rejects")),
        aliases=tuple(_strings(row, "aliases")),
        released=_day(row, "released"),
        end_of_life=_day(row, "end_of_life"),
        price_ends=_day(row, "price_ends"),
        sources=tuple(_strings(row, "sources")),
        note=str(row.get("note", "")),
    )


def _rates(row: Mapping[str, object]) -> Rates:
    return Rates(
        input=_nano_per_token(row["input"]),
        write_5m=_nano_per_token(row["write_5m"]),
        write_1h=_nano_per_token(row["write_1h"]),
        cache_read=_nano_per_token(row["cache_read"]),
        output=_nano_per_token(row["output"]),
    )


def _day(row: Mapping[str, object], key: str) -> date | None:
    day = row.get(key)
    # a datetime is a date too, but no day
    if day is not None and type(day) is not date:
        raise PricesInvalid(f"{key} = {day!r} is not a day, such as {key} = 2027-01-22 without quotes")
    return day


def _nano_per_token(dollars_per_million: object) -> int | Fraction:
    rate = _fraction(dollars_per_million) * NANO_PER_TOKEN
    if rate < 0:
        raise PricesInvalid(f"{dollars_per_million} is below zero; a price is dollars per million tokens")
    return rate.numerator if rate.denominator == 1 else rate


def _read(path: Path) -> dict[str, object]:
    try:
        # Decimal keeps 0.1 what the file says: no binary fraction gets near money.
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise PricesInvalid(f"{path}: {error}") from error


def _overlaid(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = _overlaid(_table(old), _table(value)) if both else value
    return merged


def _table(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r}, where a table belongs,")
    return value


def _list(row: Mapping[str, object], key: str) -> list[object]:
    value = row.get(key, [])
    if not isinstance(value, list):
        raise TypeError(f"{key} = {value!r}, where a list belongs,")
    return value


def _strings(row: Mapping[str, object], key: str) -> list[str]:
    return [str(value) for value in _list(row, key)]


def _fraction(value: object) -> Fraction:
    if not isinstance(value, (int, float, str, Decimal)):
        raise TypeError(f"{value!r}, where a number belongs,")
    return Fraction(value)


def _whole(value: object) -> int:
    if not isinstance(value, (int, float, str, Decimal)):
        raise TypeError(f"{value!r}, where a number belongs,")
    return int(value)


def _count(value: object) -> int:
    return min(value, _MOST_COUNTED) if type(value) is int and value > 0 else 0
