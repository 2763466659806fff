"""How many tokens come out: learned from earlier answers, measured by a pilot, or assumed from `max_tokens`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from overnight_models.ledger.money.history import Answers
from overnight_models.quantities import several
from overnight_workers.plan.figure import Figure, How, added, around
from overnight_workers.plan.sampling import Sample, Stratum, estimate, t_quantile
from overnight_workers.plan.sums import Of
from overnight_workers.roads.lengths import FEWEST_ANSWERS


@dataclass(frozen=True, slots=True)
class Asked:
    """The items of one model: what bounds their answers."""

    items: int
    """Those that the API takes."""
    max_tokens: int
    """All of them together."""
    stratum: Stratum
    """All items, and the bytes of their prompts."""


@dataclass(frozen=True, slots=True)
class TokensOut:
    """What comes out."""

    total: Figure
    by_model: Mapping[Of, Figure]
    worst: int
    """If every answer took all of its `max_tokens`."""
    basis: Mapping[Of, str]
    """How the answers' length is known, in words."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What answers to some of the items had: bytes of the prompt, tokens of the answer."""

    sizes: Sequence[int]
    tokens: Sequence[int]


def tokens_out(
    asked: Mapping[Of, Asked], past: Mapping[str, Sequence[Answers]], pilot: Mapping[Of, Measured], share: Fraction
) -> TokensOut:
    """The surest that can be said for each model.

    past: by model, the earlier answers of this lane.
    share: of `max_tokens`, where there is nothing to learn from.
    """
    by_model: dict[Of, Figure] = {}
    words_of: dict[Of, str] = {}
    for of, model_asked in asked.items():
        sizes, words = _of_model(model_asked, past.get(of[0], ()), pilot.get(of), share)
        by_model[of] = sizes.within(model_asked.max_tokens)
        words_of[of] = words
    worst = sum(model_asked.max_tokens for model_asked in asked.values())
    return TokensOut(added(by_model.values()), by_model, worst, words_of)


def _of_model(asked: Asked, past: Sequence[Answers], pilot: Measured | None, share: Fraction) -> tuple[Figure, str]:
    if pilot is not None and len(pilot.tokens) > 1:
        return measured(asked, pilot), f"measured by a pilot of {several(len(pilot.tokens), 'item')}"
    answers = sum(batch.answers for batch in past)
    if answers >= FEWEST_ANSWERS:
        batches = "1 batch" if len(past) == 1 else f"{len(past):,} batches"
        return learned(asked.items, past), f"learned from {answers:,} answers in {batches} of this lane"
    return assumed(asked, share), f"assumed: {float(share):.0%} of max_tokens, and anything up to all of it"


def learned(items: int, past: Sequence[Answers]) -> Figure:
    """As earlier answers of the lane were.

    Batches differ by more than chance: that too is in the interval when there were several. From one batch it can't be
    known, and isn't.
    """
    answers = sum(batch.answers for batch in past)
    mean = sum(batch.output_tokens for batch in past) / answers
    squares = sum(batch.output_squares for batch in past)
    means = [batch.output_tokens / batch.answers for batch in past]
    spread = max(squares - sum(b.answers * m * m for b, m in zip(past, means, strict=True)), 0.0)
    within = spread / max(answers - len(past), 1)
    variance, freedom = within * (1 / answers + 1 / max(items, 1)), math.inf
    if len(past) > 1:
        middle = sum(means) / len(past)
        between = sum((mean - middle) ** 2 for mean in means) / (len(past) - 1)
        between -= sum(within / batch.answers for batch in past) / len(past)
        if between > 0:
            variance, freedom = variance + between * (1 + 1 / len(past)), len(past) - 1
    return around(items * mean, items * t_quantile(freedom) * math.sqrt(variance), How.LEARNED)


def measured(asked: Asked, pilot: Measured) -> Figure:
    """As the answers to a random part of these very items were."""
    estimated = estimate(asked.stratum, Sample(pilot.sizes, pilot.tokens))
    return around(estimated.total, estimated.deviation, How.MEASURED)


def assumed(asked: Asked, share: Fraction) -> Figure:
    """A share of `max_tokens`; at least a token an answer, and at most all."""
    value = round(asked.max_tokens * share)
    return Figure(
        max(value, min(asked.items, asked.max_tokens)), min(asked.items, value), asked.max_tokens, How.ASSUMED
    )
