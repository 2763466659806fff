"""How many tokens come out: learned from earlier answers, measured by a pilot, or assumed from `max_tokens`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from overnight_models.ledger.money.history import Answers
from overnight_models.quantities import several
from overnight_workers.plan.figure import Figure, How, added, around
from overnight_workers.plan.sampling import Sample, Stratum, estimate, t_quantile
from overnight_workers.plan.sums import Of
from overnight_workers.plan.survey import Kind, OfKind
from overnight_workers.roads.lengths import FEWEST_ANSWERS

FEWEST_ALIKE: Final = 10
"""Answers to exactly what is asked: so few say more than many to something else."""

_GROUPS_DIFFER: Final = 0.03
"""By so much of their mean, as a standard deviation, the answers of one night are usually longer than another's."""
_USUAL: Final = 30
"""Degrees of freedom of that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The items of one model: what bounds their answers."""

    items: int
    """Those that the API takes."""
    max_tokens: int
    """All of them together."""
    stratum: Stratum
    """All items, and the bytes of their prompts."""
    kinds: Mapping[Kind, OfKind]
    """The same items by what decides how long their answers get."""


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


@dataclass(frozen=True, slots=True)
class Past:
    """Earlier answers, by model."""

    of_lane: Mapping[str, Sequence[Answers]]
    alike: Mapping[str, Sequence[Answers]] | None = None
    """To exactly what is asked, whatever else the lane has; None where nobody says which these are."""


def tokens_out(asked: Mapping[Of, Asked], past: Past, pilot: Mapping[Of, Measured], share: Fraction) -> TokensOut:
    """The surest that can be said for each model.

    share: of `max_tokens`, where there is nothing to learn from.
    """
    by_model: dict[Of, Figure] = {}
    words_of: dict[Of, str] = {}
    for of, model_asked in asked.items():
        sizes, words = _of_model(of[0], model_asked, past, pilot.get(of), share)
        by_model[of] = sizes.within(model_asked.max_tokens)
        words_of[of] = words
    worst = sum(model_asked.max_tokens for model_asked in asked.values())
    return TokensOut(added(by_model.values()), by_model, worst, words_of)


def _of_model(model: str, asked: Asked, past: Past, pilot: Measured | None, share: Fraction) -> tuple[Figure, str]:
    if pilot is not None and len(pilot.tokens) > 1:
        return measured(asked, pilot), f"measured by a pilot of {several(len(pilot.tokens), 'item')}"
    of_lane = past.of_lane.get(model, ())
    if past.alike is not None:
        alike = past.alike.get(model, ())
        answers = _count(alike)
        if answers >= FEWEST_ALIKE:
            return learned(asked.items, alike), f"learned from {answers:,} answers to this prompt and schema"
        every = OfKind(asked.items, asked.max_tokens)
        return assumed(every, share, of_lane), _unknown_words("this prompt and schema", of_lane, share)
    each = [_of_kind(kind, of_kind, of_lane, share) for kind, of_kind in asked.kinds.items()]
    words = Counter[str]()
    for (_, said), of_kind in zip(each, asked.kinds.values(), strict=True):
        words[said] += of_kind.items
    many = len(words) > 1
    basis = "; ".join(f"{several(items, 'item')}: {said}" if many else said for said, items in words.most_common())
    return added(figure for figure, _ in each), basis


def _of_kind(kind: Kind, asked: OfKind, of_lane: Sequence[Answers], share: Fraction) -> tuple[Figure, str]:
    """By answers of the lane to requests of that kind. A catalog's rows teach only that catalog."""
    alike = [
        group for group in of_lane if (group.schema, group.scale) == (kind.schema, kind.scale) and not group.of_catalog
    ]
    answers = _count(alike)
    if answers < FEWEST_ANSWERS:
        return assumed(asked, share, of_lane), _unknown_words("such requests", of_lane, share)
    batches = len({group.group_id for group in alike})
    of_batches = "1 batch" if batches == 1 else f"{batches:,} batches"
    like = "" if kind.schema is None else " with this schema"
    return (
        learned(asked.items, alike).within(asked.max_tokens),
        f"learned from {answers:,} answers{like} in {of_batches} of this lane",
    )


def _count(past: Sequence[Answers]) -> int:
    return sum(group.answers for group in past)


def learned(items: int, past: Sequence[Answers]) -> Figure:
    """As earlier answers were that came in these groups.

    Groups differ by more than chance, and so will the next one. By how much is asked of them; what is usual counts as
    one more of them, so that a single one is believed to a few percent, and not to the digit.
    """
    answers, groups = _count(past), len(past)
    mean = sum(group.output_tokens for group in past) / answers
    squares = sum(group.output_squares for group in past)
    means = [group.output_tokens / group.answers for group in past]
    spread = max(squares - sum(b.answers * m * m for b, m in zip(past, means, strict=True)), 0.0)
    within = spread / max(answers - groups, 1)
    between = (mean * _GROUPS_DIFFER) ** 2
    if groups > 1:
        middle = sum(means) / groups
        seen = sum((mean - middle) ** 2 for mean in means) / (groups - 1)
        seen -= sum(within / group.answers for group in past) / groups
        between = (between + (groups - 1) * max(seen, 0.0)) / groups
    parts = [
        (within * (1 / answers + 1 / max(items, 1)), max(answers - groups, 1)),
        (between * (1 + 1 / groups), _USUAL if groups == 1 else groups),
    ]
    variance = sum(part for part, _ in parts)
    doubts = sum(part**2 / freedom for part, freedom in parts)  # Satterthwaite
    freedom = variance**2 / doubts if doubts else math.inf
    return around(items * mean, items * t_quantile(freedom) * math.sqrt(variance), How.LEARNED)


def measured(asked: Asked, pilot: Measured) -> Figure:
    """As the answers to a random part of these very items were."""
    estimated = estimate(asked.stratum, Sample(pilot.sizes, pilot.tokens))
    return around(estimated.total, estimated.deviation, How.MEASURED)


def assumed(asked: OfKind, share: Fraction, of_lane: Sequence[Answers]) -> Figure:
    """A token an answer at least, and all of `max_tokens` at most.

    The value is what other answers of the lane to that model had, where there are enough, else a share of `max_tokens`.
    """
    others = _count(of_lane)
    mean = Fraction(sum(group.output_tokens for group in of_lane), max(others, 1))
    value = min(round(asked.max_tokens * share if others < FEWEST_ANSWERS else asked.items * mean), asked.max_tokens)
    return Figure(
        max(value, min(asked.items, asked.max_tokens)), min(asked.items, value), asked.max_tokens, How.ASSUMED
    )


def _unknown_words(kind: str, of_lane: Sequence[Answers], share: Fraction) -> str:
    others = _count(of_lane)
    like = (
        f"{float(share):.0%} of max_tokens"
        if others < FEWEST_ANSWERS
        else f"as long as {others:,} others of this lane and model were"
    )
    return f"not known yet, since nothing has answered {kind}; assumed: {like}, and anything up to all of max_tokens"
