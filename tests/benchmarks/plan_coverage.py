"""How often a bill lies in its plan's 95% interval, over nights on which prompts, schemas and models change.

    python -m tests.benchmarks.plan_coverage --seasons 400

Two catalogs share a lane. Each night one of them has a few new rows, or another prompt, schema or model; after half of
the changes 20 rows are tried first. Lengths of answers are lognormal; a change makes them up to 2.5 times as long or as
short, and rows of one night are alike by a few percent. What a plan says of the tokens that come out is asked of the
plan's own code, once with what it learns from (answers to exactly what is asked), and once as if all answers of the
lane and model were alike, as it was before. Nothing is sent.
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from overnight_models.ledger.money.history import Answers
from overnight_workers.plan.answers import Asked, Past, tokens_out
from overnight_workers.plan.figure import Figure, How
from overnight_workers.plan.sampling import Stratum
from overnight_workers.plan.survey import Kind, OfKind
from overnight_workers.roads.lengths import ANSWER_SHARE

_MODELS: Final = ("claude-haiku-5-5", "claude-sonnet-5")
_MAX_TOKENS: Final = 1_000
_NIGHTS: Final = 10
_CHANGED_BY: Final = 2.5
_ROWS: Final = 2_000
_TRIED: Final = 20
_KIND: Final = Kind(None, _MAX_TOKENS.bit_length())


@dataclass
class Recipe:
    """What a catalog asks at one time, and the answers so far."""

    mean: float
    spread: float
    model: str = _MODELS[0]
    past: list[Answers] = field(default_factory=list)


@dataclass
class Seen:
    """How plans of one kind did."""

    plans: int = 0
    inside: int = 0
    widths: list[float] = field(default_factory=list)

    def add(self, figure: Figure, billed: int) -> None:
        """One plan and its bill, in tokens."""
        self.plans += 1
        self.inside += figure.low <= billed <= figure.high
        self.widths.append((figure.high - figure.low) / 2 / billed)


def main(seasons: Annotated[int, typer.Option(help="How many.")] = 400) -> None:
    """Play them, and print the table."""
    seen: defaultdict[tuple[str, str, str], Seen] = defaultdict(Seen)
    draw = random.Random(0)
    for _ in range(seasons):
        _season(draw, seen)
    table = Table()
    for title in ("rule", "night", "answers like these", "plans", "bill inside", "half the interval, median"):
        table.add_column(title)
    for (rule, night, known), each in sorted(seen.items()):
        width = sorted(each.widths)[len(each.widths) // 2]
        table.add_row(rule, night, known, f"{each.plans:,}", f"{each.inside / each.plans:.1%}", f"± {width:.0%}")
    Console(width=140).print(table)


def _season(draw: random.Random, seen: defaultdict[tuple[str, str, str], Seen]) -> None:
    catalogs = [_new(draw, draw.uniform(60, 250)) for _ in range(2)]
    lane: list[Answers] = []
    for night in range(_NIGHTS):
        at = draw.randrange(2)
        is_change = night > 0 and draw.random() < 0.4
        if is_change:
            factor = math.exp(draw.uniform(-1, 1) * math.log(_CHANGED_BY))
            changed = _new(draw, min(max(catalogs[at].mean * factor, 30), 500))
            catalogs[at] = replace(changed, model=draw.choice(_MODELS))
        recipe = catalogs[at]
        if not recipe.past and draw.random() < 0.5:
            recipe.past.append(_answers(draw, recipe, _TRIED, night=-1 - night))
        rows = _ROWS if not recipe.past or is_change else _ROWS // 20
        came = _answers(draw, recipe, rows, night=night)
        asked = Asked(rows, rows * _MAX_TOKENS, Stratum(rows, rows * 400), {_KIND: OfKind(rows, rows * _MAX_TOKENS)})
        of_lane = _by_model(lane)
        night_kind = "another recipe" if is_change else "first" if not recipe.past else "some rows new"
        for rule, past in (
            ("exactly what is asked", Past(of_lane, _by_model(recipe.past))),
            ("lane and model, as before", Past(of_lane)),
        ):
            figure = tokens_out({(recipe.model, None): asked}, past, {}, ANSWER_SHARE).total
            known = "none: not known yet" if figure.how is How.ASSUMED else "some"
            seen[rule, night_kind, known].add(figure, came.output_tokens)
        recipe.past.append(came)
        lane.append(came)


def _new(draw: random.Random, mean: float) -> Recipe:
    return Recipe(mean, draw.uniform(0.2, 0.6))


def _answers(draw: random.Random, recipe: Recipe, rows: int, *, night: int) -> Answers:
    mean = recipe.mean * math.exp(draw.gauss(0, 0.02))
    middle = math.log(mean) - recipe.spread**2 / 2
    tokens = [min(max(round(draw.lognormvariate(middle, recipe.spread)), 1), _MAX_TOKENS) for _ in range(rows)]
    squares = float(sum(each * each for each in tokens))
    return Answers(night, recipe.model, rows, rows * 100, sum(tokens), squares, 0, 0, 0, 0, scale=_KIND.scale)


def _by_model(past: Sequence[Answers]) -> dict[str, list[Answers]]:
    return {model: [group for group in past if group.model == model] for model in _MODELS}


if __name__ == "__main__":
    typer.run(main)
