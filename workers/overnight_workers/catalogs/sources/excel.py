"""Excel (xlsx, xls, xlsb, ods): the values of one sheet. A whole number has no point, as Excel shows it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from overnight_workers.catalogs import cells
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.sources import written
from overnight_workers.catalogs.sources.excel_errors import cells_without_value
from overnight_workers.catalogs.sources.files import local, place_of
from overnight_workers.catalogs.sources.source import Source

if TYPE_CHECKING:
    from python_calamine import CalamineSheet, CalamineWorkbook

Value = int | float | str | bool | time | date | datetime | timedelta
_WHOLE = 1e15
"""Doubles below are whole numbers exactly, and Excel shows as many digits."""


def columns_of(declared: DeclaredSource, directory: Path, room: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """The columns. wanted: not asked, all of them are known."""
    place = place_of(declared, directory)
    sheet = _sheet(declared, place, local(place, room, end=Path(place).suffix))
    return tuple(_header(sheet, place, declared.skip_lines or 0)[0])


def open_rows(declared: DeclaredSource, directory: Path, room: Path, max_rows: int | None) -> Source:
    """A sheet, whose first row has the names of its columns. max_rows: rows that are read. Raises BadSource."""
    place = place_of(declared, directory)
    file = local(place, room, end=Path(place).suffix)
    sheet = _sheet(declared, place, file)
    columns, rows = _header(sheet, place, declared.skip_lines or 0)
    _refuse_cells_without_value(file, sheet, place, len(columns))
    rows = _named(rows, len(columns), f"{place}: the sheet {sheet.name!r}")
    return written.source_of(written.write(_texts(islice(rows, max_rows), len(columns)), columns, room), columns, place)


_NAMED = 5


def _refuse_cells_without_value(file: Path, sheet: CalamineSheet, place: str, width: int) -> None:
    """Raises BadSource where cells below names have an error, or a formula without a result."""
    last = width + (sheet.start[1] if sheet.start else 0)  # empty columns on the left are no columns to calamine
    faults = [(cell, why) for cell, why in cells_without_value(file, sheet.name) if _column(cell) <= last]
    if faults:
        named = ", ".join(f"{cell} ({why})" for cell, why in faults[:_NAMED]) + (", …" if len(faults) > _NAMED else "")
        sentence = f"{place}: cells without a value in the sheet {sheet.name!r}, {len(faults):,} of them: {named}"
        advice = "they would be read as empty: correct or empty them; formulas are calculated when Excel saves the file"
        raise BadSource([f"{sentence}: {advice}"])


def _column(cell: str) -> int:
    """The number of a cell's column: 1 for A7, 27 for AA7."""
    number = 0
    for letter in cell.rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _named(rows: Iterable[Sequence[Value]], width: int, place: str) -> Iterator[Sequence[Value]]:
    """The same rows. Raises BadSource where a value stands in a column without a name: it would be lost in silence."""
    for row in rows:
        if any(value != "" for value in row[width:]):
            value = next(str(value) for value in row[width:] if value != "")
            advice = "Name it, empty it, or say by `skip_lines` how many rows stand above the names"
            raise BadSource([f"{place} has {value!r} in a column without a name (its first row names them). {advice}"])
        yield row


def _texts(rows: Iterable[Sequence[Value]], width: int) -> Iterator[list[str]]:
    """The cells below the names; rows without any are what was left behind by deleting."""
    for row in rows:
        texts = [_text(value) for value in row[:width]]
        if any(texts):
            yield texts + [""] * (width - len(texts))


def _header(sheet: CalamineSheet, place: str, skip_lines: int) -> tuple[list[str], Iterator[Sequence[Value]]]:
    """The names of the columns, in the first row that has any, and the rows below."""
    rows: Iterator[Sequence[Value]] = islice(sheet.iter_rows(), skip_lines, None)
    names = [_text(value) for value in next((row for row in rows if any(value != "" for value in row)), [])]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise BadSource([f"{place}: the sheet {sheet.name!r} is empty: names of columns and rows are expected"])
    return names, rows


def _text(value: Value) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return str(int(value))
    return cells.text_of(value)


def _sheet(declared: DeclaredSource, place: str, file: Path) -> CalamineSheet:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(str(file))
        sheets = book.sheet_names
        if not sheets:
            raise BadSource([f"{place}: it has no sheets"])
        if declared.sheet is not None and declared.sheet not in sheets:
            raise BadSource([f"{place}: there is no sheet {declared.sheet!r}: it has {', '.join(sheets)}"])
        return book.get_sheet_by_name(declared.sheet or _first_to_see(book))
    except (CalamineError, OSError) as error:
        raise BadSource([f"{place}: it can't be read as Excel: {error}"]) from error


def _first_to_see(book: CalamineWorkbook) -> str:
    """The first sheet that somebody sees who opens the file: hidden ones and charts are passed over.

    findings/excel-readers-take-a-hidden-sheet-first.sh
    """
    from python_calamine import SheetTypeEnum, SheetVisibleEnum

    seen = (
        sheet.name
        for sheet in book.sheets_metadata
        if sheet.typ == SheetTypeEnum.WorkSheet and sheet.visible == SheetVisibleEnum.Visible
    )
    return next(seen, book.sheet_names[0])
