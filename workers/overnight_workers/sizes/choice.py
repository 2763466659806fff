"""The choice: the first of a lane's models whose limit a prompt keeps, and that takes the request."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple

from overnight_models.money.prices import Model, Prices
from overnight_models.request.traps import refusal
from overnight_workers.configuration.lane_models import ModelBySize

Count = Callable[[str], int | None]
"""The tokens of the prompt as the API counts them for that model; None when it doesn't."""


class Rate(NamedTuple):
    """Tokens of a prompt for each byte of its request: most likely, and within which bounds."""

    low: float
    about: float
    high: float


ASSUMED: Final = Rate(1 / 5, 1 / 4, 1 / 2.5)
"""When nothing is known: by language and model a token has from 2.5 to 5 bytes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a lane has to choose a model for."""

    params: Mapping[str, object]
    betas: Collection[str]
    size: int
    """Bytes of the whole request."""
    says_no_tokens: bool
    """It holds what isn't text, such as an image: its bytes say nothing about its tokens."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The model, and why."""

    model: str
    why: str
    is_near: bool = False
    """A limit is near, and nobody has counted: the count may choose another."""


class _Candidate(NamedTuple):
    """A model that takes the request, and the longest prompt that it is asked with."""

    name: str
    longest: float


def choose(
    models: Sequence[ModelBySize],
    asked: Asked,
    prices: Prices,
    rate: Callable[[str], Rate],
    count: Count | None = None,
) -> Choice:
    """Choose. models: not empty, the last without a limit.

    rate: what is known of each model.
    count: asked near a limit; None: then the next model up is taken for now.
    """
    candidates, against = _candidates(models, asked, prices)
    is_near, above, size = False, 0, ""
    for candidate in candidates:
        low, about, high = (asked.size * rate for rate in rate(candidate.name))
        if asked.says_no_tokens:
            low, high = 0.0, inf
        if low <= candidate.longest < high and candidate.longest < inf:
            counted = None if count is None else count(candidate.name)
            is_near |= count is None
            size = "nobody has counted it yet" if count is None else "the API doesn't count it"
            if counted is not None:
                size = f"its prompt has {counted:,} tokens, as the API counts them"
            low = inf if counted is None else counted
        if low <= candidate.longest:
            if not size:
                known = f"its prompt has about {_round(about):,} tokens"
                size = "its bytes don't say how long it is" if asked.says_no_tokens else known
            return Choice(candidate.name, f"{size}: {_range(candidate, above)}{against}", is_near)
        above = int(candidate.longest)
    raise AssertionError("the last candidate has no limit")


def _candidates(models: Sequence[ModelBySize], asked: Asked, prices: Prices) -> tuple[list[_Candidate], str]:
    """Those that take the request, the last of them whatever its length; and what is against the others."""
    known = {model.model: prices.model(model.model) for model in models}
    refusals = {
        name: None if model is None else refusal(asked.params, model, betas=asked.betas)
        for name, model in known.items()
    }
    taking = [model for model in models if refusals[model.model] is None] or [models[-1]]
    against = [
        why for name, why in refusals.items() if why is not None and name not in {model.model for model in taking}
    ]
    candidates = [
        _Candidate(model.model, _longest_prompt(model, known[model.model], asked.params)) for model in taking[:-1]
    ]
    return [*candidates, _Candidate(taking[-1].model, inf)], "".join(f" ({why})" for why in against)


def _longest_prompt(by_size: ModelBySize, model: Model | None, params: Mapping[str, object]) -> float:
    """The longest prompt for a model that isn't the last: its answer has to find room too."""
    limit = inf if by_size.up_to_tokens is None else by_size.up_to_tokens
    answer = params.get("max_tokens")
    if model is None or not isinstance(answer, int):
        return limit
    return min(limit, max(model.context_tokens - answer, 0))


def _range(candidate: _Candidate, above: int) -> str:
    if candidate.longest < inf:
        return f"{candidate.name} takes up to {int(candidate.longest):,}"
    return f"{candidate.name} takes more than {above:,}" if above else f"{candidate.name} takes any"


def _round(tokens: float) -> int:
    """No more exact than it is known: two figures."""
    whole = round(tokens)
    digits = max(len(str(whole)) - 2, 0)
    return round(whole, -digits)
