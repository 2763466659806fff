"""The most that a request may cost: what a budget reserves for it before anybody knows what it will cost.

A token of text is at least a byte, so a request's bytes bound its prompt, and `max_tokens` bounds its answer. What
isn't text (an image, a document, a URL, a tool that Anthropic runs) may be more tokens than bytes: it has no bound.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from overnight_models.money.prices import Model, Rates


ADDED_TOKENS: Final = 2000
"""What the API may put before a prompt by itself: for tools, for a schema, for roles."""

UNBOUNDED: Final = (
    r'[^\\]"type"\s*:\s*"(?!(text|tool_use|tool_result|thinking|redacted_thinking|ephemeral|enabled|adaptive|disabled'
    r'|json_schema|auto|any|tool|none|custom|direct|object|array|string|number|integer|boolean|null)")'
)
"""A regular expression, as Postgres reads it: something in a request's JSON that its bytes don't bound."""

_UNBOUNDED: Final = re.compile(UNBOUNDED.encode())


def may_have_more(tokens: int, size: int, *parts: bytes) -> bool:
    """Whether a prompt may have more tokens than that.

    size: bytes of its request, whose JSON is in these parts.
    """
    return size + ADDED_TOKENS > tokens or holds_no_text(*parts)


def holds_no_text(*parts: bytes) -> bool:
    """Whether a request's JSON, in these parts, may hold what isn't text, whose bytes say nothing about its tokens."""
    return any(b'"type"' in part and _UNBOUNDED.search(part) is not None for part in parts)


@dataclass(frozen=True)
class WorstRate:
    """Nano-dollars a token at the worst, for requests of which the bound of the prompt is in this range."""

    above_tokens: int
    up_to_tokens: int
    input_nano: int
    output_nano: int


def worst_rates(model: Model, *, batch: bool) -> list[WorstRate]:
    """The worst rates of a model on one road, one for each of its sizes of prompt.

    The worst is a prompt of which all is written into the cache, in the dearest geography.
    """
    factor = max(Fraction(1), *model.geography.values()) if model.geography else Fraction(1)
    if batch:
        factor *= model.batch_factor
    sizes = [(0, model.rates), *((tier.above_prompt_tokens, tier.rates) for tier in reversed(model.tiers))]
    ends = [above for above, _ in sizes[1:]] + [2**31]
    worst = []
    for number, ((above, _), up_to) in enumerate(zip(sizes, ends, strict=True), start=1):
        # a bound in a dearer range doesn't say that the prompt is
        possible = [rates for _, rates in sizes[:number]]
        worst.append(
            WorstRate(
                above,
                up_to,
                ceil(max(map(_input, possible)) * factor),
                ceil(max(rates.output for rates in possible) * factor),
            )
        )
    return worst


def _input(rates: Rates) -> int | Fraction:
    return max(rates.input, rates.write_5m, rates.write_1h)
