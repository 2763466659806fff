"""The comparison: each side beside the first one, on the same rows, with what can be said and what can't."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from overnight_workers.catalogs.compare.agreement import f1, fields_of, is_right, number, same
from overnight_workers.catalogs.compare.paired import (
    Estimate,
    Significance,
    holm,
    mcnemar,
    mean_difference,
    rows_to_tell,
    share_difference,
    tabulate,
)
from overnight_workers.catalogs.compare.sides import Answer
from overnight_workers.catalogs.interval import wilson
from overnight_workers.catalogs.report.writing import short_usd

_LEVEL = 0.05

Answers = Mapping[bytes, Answer]


@dataclass(frozen=True)
class Gold:
    """What is known to be right: a field of the answer, and the cells that it should say, by the hash of the row."""

    field: str
    cells: Mapping[bytes, str | None]


@dataclass(frozen=True)
class Scored:
    """One side alone. Money in dollars."""

    name: str
    rows: int
    valid: int
    valid_share: tuple[float, float]
    """The interval of 95% of its share of valid answers, by Wilson."""
    cost_a_row: float | None
    whole_cost: float | None
    """For every row of the catalog."""
    seconds: float | None
    """The median, from enqueued to answered."""
    tokens_out: float
    characters: float
    """Of an answer's text."""
    right: int | None = None
    """Answers that say what the gold column says."""
    f1: float | None = None
    error: float | None = None
    """The mean distance from the gold column's numbers."""


@dataclass(frozen=True)
class Beside:
    """A side beside the first one."""

    name: str
    measure: str
    """What quality is here: `right` by the gold column, else `valid`."""
    quality: Estimate
    test: Significance
    adjusted_p: float
    """The test's p as it counts among all sides, by Holm."""
    dollars: Estimate
    """Dollars a row."""
    agreement: Mapping[str, float]
    """Of rows that both answered, the share on which each field says the same."""
    rows_to_tell: int | None
    sentence: str


@dataclass(frozen=True)
class Comparison:
    """All of it."""

    rows: int
    """Rows that every side was asked about."""
    whole: int
    """Rows of the catalog."""
    sides: Sequence[Scored]
    beside: Sequence[Beside]
    """Each other side, beside the first."""


def compare(sides: Mapping[str, Answers], whole: int, gold: Gold | None = None) -> Comparison:
    """Compare sides by name, the first one with each other, on the rows that every side has an outcome for."""
    answered = [set(answers) for answers in sides.values()]
    rows = sorted(set.intersection(*answered)) if answered else []
    scored = [_score(name, answers, rows, whole, gold) for name, answers in sides.items()]
    (first, base), *others = sides.items()
    beside = [_beside(name, base, answers, rows, gold) for name, answers in others]
    adjusted = holm([side.test.p for side in beside])
    judged = [replace(side, adjusted_p=p) for side, p in zip(beside, adjusted, strict=True)]
    return Comparison(
        len(rows), whole, scored, [replace(side, sentence=_sentence(first, side, whole)) for side in judged]
    )


def _score(name: str, answers: Answers, rows: Sequence[bytes], whole: int, gold: Gold | None) -> Scored:
    here = [answers[row] for row in rows]
    valid = sum(answer.ok for answer in here)
    costs = [float(answer.cost_usd) for answer in here if answer.cost_usd is not None]
    cost = fmean(costs) if costs and len(costs) == len(here) else None
    took = [answer.took_s for answer in here if answer.took_s is not None]
    scored = Scored(
        name,
        len(here),
        valid,
        wilson(valid, len(here)),
        cost,
        None if cost is None else cost * whole,
        median(took) if took else None,
        fmean([answer.tokens_out for answer in here]) if here else 0.0,
        fmean([len(answer.text) for answer in here]) if here else 0.0,
    )
    return scored if gold is None else _with_gold(scored, answers, rows, gold)


def _with_gold(scored: Scored, answers: Answers, rows: Sequence[bytes], gold: Gold) -> Scored:
    pairs = [
        (fields_of(answers[row].value).get(gold.field), cell)
        for row in rows
        if (cell := gold.cells.get(row)) is not None
    ]
    distances = [
        abs(float(said - wanted))
        for value, cell in pairs
        if (said := number(value)) is not None and (wanted := number(cell)) is not None
    ]
    return replace(
        scored,
        right=sum(is_right(value, cell) for value, cell in pairs),
        f1=fmean([f1(value, cell) for value, cell in pairs]) if pairs else None,
        error=fmean(distances) if distances else None,
    )


def _beside(name: str, base: Answers, answers: Answers, rows: Sequence[bytes], gold: Gold | None) -> Beside:
    measure = "valid" if gold is None else "right"
    judged = rows if gold is None else [row for row in rows if gold.cells.get(row) is not None]
    table = tabulate(
        [_good(base[row], row, gold) for row in judged], [_good(answers[row], row, gold) for row in judged]
    )
    priced = [row for row in rows if base[row].cost_usd is not None and answers[row].cost_usd is not None]
    test = mcnemar(table)
    return Beside(
        name,
        measure,
        share_difference(table),
        test,
        test.p,
        mean_difference(
            [float(base[row].cost_usd or 0) for row in priced], [float(answers[row].cost_usd or 0) for row in priced]
        ),
        _agreement(base, answers, rows),
        rows_to_tell(table),
        "",
    )


def _good(answer: Answer, row: bytes, gold: Gold | None) -> bool:
    if gold is None:
        return answer.ok
    return is_right(fields_of(answer.value).get(gold.field), gold.cells[row] or "")


def _agreement(base: Answers, answers: Answers, rows: Sequence[bytes]) -> dict[str, float]:
    agree: dict[str, list[bool]] = {}
    for row in rows:
        if not (base[row].ok and answers[row].ok):
            continue
        here, there = fields_of(base[row].value), fields_of(answers[row].value)
        for name in here.keys() | there.keys():
            agree.setdefault(name, []).append(name in here and name in there and same(here[name], there[name]))
    return {name: sum(said) / len(said) for name, said in sorted(agree.items())}


def _sentence(first: str, side: Beside, whole: int) -> str:
    """What changing would cost or save, and how sure that is."""
    return f"{side.name} instead of {first}: {_money(side.dollars, whole)}, and {_quality(side)}."


def _money(dollars: Estimate, whole: int) -> str:
    value, low, high = (part * whole for part in (dollars.value, dollars.low, dollars.high))
    if value == 0 and dollars.low == dollars.high:
        return "the same price"
    if not all(map(math.isfinite, (value, low, high))):
        return "no telling difference in price: too few answers have one"
    if not dollars.decided:
        return f"no telling difference in price (between {short_usd(low)} and {short_usd(high)} for all {whole:,} rows)"
    more = " more" if value > 0 else ""
    word = "costs" if value > 0 else "saves"
    low_end, high_end = (short_usd(amount) for amount in sorted((abs(low), abs(high))))
    return f"{word} about {short_usd(abs(value))}{more} for all {whole:,} rows ({low_end} to {high_end})"


def _quality(side: Beside) -> str:
    points = f"{side.quality.low * 100:+.1f} to {side.quality.high * 100:+.1f} points of {side.measure} answers"
    if side.adjusted_p < _LEVEL and side.quality.decided:
        word = "better" if side.quality.value > 0 else "worse"
        low, high = sorted((abs(side.quality.low), abs(side.quality.high)))
        between = f"{low * 100:.1f} to {high * 100:.1f}"
        return f"it is {word} by {abs(side.quality.value) * 100:.1f} points of {side.measure} answers ({between})"
    if side.rows_to_tell is None:
        return f"no difference was seen in {side.measure} answers ({points})"
    return f"whether it is better can't be told yet ({points}): about {side.rows_to_tell:,} rows would"
