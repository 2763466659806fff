"""How long answers get: learned from those to exactly what a catalog asks, and from nothing else.

A lane's other answers say little: another prompt or another schema makes them twice as long.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from sqlalchemy import Connection

from overnight_models.ledger.catalogs import lengths
from overnight_models.ledger.catalogs import memory as ledger
from overnight_models.ledger.catalogs.memory import Recipe as Hashes
from overnight_models.ledger.money import history
from overnight_models.ledger.money.history import Answers
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.plan.answers import FEWEST_ALIKE


@dataclass(frozen=True)
class Again:
    """What a row costs in all its tries, in prices of one: what is expected, and between what."""

    value: Fraction
    least: Fraction
    most: Fraction


NEVER_AGAIN: Final = Again(Fraction(1), Fraction(1), Fraction(1))


@dataclass(frozen=True)
class Alike:
    """Earlier answers to what is asked."""

    by_model: Mapping[str, Sequence[Answers]] = field(default_factory=dict)
    again: Again = NEVER_AGAIN


def alike(catalog: Catalog, hashes: Hashes, tried: Sequence[tuple[str, bool]] = ()) -> Alike:
    """What answers to a recipe had: of the catalog's runs, or where these are few, of tried rows.

    tried: their keys, and whether a run takes what came of them.
    """
    with process.database().transaction() as connection:
        past = _of_runs(connection, catalog, hashes)
        again = _of_answers(past)
        if tried and sum(group.answers for group in past) < FEWEST_ALIKE:
            past = _of_keys(connection, catalog, [key for key, _ in tried])
            again = _of_problems(sum(not is_taken for _, is_taken in tried), len(tried))
    by_model: dict[str, list[Answers]] = {}
    for group in past:
        model = process.prices().model(group.model)
        by_model.setdefault(model.name if model else group.model, []).append(group)
    return Alike(by_model, again)


def _of_answers(past: Sequence[Answers]) -> Again:
    """As often as in those runs, give or take what chance does."""
    rows = sum(group.answers if group.items is None else group.items for group in past)
    more = Fraction(sum(group.answers for group in past), rows) - 1 if rows else Fraction(0)
    if more <= 0:
        return NEVER_AGAIN
    doubt = 2 * Fraction(math.sqrt(more / rows))
    return Again(1 + more, 1 + max(more - doubt, Fraction(0)), 1 + more + doubt)


def _of_problems(bad: int, rows: int) -> Again:
    """Of rows that were tried once: a run asks those of no use up to twice, and cut-off ones with twice the room."""
    if not bad:
        return NEVER_AGAIN
    share = Fraction(bad, rows)
    doubt = 2 * Fraction(math.sqrt(share * (1 - share) / rows))
    return Again(1 + 2 * share, 1 + max(share - doubt, Fraction(0)), 1 + 6 * min(share + doubt, Fraction(1)))


def _of_runs(connection: Connection, catalog: Catalog, hashes: Hashes) -> list[Answers]:
    catalog_id = ledger.catalog_id(connection, catalog.name)
    if catalog_id is None:
        return []
    known = ledger.recipes(connection, catalog_id)
    numbers = [kept.number for kept in known if _parts(kept) == _parts(hashes)]
    return [group for number in numbers for group in lengths.of_recipe(connection, catalog.name, number)]


def _parts(recipe: Hashes) -> tuple[object, ...]:
    return recipe.columns, bytes(recipe.prompt), bytes(recipe.output), recipe.model, bytes(recipe.params)


def _of_keys(connection: Connection, catalog: Catalog, keys: Sequence[str]) -> list[Answers]:
    billed = history.answers_of(connection, catalog.lane, keys).values()
    tokens = [each.tokens_out for each in billed]
    if not tokens:
        return []
    into, cost = sum(each.tokens_in for each in billed), sum(each.cost_nano for each in billed)
    squares = float(sum(out * out for out in tokens))
    return [Answers(0, catalog.model, len(tokens), into, sum(tokens), squares, 0, 0, 0, cost)]
