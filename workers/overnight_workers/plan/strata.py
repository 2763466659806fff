"""The strata that a file is sampled by, and the items of each in a random order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from overnight_workers.plan.sampling import Stratum, size_strata_pay
from overnight_workers.plan.survey import Cell, CellName, Long, Unit


@dataclass(frozen=True, slots=True)
class Group:
    """Items that are sampled together: of one model, and of one size where sizes differ much."""

    model: str
    geo: str | None
    media: bool
    stratum: Stratum
    order: tuple[Unit, ...]
    """Some of them, in a random order: any number from the start are a random sample."""
    whole: bool = False
    """All of them are looked at."""


def groups(cells: Mapping[CellName, Cell], longest: Sequence[Long]) -> list[Group]:
    """The strata of a file; the longest items, on which much depends, are strata that are looked at whole."""
    taken = {long.unit.line for long in longest}
    strata = []
    for kind, cells_of_kind in _kinds(cells):
        sums = [sum(getattr(cell, name) for _, cell in cells_of_kind) for name in ("units", "size", "squares")]
        apart = [long.unit for long in longest if long.cell[:3] == kind]
        if apart:
            strata.append(Group(*kind, Stratum(len(apart), sum(unit.size for unit in apart)), tuple(apart), whole=True))
        for together in [[cell] for cell in cells_of_kind] if size_strata_pay(*sums) else [cells_of_kind]:
            names = {name for name, _ in together}
            gone = [long.unit.size for long in longest if long.cell in names]
            units = sum(cell.units for _, cell in together) - len(gone)
            size = sum(cell.size for _, cell in together) - sum(gone)
            if units:
                order = tuple(unit for unit in _in_order([cell for _, cell in together]) if unit.line not in taken)
                strata.append(Group(*kind, Stratum(units, size), order))
    return strata


def _kinds(
    cells: Mapping[CellName, Cell],
) -> list[tuple[tuple[str, str | None, bool], list[tuple[CellName, Cell]]]]:
    """Cells by model, geography and media."""
    in_order = sorted(cells.items(), key=lambda pair: (pair[0].model, pair[0].geo or "", pair[0].media, pair[0].scale))
    by_kind = groupby(in_order, key=lambda pair: (pair[0].model, pair[0].geo, pair[0].media))
    return [(kind, list(members)) for kind, members in by_kind]


def chosen(cells: Mapping[CellName, Cell], items: int) -> list[tuple[CellName, Unit]]:
    """So many items of the whole file, at random; fewer if it hasn't as many, or hasn't kept as many."""
    complete = _complete(cells.values())
    lots = sorted(
        ((-lot, unit, name) for name, cell in cells.items() for lot, unit in cell.chosen), key=lambda unit: unit[:2]
    )
    return [(name, unit) for lot, unit, name in lots if lot <= complete][:items]


def _in_order(cells: Sequence[Cell]) -> list[Unit]:
    """The chosen units of several cells by their lots, as far as no cell has left one out."""
    complete = _complete(cells)
    lots = sorted((-lot, unit) for cell in cells for lot, unit in cell.chosen)
    return [unit for lot, unit in lots if lot <= complete]


def _complete(cells: Iterable[Cell]) -> float:
    """The lot up to which every cell has kept all its units."""
    return min((-cell.chosen[0][0] for cell in cells if len(cell.chosen) < cell.units), default=1.0)
